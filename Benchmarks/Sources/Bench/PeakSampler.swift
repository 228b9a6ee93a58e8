import Glibc
import LoadNet

/// Asks for a figure again and again on a thread of its own, and keeps the largest.
final class PeakSampler: @unchecked Sendable {
    private let probe: @Sendable () -> Double
    private let interval: Int64
    private var peak = 0.0
    private var isStopped = false
    private var thread = pthread_t()
    private var lock = pthread_mutex_t()

    /// - Parameter interval: nanoseconds between two questions; the first comes at once.
    init(every interval: Int64, _ probe: @escaping @Sendable () -> Double) {
        self.probe = probe
        self.interval = interval
        pthread_mutex_init(&lock, nil)
        let this = Unmanaged.passUnretained(self).toOpaque()
        let result = pthread_create(&thread, nil, { argument in
            guard let argument else { return nil }
            Unmanaged<PeakSampler>.fromOpaque(argument).takeUnretainedValue().run()
            return nil
        }, this)
        precondition(result == 0, "no thread can be started")
    }

    /// The memory of a process and its children, bytes, twice a second.
    static func memory(of root: pid_t) -> PeakSampler {
        PeakSampler(every: 500_000_000) {
            ProcessUsage.family(of: root).reduce(0) { $0 + Double(ProcessUsage.proportionalSetSize($1.processID)) }
        }
    }

    /// How far the workers' reading is behind the log, seconds, every 5 s: a page of metrics costs the product 6 ms.
    static func lag(of router: RouterProcess) -> PeakSampler {
        PeakSampler(every: 5_000_000_000) { router.metrics()?.largest("ebpftrace_log_lag_seconds") ?? 0 }
    }

    /// Ends the sampling; the peak. Call once, before the sampler is let go.
    func stop() -> Double {
        pthread_mutex_lock(&lock)
        isStopped = true
        pthread_mutex_unlock(&lock)
        pthread_join(thread, nil)
        return peak
    }

    private func run() {
        var next = monotonicNanoseconds()
        while true {
            pthread_mutex_lock(&lock)
            let ends = isStopped
            pthread_mutex_unlock(&lock)
            if ends { return }
            if monotonicNanoseconds() >= next {
                next += interval
                peak = max(peak, probe())
            }
            sleepNanoseconds(100_000_000)
        }
    }
}
