import Glibc

/// A mutex with a condition: all the waiting this package does. Holders do nothing slow inside.
final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Waits inside `locked` until another thread calls `wakeAll`.
    func wait() { pthread_cond_wait(condition, mutex) }

    func wakeAll() { pthread_cond_broadcast(condition) }
}

/// A thread of its own that runs `body` once.
final class BackgroundThread: @unchecked Sendable {
    private final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private var handle = pthread_t()

    /// Starts the thread; traps when the system has none left, which ends the measurement anyway.
    init(_ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(body)).toOpaque()
        let result = pthread_create(&handle, nil, { argument in
            guard let argument else { return nil }
            Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, start)
        precondition(result == 0, "no thread can be started")
    }

    /// Waits for its end. Call once.
    func join() { pthread_join(handle, nil) }

    /// Lets it end on its own.
    func detach() { pthread_detach(handle) }
}

/// The monotonic clock, nanoseconds.
public func monotonicNanoseconds() -> Int64 { nanoseconds(CLOCK_MONOTONIC) }

/// The wall clock, nanoseconds since 1970.
public func wallNanoseconds() -> Int64 { nanoseconds(CLOCK_REALTIME) }

private func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// Sleeps; nothing for a count that is not positive.
public func sleepNanoseconds(_ count: Int64) {
    guard count > 0 else { return }
    var time = timespec(tv_sec: Int(count / 1_000_000_000), tv_nsec: Int(count % 1_000_000_000))
    nanosleep(&time, nil)
}
