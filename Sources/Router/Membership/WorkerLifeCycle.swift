/// How long a worker that ended has to wait before it is started again.
///
/// | ends in a row, each within `steadyAfter` | 1 | 2 | 3 | 4 | 5 | 6 | 7 … |
/// |---|---|---|---|---|---|---|---|
/// | wait, seconds (defaults) | 0.2 | 0.4 | 0.8 | 1.6 | 3.2 | 6.4 | 10 |
struct RestartPolicy: Sendable, Equatable {
    /// First wait.
    var initialDelay: Duration = .milliseconds(200)
    /// Longest wait.
    var maximumDelay: Duration = .seconds(10)
    /// A worker that lived this long starts again with the first wait.
    var steadyAfter: Duration = .seconds(30)

    /// The wait after `ends` short lives in a row (at least 1). Never overflows: doubling stops at the maximum.
    func delay(afterShortLives ends: Int) -> Duration {
        var delay = initialDelay
        for _ in 1..<max(2, ends) where ends > 1 && delay < maximumDelay { delay = delay * 2 }
        return min(delay, maximumDelay)
    }
}

/// What a worker's process does at this moment and what is to be done about it: a pure state machine.
///
/// ```
///          begin               started                 ended
///  idle ──────────▶ starting ──────────▶ running ──────────────▶ waiting ──┐
///                      ▲  └──── ended (could not start) ───────────▲       │ waited
///                      └───────────────────────────────────────────────────┘
///  stop: idle, waiting ──▶ stopped;  starting, running ──▶ stopping ── ended ──▶ stopped
/// ```
/// A harmless race (an event that comes after `stop`) is ignored; (state, event) pairs that only a bug of ours can
/// produce are preconditions.
struct WorkerLifeCycle: Sendable {
    enum State: Equatable, Sendable {
        case idle
        case starting
        /// `since`: nanoseconds on the monotonic clock.
        case running(pid: Int32, since: Int)
        case waiting
        case stopping(pid: Int32?)
        case stopped
    }

    enum Action: Equatable, Sendable {
        case none
        case launch
        case wait(Duration)
        /// Ask the process to end (SIGTERM).
        case terminate
        /// Do not wait any longer.
        case wake
    }

    private(set) var state = State.idle
    /// Times it was started again.
    private(set) var restarts = 0
    /// Why the last process ended.
    private(set) var lastExit: String?
    private var shortLives = 0
    let policy: RestartPolicy

    init(policy: RestartPolicy) { self.policy = policy }

    mutating func begin() -> Action {
        if state == .stopped { return .none }
        precondition(state == .idle, "a worker begins once")
        state = .starting
        return .launch
    }

    mutating func started(pid: Int32, at now: Int) -> Action {
        switch state {
        case .starting:
            state = .running(pid: pid, since: now)
            return .none
        case .stopping:
            state = .stopping(pid: pid)
            return .terminate
        case .idle, .running, .waiting, .stopped:
            preconditionFailure("a process started in state \(state)")
        }
    }

    /// The process ended, or could not be started.
    mutating func ended(_ reason: String, at now: Int) -> Action {
        lastExit = reason
        switch state {
        case .running(_, let since):
            let lived = Duration.nanoseconds(now - since)
            shortLives = lived >= policy.steadyAfter ? 1 : shortLives + 1
        case .starting:
            shortLives += 1
        case .stopping:
            state = .stopped
            return .none
        case .idle, .waiting, .stopped:
            preconditionFailure("a process ended in state \(state)")
        }
        state = .waiting
        return .wait(policy.delay(afterShortLives: shortLives))
    }

    mutating func waited() -> Action {
        guard state == .waiting else { return .none }
        state = .starting
        restarts += 1
        return .launch
    }

    mutating func stop() -> Action {
        switch state {
        case .idle, .stopped:
            state = .stopped
            return .none
        case .waiting:
            state = .stopped
            return .wake
        case .starting:
            state = .stopping(pid: nil)
            return .none
        case .running(let pid, _):
            state = .stopping(pid: pid)
            return .terminate
        case .stopping:
            return .none
        }
    }
}
