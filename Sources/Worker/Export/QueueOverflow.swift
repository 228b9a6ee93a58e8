import Synchronization

/// For a target that must never hold up the pipeline: what finds no room in its queue waits a little, then is dropped.
///
/// All waiting together takes at most a tenth of the time, and two seconds at once: so a burst is taken whole, and a
/// receiver that is too slow slows nothing else by more than that.
final class QueueOverflow: Sendable {
    /// Longest waiting at once.
    static let creditMax = Duration.seconds(2)
    private static let step = Duration.milliseconds(10)

    /// Why chunks are dropped.
    let reason: ExportDropReason
    private let waiting: ExportWaiting
    private let state: Mutex<(credit: Duration, last: ContinuousClock.Instant)>

    init(reason: ExportDropReason, waiting: ExportWaiting) {
        self.reason = reason
        self.waiting = waiting
        state = Mutex((Self.creditMax, waiting.now()))
    }

    /// Suspends for a moment; false when there was enough waiting.
    func waitsABit() async -> Bool {
        let now = waiting.now()
        let mayWait = state.withLock { state in
            state.credit = min(Self.creditMax, state.credit + (now - state.last) / 10)
            state.last = now
            guard state.credit >= Self.step else { return false }
            state.credit -= Self.step
            return true
        }
        if mayWait { try? await waiting.sleep(Self.step) }
        return mayWait
    }
}
