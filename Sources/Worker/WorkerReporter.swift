import Linking
import Shared
import Synchronization

/// Collects what ended in this worker and tells the router, again until it is answered.
///
/// The spans of a verdict block are told together with its acknowledgement, never before: a worker that is killed in
/// between hands the block to its targets again, and counts it then.
final class WorkerReporter: Sendable {
    fileprivate struct Slice: Hashable {
        var partition: UInt16
        var epoch: UInt64
    }

    fileprivate struct Key: Hashable {
        var slice: Slice
        var target: String?
        var reason: String?
    }

    /// A block that was submitted and is not acknowledged.
    fileprivate struct Block {
        var id: VerdictBlockID
        var next: UInt64
        var ended: [VerdictApplier.Ended]
        var dropped: [Key: UInt64]
        var kept: [Slice: UInt64]
    }

    fileprivate struct State {
        var lines: [Key: UInt64] = [:]
        var pending = PendingRows()
        var blocks: [Block] = []
        /// What targets told of spans whose block is not acknowledged: by target, slice and reason ("": exported).
        var told: [String: [Slice: [String: UInt64]]] = [:]
        var acknowledgedVerdicts: UInt64 = 0
        var readEpoch: UInt64?
        var number: UInt64 = 0
        var last: WorkerReport?
        var isNews = true
        var newestEnds = PeerEnds(facts: 0, verdicts: 0)
        /// Ends that are waited for: once all verdicts below are acknowledged, their watermark is settled.
        var awaitedEnds: PeerEnds?
        var losses = EpochLosses()
    }

    private let state = Mutex(State())
    private let ordinal: UInt16
    private let pid: Int32
    private let welcome: WorkerWelcome

    init(ordinal: UInt16, pid: Int32, welcome: WorkerWelcome) {
        self.ordinal = ordinal
        self.pid = pid
        self.welcome = welcome
        state.withLock { $0.acknowledgedVerdicts = welcome.acknowledgedVerdicts }
    }

    // MARK: Reading

    /// A commit was read: so many own rows wait for their end.
    func read(_ header: FactsBlock.Header, rows: Int) {
        state.withLock { $0.pending.add(header, rows: rows) }
    }

    /// Everything of this epoch and before was read; these were its duplicates.
    func finished(epoch: Epoch, duplicates: [PartitionState.Count: UInt64]) {
        state.withLock { state in
            state.readEpoch = max(state.readEpoch ?? 0, epoch.number)
            for (count, spans) in duplicates {
                let slice = Slice(partition: count.partition.number, epoch: count.epoch.number)
                state.lines[Key(slice: slice, target: nil, reason: DropReason.duplicate), default: 0] += spans
            }
        }
    }

    /// Rows of a block that every target had finished before this process started, and that are counted.
    func skipped(_ outcome: borrowing VerdictApplier.Outcome, next: UInt64) {
        let ended = outcome.ended
        state.withLock { state in
            for rows in ended { state.pending.finish(rows.position, rows: rows.rows) }
            state.acknowledgedVerdicts = max(state.acknowledgedVerdicts, next)
        }
    }

    // MARK: Ending

    /// A block is about to be submitted.
    func applied(_ id: VerdictBlockID, next: UInt64, outcome: borrowing VerdictApplier.Outcome) {
        let block = Self.block(id, next: next, outcome)
        state.withLock { $0.blocks.append(block) }
    }

    private static func block(
        _ id: VerdictBlockID, next: UInt64, _ outcome: borrowing VerdictApplier.Outcome
    ) -> Block {
        var block = Block(id: id, next: next, ended: outcome.ended, dropped: [:], kept: [:])
        for (what, spans) in outcome.dropped {
            let slice = Slice(partition: what.partition.number, epoch: what.epoch.number)
            block.dropped[Key(slice: slice, target: nil, reason: what.reason), default: 0] += spans
        }
        for batch in outcome.batches {
            for run in batch.partitions {
                let slice = Slice(partition: run.partition.number, epoch: batch.epoch.number)
                block.kept[slice, default: 0] += UInt64(run.spans)
            }
        }
        return block
    }

    /// Spans ended in a target.
    func ended(_ report: ExportReport) {
        var reason = ""
        if case .dropped(let why) = report.outcome { reason = why.name }
        state.withLock { state in
            for run in report.partitions {
                let slice = Slice(partition: run.partition.number, epoch: report.epoch.number)
                state.told[report.target, default: [:]][slice, default: [:]][reason, default: 0] += UInt64(run.spans)
            }
        }
    }

    /// Every target has finished all blocks up to this one.
    func acknowledged(through id: VerdictBlockID) {
        state.withLock { state in
            var done = 0
            for block in state.blocks {
                guard block.id <= id else { break }
                state.release(block)
                done += 1
            }
            state.blocks.removeFirst(done)
        }
    }

    // MARK: Losses

    /// Own rows of these epochs may never get an end of their own; they are settled when all verdicts are there.
    func lose(_ epochs: ClosedRange<UInt64>, _ reason: String) {
        state.withLock { $0.losses.add(epochs, reason) }
    }

