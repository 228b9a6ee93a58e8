#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// CPU time of the calling thread, for the accounting of stages (`stage_cpu_seconds_total`).
public enum ThreadCPU {
    /// Nanoseconds of CPU this thread has used, user and system. About 0.2 µs a call: ask per body, not per span.
    public static func nanoseconds() -> Int { SystemClocks.read(CLOCK_THREAD_CPUTIME_ID) }

    /// Seconds of CPU this thread has used.
    public static func seconds() -> Double { Double(nanoseconds()) / 1e9 }
}

/// The clocks of the machine, for the outermost layer only: cores get their time injected.
public enum SystemClocks {
    /// Nanoseconds on a clock that never goes back; its zero means nothing.
    public static func monotonicNanoseconds() -> Int { read(CLOCK_MONOTONIC) }

    /// Nanoseconds since 1970.
    public static func wallNanoseconds() -> Int { read(CLOCK_REALTIME) }

    static func read(_ clock: clockid_t) -> Int {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "the clock \(clock) does not exist on this system")
        return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }
}

/// The CPU clock of one thread, readable from any other: takes no time on the thread it measures.
public struct ThreadCPUClock: Sendable {
    private let clock: clockid_t

    /// The clock of the calling thread; nil where the system has none.
    public static func ofThisThread() -> ThreadCPUClock? {
        var clock = clockid_t()
        guard pthread_getcpuclockid(pthread_self(), &clock) == 0 else { return nil }
        return ThreadCPUClock(clock: clock)
    }

    /// Nanoseconds of CPU the thread has used, user and system; nil when it has ended.
    public func nanoseconds() -> Int? {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }
}
