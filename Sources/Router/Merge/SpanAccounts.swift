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

        mutating func enterAccepted() {
            for (partition, count) in accepted.enumerated() where count > 0 {
                ledger.accept(Ledger.Slice(PartitionID(UInt16(partition)), epoch), count)
                accepted[partition] = 0
            }
        }
    }

    private let state: Mutex<State>
    private let violations: Counter

    /// - Parameter targets: labels of all targets; every accepted span is held for each of them.
    init(partitions: UInt16, targets: [String], _ metrics: MetricsRegistry) throws(Failure) {
        var state = State(accepted: Array(repeating: 0, count: Int(partitions)))
        for target in targets { _ = try state.ledger.target(target) }
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
            if epoch != state.epoch {
                state.enterAccepted()
                state.epoch = epoch
            }
            for row in rows where Int(row.partition.number) < state.accepted.count {
                state.accepted[Int(row.partition.number)] += 1
            }
        }
    }

    /// Takes a report in and folds what is settled. Returns the epochs in which spans were lost, and how many.
    @discardableResult
    func take(_ report: WorkerReport) -> [(epochs: LostEpochs, spans: UInt64)] {
        guard !report.lines.isEmpty || !report.settled.isEmpty else { return [] }
        var lost: [(epochs: LostEpochs, spans: UInt64)] = []
        let found = state.withLock { state -> Int in
            state.enterAccepted()
            for line in report.lines { Self.enter(line, &state.ledger) }
            for epochs in report.settled {
                let spans = Self.settle(epochs, &state.ledger)
                if spans > 0 { lost.append((epochs, spans)) }
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
                } else if line.target == nil {
                    ledger.accept(slice, spans)
                } else {
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