    /// Own rows of a commit cannot be told any more; changes nothing when all have ended.
    func loseRows(of commit: LogPosition, _ reason: String) {
        state.withLock { state in
            if let epoch = state.pending.epoch(of: commit) { state.losses.add(epoch.number...epoch.number, reason) }
        }
    }

    /// The router told how far the logs are, and what the merge left out.
    func reached(_ ends: PeerEnds) {
        state.withLock { state in
            for lost in ends.lost.dropFirst(state.newestEnds.lost.count)
            where lost.firstPartition == welcome.firstPartition && lost.from <= lost.to {
                state.losses.add(lost.from...lost.to, lost.reason)
            }
            state.newestEnds = ends
        }
    }

    /// No position of the verdict log below this one holds a block any more.
    func passed(verdictsBelow next: UInt64) {
        state.withLock { $0.acknowledgedVerdicts = max($0.acknowledgedVerdicts, next) }
    }

    /// Own rows that have not ended.
    var pendingRows: Int { state.withLock { $0.pending.count } }

    /// The next report: everything since the last one.
    func next() -> WorkerReport {
        state.withLock { state in
            state.number += 1
            let settled = state.settle(welcome)
            let low = state.pending.lowWater()
            let lines = Self.grouped(state.lines)
            state.lines.removeAll(keepingCapacity: true)
            let report = WorkerReport(
                ordinal: ordinal, pid: pid, number: state.number, readEpoch: state.readEpoch,
                lowWater: low.facts.offset, lowWaterPayload: low.payload,
                acknowledgedVerdicts: state.acknowledgedVerdicts, lines: lines, settled: settled)
            state.isNews = state.last.map { !report.saysTheSame(as: $0) } ?? true
            state.last = report
            return report
        }
    }

    /// One line for each epoch, target and reason: a report has thousands of counts, but few of these.
    private static func grouped(_ lines: [Key: UInt64]) -> [WorkerReport.Line] {
        struct Head: Hashable {
            var epoch: UInt64
            var target: String?
            var reason: String?
        }
        var groups: [Head: WorkerReport.Line] = [:]
        for (key, spans) in lines {
            let head = Head(epoch: key.slice.epoch, target: key.target, reason: key.reason)
            groups[head, default: .init(epoch: head.epoch, target: head.target, reason: head.reason)]
                .counts += [UInt64(key.slice.partition), spans]
        }
        return Array(groups.values)
    }

    /// Whether the newest report says anything that the one before did not.
    var isNews: Bool { state.withLock { $0.isNews } }
}

extension WorkerReport {
    /// Whether a report brings no lines and no other positions than an earlier one.
    fileprivate func saysTheSame(as other: WorkerReport) -> Bool {
        lines.isEmpty && settled.isEmpty && readEpoch == other.readEpoch
            && lowWater == other.lowWater && acknowledgedVerdicts == other.acknowledgedVerdicts
    }
}

extension WorkerReporter.State {
    /// The epochs that end here, whatever is missing: every verdict about them has been given, and has ended.
    fileprivate mutating func settle(_ welcome: WorkerWelcome) -> [LostEpochs] {
        let ends = newestEnds.areFinal ? newestEnds : awaitedEnds ?? newestEnds
        awaitedEnds = ends
        guard acknowledgedVerdicts >= ends.verdicts, let readEpoch else { return [] }
        awaitedEnds = nil
        let horizon: UInt64
        if ends.areFinal {
            horizon = readEpoch
        } else {
            guard let wait = welcome.verdictEpochs, ends.watermark > wait else { return [] }
            horizon = min(readEpoch, ends.watermark - wait)
        }
        for epoch in pending.giveUp(through: Epoch(horizon)) { losses.addUnknown(epoch.number) }
        return losses.take(through: horizon).map { epochs, reason in
            LostEpochs(
                from: epochs.lowerBound, to: epochs.upperBound, firstPartition: welcome.firstPartition,
                endPartition: welcome.endPartition, reason: reason)
        }
    }

    /// Tells what became of the spans of a block: of each slice as many as it kept, in every target.
    fileprivate mutating func release(_ block: WorkerReporter.Block) {
        for rows in block.ended { pending.finish(rows.position, rows: rows.rows) }
        for (key, spans) in block.dropped { lines[key, default: 0] += spans }
        for target in told.keys {
            for (slice, spans) in block.kept { release(spans, of: slice, in: target) }
        }
        acknowledgedVerdicts = max(acknowledgedVerdicts, block.next)
    }

    private mutating func release(_ spans: UInt64, of slice: WorkerReporter.Slice, in target: String) {
        guard var reasons = told[target]?[slice] else { return }
        var left = spans
        // Drops first: which of a slice's spans they were cannot be told, and their sum is right either way.
        for reason in reasons.keys.sorted(by: >) where left > 0 {
            let count = min(left, reasons[reason] ?? 0)
            guard count > 0 else { continue }
            let key = WorkerReporter.Key(slice: slice, target: target, reason: reason.isEmpty ? nil : reason)
            lines[key, default: 0] += count
            reasons[reason] = (reasons[reason] ?? 0) - count
            left -= count
        }
        reasons = reasons.filter { $0.value > 0 }
        told[target]?[slice] = reasons.isEmpty ? nil : reasons
    }
}
