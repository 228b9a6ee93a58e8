import Linking
import Logging
import Shared
import Synchronization

/// What the router knows of its logs' ends and of its workers: the state behind the peer listener.
final class PeerBoard: Sendable {
    /// What a worker last told.
    struct Worker: Sendable, Codable {
        var pid: Int32
        var admin: String
        var readEpoch: UInt64?
        var lowWater: UInt64 = 0
        var lowWaterPayload: UInt64 = 0
        var acknowledgedVerdicts: UInt64 = 0
        var lastReport: UInt64 = 0
    }

    private struct State {
        var ends = PeerEnds(facts: 0, verdicts: 0)
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var known: [UInt64: PeerEnds] = [:]
        var nextWaiter: UInt64 = 0
        var isClosed = false
        var workers: [Worker?]
        /// Acknowledged positions from before this run of the router.
        var acknowledged: [UInt64]
        var reportedEpochs: [UInt64?]
    }

    /// Most entries of `PeerEnds.lost`.
    private static let lostMax = 256

    private let state: Mutex<State>

    /// - Parameter positions: how far an earlier run of the router was, for as many workers.
    init(workers: Int, positions: LedgerPositions) {
        state = Mutex(
            State(
                workers: Array(repeating: nil, count: workers),
                acknowledged: positions.acknowledged, reportedEpochs: positions.reportedEpochs))
    }

    // MARK: Ends

    func set(facts: UInt64) { move { $0.facts = max($0.facts, facts) } }

    func set(verdicts: UInt64, watermark: UInt64 = 0) {
        move { ends in
            ends.verdicts = max(ends.verdicts, verdicts)
            ends.watermark = max(ends.watermark, watermark)
        }
    }

    /// Spans that no worker can tell about any more.
    func note(lost: [LostEpochs]) { move { $0.lost += lost } }

    /// The merge refused a graph: its owner is to know that its spans get no verdict.
    func noteRefused(_ header: PartialGraphHeader) {
        let lost = LostEpochs(
            from: header.epoch.number, to: header.epoch.number, firstPartition: header.firstPartition,
            endPartition: header.endPartition, reason: DropReason.refusedGraph)
        // Beyond the bound spans are dropped all the same, as `no_verdict`.
        move { if $0.lost.count < Self.lostMax, !$0.lost.contains(lost) { $0.lost.append(lost) } }
    }

    /// No facts follow any more: the end of a replay's input.
    func setFactsFinal() { move { $0.factsAreFinal = true } }

    /// Nothing follows any more: the end of a replay.
    func setFinal() { move { $0.areFinal = true } }

    /// Ends all waiting.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The ends once one of them is beyond `known`, or after the time.
    func ends(beyond known: PeerEnds, atMost time: Duration) async -> PeerEnds {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = Task {
            try? await Task.sleep(for: time)
            self.wake(number)
        }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isReady = state.withLock { state in
                if state.isClosed || Self.isBeyond(state.ends, known) { return true }
                state.waiters[number] = continuation
                state.known[number] = known
                return false
            }
            if isReady { continuation.resume() }
        }
        timer.cancel()
        return state.withLock { $0.ends }
    }

    private static func isBeyond(_ ends: PeerEnds, _ known: PeerEnds) -> Bool {
        ends.facts > known.facts || ends.verdicts > known.verdicts || ends.areFinal != known.areFinal
            || ends.factsAreFinal != known.factsAreFinal
    }

    private func wake(_ number: UInt64) {
        let waiter = state.withLock { state in
            state.known[number] = nil
            return state.waiters.removeValue(forKey: number)
        }
        waiter?.resume()
    }

    private func move(_ change: (inout PeerEnds) -> Void) {
        let ready = state.withLock { state in
            change(&state.ends)
            let ends = state.ends
            var ready: [CheckedContinuation<Void, Never>] = []
            for (number, known) in state.known where Self.isBeyond(ends, known) {
                state.known[number] = nil
                if let waiter = state.waiters.removeValue(forKey: number) { ready.append(waiter) }
            }
            return ready
        }
        for waiter in ready { waiter.resume() }
    }

    // MARK: Workers

    /// A worker presents itself; returns what it had told before.
    func greeted(_ hello: WorkerHello) -> (acknowledged: UInt64, reportedEpoch: UInt64?) {
        state.withLock { state in
            let index = Int(hello.ordinal)
            state.workers[index] = Worker(
                pid: hello.pid, admin: hello.admin, acknowledgedVerdicts: state.acknowledged[index])
            return (state.acknowledged[index], state.reportedEpochs[index])
        }
    }

    /// Notes a report. False for one that was here before, or that comes from a process that was replaced.
    func note(_ report: WorkerReport) -> Bool {
        state.withLock { state in
            let index = Int(report.ordinal)
            guard state.workers.indices.contains(index), var worker = state.workers[index], worker.pid == report.pid,
                report.number > worker.lastReport
            else { return false }
            worker.lastReport = report.number
            worker.readEpoch = report.readEpoch
            worker.lowWater = report.lowWater
            worker.lowWaterPayload = report.lowWaterPayload
            worker.acknowledgedVerdicts = max(worker.acknowledgedVerdicts, report.acknowledgedVerdicts)
            state.workers[index] = worker
            state.acknowledged[index] = worker.acknowledgedVerdicts
            if let epoch = report.readEpoch {
                state.reportedEpochs[index] = max(state.reportedEpochs[index] ?? 0, epoch)
            }
            return true
        }
    }

    var workers: [Worker?] { state.withLock { $0.workers } }

    /// Per worker the end of what every target has taken of the verdict log.
    var acknowledged: [UInt64] { state.withLock { $0.acknowledged } }
}
