import Linking
import Logging
import Shared
import Synchronization

/// The ledger of a running router: what came in by commits, what left by the workers' reports (invariant 1).
final class SpanAccounts: Sendable {
    private struct State {
        var ledger = Ledger()
        /// Spans of the newest epoch by partition: entered once an epoch, not once a commit.
        var accepted: [UInt64]
        var epoch = Epoch(0)
        /// The newest epoch for which slices were folded.
        var folded: UInt64 = 0
        var positions: LedgerPositions
        /// Whether a commit is entered whose end is not known yet.
        var isCommitting = false

        /// How far a worker is with what its report counts.
        mutating func note(_ report: WorkerReport) {
            let worker = Int(report.ordinal)
            guard positions.acknowledged.indices.contains(worker) else { return }
            positions.acknowledged[worker] = max(positions.acknowledged[worker], report.acknowledgedVerdicts)
            if let epoch = report.readEpoch {
                positions.reportedEpochs[worker] = max(positions.reportedEpochs[worker] ?? 0, epoch)
            }
        }

        mutating func noteSettled(_ epochs: LostEpochs) {
            positions.settled.append(epochs)
            if positions.settled.count > SpanAccounts.settledMax { positions.settled.removeFirst() }
        }

        mutating func enterAccepted() {
            for (partition, count) in accepted.enumerated() where count > 0 {
                ledger.accept(Ledger.Slice(PartitionID(UInt16(partition)), epoch), count)
                accepted[partition] = 0
            }
        }
    }

    /// Most entries of `LedgerPositions.settled`.
    private static let settledMax = 256

    private let state: Mutex<State>
    private let violations: Counter

    /// - Parameters:
    ///   - snapshot: where an earlier run of the router was, or an empty one.
    ///   - targets: labels of all targets; every accepted span is held for each of them.
    init(_ snapshot: LedgerSnapshot, targets: [String], _ metrics: MetricsRegistry) throws(Failure) {
        var state = State(
            ledger: snapshot.ledger, accepted: Array(repeating: 0, count: Int(snapshot.positions.partitions)),
            positions: snapshot.positions)
        try state.ledger.retarget(to: targets, reason: DropReason.beforeTarget)
        self.state = Mutex(state)
        violations = metrics.counter(Metric.invariantViolations, "ledger")
        metrics.onScrape(Metric.spansHeld) { [weak self] emit in emit([], Double(self?.held ?? 0)) }
        metrics.onScrape(Metric.spansDropped) { [weak self] emit in
            var sums: [String: UInt64] = [:]
            for line in self?.lines ?? [] { if let reason = line.reason { sums[reason, default: 0] += line.count } }
            for (reason, count) in sums.sorted(by: { $0.key < $1.key }) {
                emit([DropReason.stage(of: reason), reason], Double(count))
            }
        }
        metrics.onScrape(Metric.spansExported) { [weak self] emit in
            for line in self?.lines ?? [] where line.reason == nil { emit([line.target], Double(line.count)) }
        }
    }

    /// A commit took rows in.
    func accept(_ rows: [FactsRow], epoch: Epoch) {
        state.withLock { state in
            state.isCommitting = true
            if epoch != state.epoch {
                state.enterAccepted()
                state.epoch = epoch
            }
            for row in rows where Int(row.partition.number) < state.accepted.count {
                state.accepted[Int(row.partition.number)] += 1
            }
        }
    }

    /// The facts log ends here: every commit before it was entered.
    func reached(_ end: LogPosition) {
        state.withLock { state in
            state.isCommitting = false
            state.positions.acceptedEnd = max(state.positions.acceptedEnd, end.offset)
        }
    }

    /// The ledger and what it counts; nil while a commit is being entered.
    var snapshot: LedgerSnapshot? {
        state.withLock { state in
            guard !state.isCommitting else { return nil }
            state.enterAccepted()
            return LedgerSnapshot(ledger: state.ledger, positions: state.positions)
        }
    }

    /// Takes a report in and folds what is settled. Returns the epochs in which spans were lost, and how many.
    @discardableResult
    func take(_ report: WorkerReport) -> [(epochs: LostEpochs, spans: UInt64)] {
        var lost: [(epochs: LostEpochs, spans: UInt64)] = []
        let found = state.withLock { state -> Int in
            state.note(report)
            guard !report.lines.isEmpty || !report.settled.isEmpty else { return 0 }
            state.enterAccepted()
            for line in report.lines { Self.enter(line, &state.ledger) }
            for epochs in report.settled {
                let spans = Self.settle(epochs, &state.ledger)
                if spans > 0 {
                    lost.append((epochs, spans))
                    state.noteSettled(epochs)
                }
            }
            // Once an epoch: folding looks at every open slice.
            guard let read = report.readEpoch, read > 2, read > state.folded else { return 0 }
            state.folded = read
            return state.ledger.fold(through: Epoch(read - 2)).count
        }
        violations.add(found)
        return lost
    }

    private static func settle(_ lost: LostEpochs, _ ledger: inout Ledger) -> UInt64 {
        // Too many names: the spans stay "held", which a page shows and an alert finds.
        guard let reason = try? ledger.reason(lost.reason) else { return 0 }
        return ledger.settle(
            where: { lost.contains(epoch: $0.epoch.number, partition: $0.partition.number) }, reason: reason)
    }

    private static func enter(_ line: WorkerReport.Line, _ ledger: inout Ledger) {
        do {
            let target = try line.target.map { try ledger.target($0) } ?? .everyTarget
            let reason = try line.reason.map { try ledger.reason($0) }
            for place in stride(from: 0, to: line.counts.count - 1, by: 2) {
                let slice = Ledger.Slice(
                    PartitionID(UInt16(clamping: line.counts[place])), Epoch(line.epoch))
                let spans = line.counts[place + 1]
                if let reason {
                    ledger.drop(slice, for: target, reason: reason, spans)
                } else if line.target != nil {
                    ledger.export(slice, to: target, spans)
                }
            }
        } catch {
            // Too many names: the spans stay "held", which a page shows and an alert finds.
        }
    }

    private func withLedger<Result: Sendable>(_ body: (inout Ledger) -> Result) -> Result {
        state.withLock { state in
            state.enterAccepted()
            return body(&state.ledger)
        }
    }

    /// Accepted spans that have not ended in every target.
    var held: UInt64 {
        withLedger { ledger in
            let targets = ledger.targets
            return targets.isEmpty ? ledger.held() : targets.map { ledger.held(for: $0) }.max() ?? 0
        }
    }

    var accepted: UInt64 { withLedger { $0.accepted } }

    /// What left, by target and reason.
    var lines: [Ledger.Line] { withLedger { $0.lines } }
}
