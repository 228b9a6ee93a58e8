import Shared
import Synchronization

/// The newest ends of the logs, for those who wait for them to move.
final class EndsWatch: Sendable {
    private struct State {
        var ends = PeerEnds(facts: 0, verdicts: 0)
        var isClosed = false
        var waiters: [(isMet: @Sendable (PeerEnds) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// The ends told last.
    var current: PeerEnds { state.withLock { $0.ends } }

    func set(_ ends: PeerEnds) { change { $0.ends = ends } }

    /// Ends all waiting, for good.
    func close() { change { $0.isClosed = true } }

    /// Waits until the ends fulfil a condition; `nil` when the watch was closed.
    func wait(until isMet: @escaping @Sendable (PeerEnds) -> Bool) async -> PeerEnds? {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isReady = state.withLock { state in
                if state.isClosed || isMet(state.ends) { return true }
                state.waiters.append((isMet, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return state.withLock { $0.isClosed ? nil : $0.ends }
    }

    private func change(_ body: (inout State) -> Void) {
        let ready = state.withLock { state in
            body(&state)
            var ready: [CheckedContinuation<Void, Never>] = []
            state.waiters.removeAll { waiter in
                guard state.isClosed || waiter.isMet(state.ends) else { return false }
                ready.append(waiter.continuation)
                return true
            }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }
}
