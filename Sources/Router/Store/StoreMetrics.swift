import Shared

/// The store's series on `/metrics`.
struct StoreMetrics: Sendable {
    let spans: Counter
    let segments: Gauge
    let bytes: Gauge
    let writeSeconds: Histogram
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        spans = registry.counter(Metric.storeSpans)
        segments = registry.gauge(Metric.storeSegments)
        bytes = registry.gauge(Metric.storeBytes)
        writeSeconds = registry.histogram(Metric.storeWriteSeconds)
    }

    /// Spans that came and are not stored, by reason.
    var refused: [String: UInt64] { values(Metric.storeRefused, ["unreadable", "behind", "failed"]) }

    /// Spans removed again, by reason.
    var expired: [String: UInt64] { values(Metric.storeExpired, ["age", "bytes"]) }

    private func values(_ metric: MetricDefinition, _ reasons: [String]) -> [String: UInt64] {
        Dictionary(uniqueKeysWithValues: reasons.map { ($0, registry.counter(metric, $0).value) })
            .filter { $0.value > 0 }
    }

    /// Spans that came and are not stored.
    func refused(_ spans: Int, _ reason: String) {
        if spans > 0 { registry.counter(Metric.storeRefused, reason).add(spans) }
    }

    /// Spans removed again by size or age.
    func expired(_ spans: Int, _ reason: String) {
        if spans > 0 { registry.counter(Metric.storeExpired, reason).add(spans) }
    }

    /// Has the CPU time of the calling thread shown as stage `store`.
    func accountThisThread() {
        if let clock = ThreadCPUClock.ofThisThread() { StageCPU.add("store", clock, to: registry) }
    }
}
