import LoadNet

/// What one sink got in a run, and how it compares with the truth.
struct SinkFigures {
    var form: SinkForm
    var received = SinkCounts()
    var truth = TruthReport()
}

/// The figures of one run.
struct RunFigures {
    var samplingRate: Double
    var sent = SendCounts()
    /// One for each target of the bench; empty with the target `none`.
    var sinks: [SinkFigures] = []
    /// CPU seconds by process, in the order of their process ids: the router first.
    var processes: [(name: String, seconds: Double)] = []
    /// CPU seconds by kind of thread, of all processes.
    var threads: [String: Double] = [:]
    /// CPU seconds by stage, as the product itself counts them.
    var stages: [String: Double] = [:]
    var dropped: [String: Double] = [:]
    /// Spans that left the product by its own metrics, by target.
    var exported: [String: Double] = [:]
    /// Spans accepted that are neither exported, dropped nor held, by the product's own metrics; should be 0.
    var unaccounted = 0.0
    var sendSeconds = 0.0
    var drainSeconds = 0.0
    var peakBytes = 0
    /// Largest age of facts that a worker had not read yet, of the moments that were looked at; only with `watchesLag`.
    var lagSeconds = 0.0
    /// Mean time from a span's commit to its verdict.
    var verdictSeconds = 0.0
    var store = StoreFigures()
    /// False when spans were still held at the end of the waiting time.
    var isDrained = false
    var stoppedCleanly = false

    /// Spans of kept traces: what a sink got, or what the product says it exported to `none`.
    var keptSpans: Int { sinks.first?.truth.keptSpans ?? Int(exported["none"] ?? 0) }
    var keptTraces: Int { sinks.first?.truth.keptTraces ?? 0 }
    var wrong: Int { sinks.reduce(0) { $0 + $1.truth.wrong } }
    var unreadable: Int { sinks.reduce(0) { $0 + $1.received.unreadable } }

    var cpuSeconds: Double { processes.reduce(0) { $0 + $1.seconds } }
    /// CPU seconds per million spans sent.
    func perMillion(_ seconds: Double) -> Double { seconds * 1e6 / Double(max(1, sent.spans)) }
    var cpuPerMillion: Double { perMillion(cpuSeconds) }
    var spansPerSecond: Double { Double(sent.spans) / max(sendSeconds, 1e-9) }
    /// Everything that went wrong apart from the content of the spans.
    var failures: Int {
        let broken = [!isDrained, !stoppedCleanly, unaccounted != 0].filter { $0 }.count
        return sent.failures + unreadable + broken
    }
}
