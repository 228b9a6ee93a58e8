#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// State shared by threads of which one sleeps until there is something for it: a mutex and a condition.
///
/// The timed wait goes by the monotonic clock, so a step of the wall clock delays no mark. Only the body of `withLock`
/// touches the state, which makes it safe to share.
final class ThreadGate<State>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    init(_ state: sending State) {
        self.state = state
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        let made = pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(condition, &attributes) == 0
        precondition(made, "a mutex and a condition can always be made")
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Gives the state to `body` while no other thread has it.
    func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// As `withLock`, and wakes the sleeper.
    func withLockWaking<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        // Woken while the mutex is held, the sleeper would only wait for that.
        defer {
            pthread_mutex_unlock(mutex)
            pthread_cond_signal(condition)
        }
        return body(&state)
    }

    /// Sleeps until `ready` holds, somebody wakes it, or the time is over. Nil: no bound.
    func wait(nanoseconds: Int?, until ready: (State) -> Bool) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !ready(state) else { return }
        guard let nanoseconds else {
            pthread_cond_wait(condition, mutex)
            return
        }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let sum = time.tv_nsec + max(0, min(nanoseconds, 3_600_000_000_000))
        time.tv_sec += sum / 1_000_000_000
        time.tv_nsec = sum % 1_000_000_000
        pthread_cond_timedwait(condition, mutex, &time)
    }
}
