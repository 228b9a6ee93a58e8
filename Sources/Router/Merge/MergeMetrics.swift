import Linking
import Shared

/// The merge's series on `/metrics`.
struct MergeMetrics: Sendable {
    let mergeSeconds: Histogram
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        mergeSeconds = registry.histogram(Metric.mergeSeconds)
        registry.gauge(Metric.leader).set(1)
    }

    /// Has the CPU time of the calling thread shown as stage `merge`.
    func accountThisThread() {
        if let clock = ThreadCPUClock.ofThisThread() { StageCPU.add("merge", clock, to: registry) }
    }

    /// Shows what the merge counts, read at scrape time.
    func show(_ progress: @escaping @Sendable () -> MergeThread.Progress) {
        registry.onScrape(Metric.openSpans) { $0([], Double(progress().openSpans)) }
        registry.onScrape(Metric.edges) { emit in
            let edges = progress().statistics.edges
            for evidence in LinkEvidence.allCases where evidence != .none {
                emit([evidence.name], Double(edges[Int(evidence.rawValue)]))
            }
        }
        registry.onScrape(Metric.edgesRefused) { emit in
            for (refusal, count) in progress().statistics.refused {
                emit([refusal.rule, refusal.reason], Double(count))
            }
        }
        registry.onScrape(Metric.traces) { emit in
            let statistics = progress().statistics
            emit(["keep"], Double(statistics.tracesKept))
            emit(["drop"], Double(statistics.tracesDropped))
        }
        registry.onScrape(Metric.lateSpans) { emit in
            let statistics = progress().statistics
            emit(["linked"], Double(statistics.lateSpans))
            emit(["vote"], Double(statistics.lateVotes))
        }
        registry.onScrape(Metric.spanIDConflicts) { $0([], Double(progress().statistics.spanIDConflicts)) }
        registry.onScrape(Metric.invariantViolations) { emit in
            for (name, count) in progress().statistics.violations { emit([name], Double(count)) }
        }
    }
}
