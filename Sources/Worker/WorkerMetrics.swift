import Linking
import Shared

/// What a worker measures, by handles fetched once.
final class WorkerMetrics: Sendable {
    /// Parts of the worker's work whose CPU time is told apart (`stage_cpu_seconds_total`).
    enum Stage: String, CaseIterable {
        /// Reading facts and writing partial graphs.
        case pair
        /// Compressing partial graphs.
        case publish
        /// Reading the payload of kept spans.
        case apply
        /// Splicing ids into points.
        case encode
    }

    let registry: MetricsRegistry
    private let graphBytes: Counter
    private let duplicates: Counter
    private let verdictLatency: Histogram
    private let pair: Counter
    private let publish: Counter
    private let apply: Counter
    private let encode: Counter

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        graphBytes = registry.counter(Metric.partialGraphBytes)
        duplicates = registry.counter(Metric.duplicateSpans)
        verdictLatency = registry.histogram(Metric.verdictLatency)
        pair = registry.counter(Metric.stageCPU, Stage.pair.rawValue)
        publish = registry.counter(Metric.stageCPU, Stage.publish.rawValue)
        apply = registry.counter(Metric.stageCPU, Stage.apply.rawValue)
        encode = registry.counter(Metric.stageCPU, Stage.encode.rawValue)
    }

    /// Shows which partitions the worker owns.
    func owns(_ partitions: Range<UInt16>) {
        for partition in partitions { registry.gauge(Metric.partitionOwner, String(partition)).set(1) }
    }

    /// Shows how far the reading of facts is behind, in nanoseconds; one reader reads all partitions of the worker.
    func showLag(of partitions: Range<UInt16>, _ lag: @escaping @Sendable () -> Int) {
        registry.onScrape(Metric.logLag) { emit in
            let seconds = Double(lag()) / 1e9
            for partition in partitions { emit([String(partition)], seconds) }
        }
    }

    /// Spans had their verdict so long after they were appended.
    func decided(afterNanoseconds latency: Int, spans: Int) { verdictLatency.record(latency, times: spans) }

    func published(bytes: Int) { graphBytes.add(bytes) }

    func found(duplicates count: Int) { duplicates.add(count) }

    /// Does something and adds the thread's CPU time to a stage. The closure does not suspend.
    func timed<Result, Problem: Error>(_ stage: Stage, _ body: () throws(Problem) -> Result) throws(Problem) -> Result {
        let start = ThreadCPU.nanoseconds()
        defer { counter(stage).add(ThreadCPU.nanoseconds() - start) }
        return try body()
    }

    private func counter(_ stage: Stage) -> Counter {
        switch stage {
        case .pair: pair
        case .publish: publish
        case .apply: apply
        case .encode: encode
        }
    }
}

/// Feeds what the targets measure into the registry. Few calls a second: handles are looked up each time.
struct RegistryExportObserver: ExportObserver {
    let registry: MetricsRegistry

    func ended(target: String, spans: Int, outcome: ExportOutcome) {
        switch outcome {
        case .exported: registry.counter(Metric.exportSpans, target, "exported").add(spans)
        case .dropped(let reason): registry.counter(Metric.exportSpans, target, reason.name).add(spans)
        }
    }

    func queue(target: String, bytes: Int) { registry.gauge(Metric.exportQueueBytes, target).set(bytes) }

    func retried(target: String, reason: String) {
        registry.counter(Metric.exportRetries, target, reason).add()
    }

    func request(target: String, status: Int, duration: Duration) {
        registry.counter(Metric.exportRequests, target, String(status)).add()
    }

    func beyondDataUsage(target: String, _ isBeyond: Bool) {
        registry.gauge(Metric.beyondDataUsage, target).set(isBeyond ? 1 : 0)
    }
}
