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
            for line in self?.lines ?? [] where line.target.isEmpty {
                if let reason = line.reason { emit([Self.stage(of: reason), reason], Double(line.count)) }
            }
        }
    }

    private static func stage(of reason: String) -> String {
        switch reason {
        case DropReason.sampled: "merge"
        case DropReason.duplicate: "pair"
        default: "export"
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

    /// Takes a report in and folds what is settled.
    func take(_ report: WorkerReport) {
        guard !report.lines.isEmpty else { return }
        let found = state.withLock { state -> Int in
            state.enterAccepted()
            for line in report.lines { Self.enter(line, &state.ledger) }
            guard let read = report.readEpoch, read > 2 else { return 0 }
            return state.ledger.fold(through: Epoch(read - 2)).count
        }
        violations.add(found)
    }

    private static func enter(_ line: WorkerReport.Line, _ ledger: inout Ledger) {
        let slice = Ledger.Slice(PartitionID(line.partition), Epoch(line.epoch))
        do {
            let target = try line.target.map { try ledger.target($0) } ?? .everyTarget
            guard let reason = line.reason else {
                if line.target == nil {
                    ledger.accept(slice, line.spans)
                } else {
                    ledger.export(slice, to: target, line.spans)
                }
                return
            }
            ledger.drop(slice, for: target, reason: try ledger.reason(reason), line.spans)
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
