import Shared
import Synchronization

/// The handles of the log writer's metrics, fetched once.
struct LogWriterCounters: Sendable {
    let accepted: Counter
    let commits: Counter
    let commitSpans: Histogram
    let syncSeconds: Histogram
    let logBytes: Gauge
    let wait: Histogram
    let queueFull: Counter
    let timedOut: Counter
    private let registry: MetricsRegistry

    init(_ metrics: MetricsRegistry) {
        registry = metrics
        accepted = metrics.counter(Metric.spansAccepted)
        commits = metrics.counter(Metric.commits)
        commitSpans = metrics.histogram(Metric.commitSpans)
        syncSeconds = metrics.histogram(Metric.logSync)
        logBytes = metrics.gauge(Metric.logBytes)
        wait = metrics.histogram(Metric.ingestWait)
        queueFull = metrics.counter(Metric.commitFailures, "queue_full")
        timedOut = metrics.counter(Metric.commitFailures, "timed_out")
    }

    /// Counts a refusal of the log. Failures are rare: looking the handle up is fine.
    func failed(_ failure: Failure) { registry.counter(Metric.commitFailures, failure.code.name).add() }

    /// Has the CPU time of the calling thread shown as a stage.
    func accountThisThread(stage: String) {
        guard let clock = ThreadCPUClock.ofThisThread() else { return }
        StageCPU.add(stage, clock, to: registry)
    }
}

/// Shows the CPU time of whole threads as stages: read at scrape time, nothing to pay on the thread itself.
enum StageCPU {
    /// The last value is kept: the clock of a thread that ended cannot be read, and a counter never falls.
    static func add(_ stage: String, _ clock: ThreadCPUClock, to metrics: MetricsRegistry) {
        let last = LastValue()
        metrics.onScrape(Metric.stageCPU) { emit in
            if let nanoseconds = clock.nanoseconds() { last.value.store(nanoseconds, ordering: .relaxed) }
            emit([stage], Double(last.value.load(ordering: .relaxed)) / 1e9)
        }
    }

    private final class LastValue: Sendable {
        let value = Atomic(0)
    }
}
