import Linking
import Shared
import Synchronization

/// Collects what ended in this worker and tells the router, again until it is answered.
///
/// The order in which things are put in is the order in which they become true: a report never claims that a block is
/// acknowledged without the counts of its spans, because both are taken under one lock.
final class WorkerReporter: Sendable {
    private struct Key: Hashable {
        var partition: UInt16
        var epoch: UInt64
        var target: String?
        var reason: String?
    }

    private struct State {
        var lines: [Key: UInt64] = [:]
        var pending = PendingRows()
        /// Blocks submitted and not acknowledged, with the rows that end with them.
        var blocks: [(id: VerdictBlockID, next: UInt64, ended: [VerdictApplier.Ended])] = []
        var acknowledgedVerdicts: UInt64 = 0
        var readEpoch: UInt64?
        var number: UInt64 = 0
    }

    private let state = Mutex(State())
    private let ordinal: UInt16
    private let pid: Int32

    init(ordinal: UInt16, pid: Int32, acknowledgedVerdicts: UInt64) {
        self.ordinal = ordinal
        self.pid = pid
        state.withLock { $0.acknowledgedVerdicts = acknowledgedVerdicts }
    }

    /// A commit was read: so many own rows wait for their end.
    func read(_ header: FactsBlock.Header, rows: Int) {
        state.withLock { $0.pending.add(header, rows: rows) }
    }

    /// Everything of this epoch and before was read; these were its duplicates.
    func finished(epoch: Epoch, duplicates: [PartitionState.Count: UInt64]) {
        state.withLock { state in
            state.readEpoch = max(state.readEpoch ?? 0, epoch.number)
            for (count, spans) in duplicates {
                let key = Key(
                    partition: count.partition.number, epoch: count.epoch.number, target: nil,
                    reason: DropReason.duplicate)
                state.lines[key, default: 0] += spans
            }
        }
    }

    /// Rows that an earlier run of the router took and that are this run's to account for.
    func tookOver(_ partition: PartitionID, _ epoch: Epoch, spans: UInt64) {
        state.withLock {
            $0.lines[Key(partition: partition.number, epoch: epoch.number, target: nil, reason: nil), default: 0] += spans
        }
    }

    /// A block is about to be submitted; its dropped rows have ended, the kept ones end with the acknowledgement.
    func applied(_ id: VerdictBlockID, next: UInt64, outcome: borrowing VerdictApplier.Outcome) {
        let (dropped, ended) = (outcome.dropped, outcome.ended)
        state.withLock { state in
            for (what, spans) in dropped {
                let key = Key(
                    partition: what.partition.number, epoch: what.epoch.number, target: nil, reason: what.reason)
                state.lines[key, default: 0] += spans
            }
            state.blocks.append((id, next, ended))
        }
    }

    /// Rows of a block that every target had finished before this process started.
    func skipped(_ ended: [VerdictApplier.Ended], next: UInt64) {
        state.withLock { state in
            for rows in ended { state.pending.finish(rows.position, rows: rows.rows) }
            state.acknowledgedVerdicts = max(state.acknowledgedVerdicts, next)
        }
    }

    /// Spans ended in a target.
    func ended(_ report: ExportReport) {
        var reason: String?
        if case .dropped(let why) = report.outcome { reason = why.name }
        state.withLock { state in
            for run in report.partitions {
                let key = Key(
                    partition: run.partition.number, epoch: report.epoch.number, target: report.target, reason: reason)
                state.lines[key, default: 0] += UInt64(run.spans)
            }
        }
    }

    /// Every target has finished all blocks up to this one.
    func acknowledged(through id: VerdictBlockID) {
        state.withLock { state in
            while let block = state.blocks.first, block.id <= id {
                for rows in block.ended { state.pending.finish(rows.position, rows: rows.rows) }
                state.acknowledgedVerdicts = max(state.acknowledgedVerdicts, block.next)
                state.blocks.removeFirst()
            }
        }
    }

    /// Own rows that have not ended.
    var pendingRows: Int { state.withLock { $0.pending.count } }

    /// The next report: everything since the last one.
    func next() -> WorkerReport {
        state.withLock { state in
            state.number += 1
            let low = state.pending.lowWater()
            let lines = state.lines.map { key, spans in
                WorkerReport.Line(
                    partition: key.partition, epoch: key.epoch, target: key.target, reason: key.reason, spans: spans)
            }
            state.lines = [:]
            return WorkerReport(
                ordinal: ordinal, pid: pid, number: state.number, readEpoch: state.readEpoch,
                lowWater: low.facts.offset, lowWaterPayload: low.payload,
                acknowledgedVerdicts: state.acknowledgedVerdicts, lines: lines)
        }
    }
}
