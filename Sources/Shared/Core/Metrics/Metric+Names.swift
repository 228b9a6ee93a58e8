/// Every metric of ebpftrace, in one place: the contract with dashboards and alerts.
///
/// `docs/metrics.md` is generated from this list (`MetricsReference.page`).
public enum Metric {
    // Ingest
    public static let httpRequests = MetricDefinition(
        "http_requests_total", .counter, labels: ["path", "status"],
        "Requests that the agents' listener answered, by path and status.")
    public static let connections = MetricDefinition(
        "connections", .gauge, "Open connections of the agents' listener.")
    public static let connectionsRefused = MetricDefinition(
        "connections_refused_total", .counter, labels: ["reason"],
        "Connections closed by the agents' listener: over the limit, or too slow.")
    public static let bodies = MetricDefinition(
        "bodies_total", .counter, labels: ["result"],
        "Span bodies by result: accepted, refused (400), too_large (413), busy (503).")
    public static let bodyBytes = MetricDefinition(
        "body_bytes_total", .counter, unit: .bytes, "Bytes of accepted span bodies as received.")
    public static let agentErrors = MetricDefinition(
        "agent_errors_total", .counter, "Errors that agents reported to /v1/lasterror.")
    public static let spansAccepted = MetricDefinition(
        "spans_accepted_total", .counter, "Spans that the log took and that were answered with 200.")
    public static let spansPassedThrough = MetricDefinition(
        "spans_passed_through_total", .counter, labels: ["reason"],
        "Spans that lack what linking needs, by what is missing; each becomes a trace of its own.")
    public static let ingestQueueBytes = MetricDefinition(
        "ingest_queue_bytes", .gauge, unit: .bytes, "Bytes of bodies that wait for the log.")
    public static let ingestWait = MetricDefinition(
        "ingest_wait_seconds", .histogram, unit: .seconds, buckets: latencyBuckets,
        "Time from the arrival of a body to its answer.")

    // Log
    public static let commits = MetricDefinition("commits_total", .counter, "Group commits of the span log.")
    public static let commitSpans = MetricDefinition(
        "commit_spans", .histogram, buckets: countBuckets, "Spans of one group commit.")
    public static let commitFailures = MetricDefinition(
        "commit_failures_total", .counter, labels: ["reason"],
        "Group commits, marks and syncs that the span log refused, by reason.")
    public static let logSync = MetricDefinition(
        "log_sync_seconds", .histogram, unit: .seconds, buckets: latencyBuckets,
        "Time of one fdatasync of the span log.")
    public static let logBytes = MetricDefinition("log_bytes", .gauge, unit: .bytes, "Bytes that the span log holds.")
    public static let logLag = MetricDefinition(
        "log_lag_seconds", .gauge, unit: .seconds, labels: ["partition"],
        "Age of the newest facts that the partition's owner has read while there are newer ones, else 0.")
    public static let clockSkew = MetricDefinition(
        "router_clock_skew_seconds", .gauge, unit: .seconds,
        "How far the log's time is ahead of the router's clock: above 0 when the clock was set back.")

    // Ledger
    public static let spansDropped = MetricDefinition(
        "spans_dropped_total", .counter, labels: ["stage", "reason"],
        "Spans not exported, by stage and reason (sampled and duplicate included); by the ledger, each span once.")
    public static let spansExported = MetricDefinition(
        "spans_exported_total", .counter, labels: ["target"],
        "Spans that the target acknowledged; by the ledger, each span once.")
    public static let spansHeld = MetricDefinition(
        "spans_held", .gauge, "Accepted spans that are neither exported nor dropped yet.")
    public static let duplicateSpans = MetricDefinition(
        "duplicate_spans_total", .counter, "Spans that repeated an earlier one and collapsed into it.")
    public static let spanIDConflicts = MetricDefinition(
        "span_id_conflicts_total", .counter, "Given span ids that another span already had; the computed id was used.")

    // Linking
    public static let edges = MetricDefinition(
        "edges_total", .counter, labels: ["evidence"], "Parent links made, by evidence.")
    public static let edgesRefused = MetricDefinition(
        "edges_refused_total", .counter, labels: ["rule", "reason"],
        "Parent links not made: ambiguous, thread_closed, cycle, limit.")
    public static let openSpans = MetricDefinition(
        "open_spans", .gauge, "Spans of components that are not closed yet.")
    public static let traces = MetricDefinition(
        "traces_total", .counter, labels: ["decision"], "Closed traces by sampling decision.")
    public static let lateSpans = MetricDefinition(
        "late_spans_total", .counter, labels: ["kind"],
        "Spans that came after their trace was closed, by what became of them.")
    public static let partialGraphBytes = MetricDefinition(
        "partial_graph_bytes_total", .counter, unit: .bytes, "Bytes of partial graphs published, compressed.")
    public static let mergeSeconds = MetricDefinition(
        "merge_seconds", .histogram, unit: .seconds, buckets: latencyBuckets, "Time of one final merge step.")

    public static let verdictLatency = MetricDefinition(
        "verdict_latency_seconds", .histogram, unit: .seconds, buckets: ageBuckets,
        "Time from a span's append to the log until its owner reads its verdict.")

    // Export
    public static let exportSpans = MetricDefinition(
        "export_spans_total", .counter, labels: ["target", "outcome"],
        "Spans that ended in the target in this worker process, exported or by reason; those that a restarted worker "
            + "hands over again count again (spans_exported_total counts each once).")
    public static let exportQueueBytes = MetricDefinition(
        "export_queue_bytes", .gauge, unit: .bytes, labels: ["target"], "Bytes that wait for the target.")

    public static let exportRetries = MetricDefinition(
        "export_retries_total", .counter, labels: ["target", "reason"], "Attempts repeated after a failure.")
    public static let exportRequests = MetricDefinition(
        "export_requests_total", .counter, labels: ["target", "status"],
        "Requests to the target by status of the answer; 0: no answer.")
    public static let beyondDataUsage = MetricDefinition(
        "export_beyond_data_usage", .gauge, labels: ["target"],
        "1 while the receiver says that the paid amount of data is used up.")

    // Query
    public static let querySeconds = MetricDefinition(
        "query_seconds", .histogram, unit: .seconds, labels: ["endpoint"], buckets: latencyBuckets,
        "Time of one question to the console's API, by endpoint.")

    // Store
    public static let storeSpans = MetricDefinition(
        "store_spans_total", .counter, "Spans that the embedded store wrote.")
    public static let storeRefused = MetricDefinition(
        "store_refused_spans_total", .counter, labels: ["reason"],
        "Spans posted to the console that were not stored: unreadable, behind (503), failed (503).")
    public static let storeExpired = MetricDefinition(
        "store_expired_spans_total", .counter, labels: ["reason"],
        "Spans that the embedded store removed again: age, bytes.")
    public static let storeBytes = MetricDefinition(
        "store_bytes", .gauge, unit: .bytes, "Bytes of the store's database that hold something.")
    public static let storeSegments = MetricDefinition(
        "store_segments", .gauge, "Segments that the embedded store holds.")
    public static let storeWriteSeconds = MetricDefinition(
        "store_write_seconds", .histogram, unit: .seconds, buckets: latencyBuckets,
        "Time to make and commit one segment.")

    // Processes
    public static let stageCPU = MetricDefinition(
        "stage_cpu_seconds_total", .counter, unit: .seconds, labels: ["stage"],
        "CPU time of threads, by pipeline stage.")
    public static let workerRestarts = MetricDefinition(
        "worker_restarts_total", .counter, labels: ["ordinal"], "Times the router started a worker again.")
    public static let workersRunning = MetricDefinition(
        "workers_running", .gauge, "Worker processes that run at this moment.")
    public static let invariantViolations = MetricDefinition(
        "invariant_violations_total", .counter, labels: ["name"], "Broken invariants; must stay 0.")
    public static let leader = MetricDefinition("leader", .gauge, "1 in the process that merges, else 0.")
    public static let partitionOwner = MetricDefinition(
        "partition_owner", .gauge, labels: ["partition"], "1 for each partition that the process owns.")

    // Service graph, under the names that Grafana's service graph view asks for
    public static let graphRequests = MetricDefinition(
        "request_total", .counter, labels: graphLabels, prefix: graphPrefix,
        "Requests between two services, of kept traces; connection_type is empty where both ends were seen.")
    public static let graphFailed = MetricDefinition(
        "request_failed_total", .counter, labels: graphLabels, prefix: graphPrefix,
        "Those of them with an error on either side.")
    public static let graphServerSeconds = MetricDefinition(
        "request_server_seconds", .histogram, unit: .seconds, labels: graphLabels, buckets: graphBuckets,
        prefix: graphPrefix, "Time of a request as its server saw it.")
    public static let graphClientSeconds = MetricDefinition(
        "request_client_seconds", .histogram, unit: .seconds, labels: graphLabels, buckets: graphBuckets,
        prefix: graphPrefix, "Time of a request as its client saw it.")
    public static let graphUnpaired = MetricDefinition(
        "unpaired_spans_total", .counter, labels: ["client", "server"], prefix: graphPrefix,
        "Ends of requests whose other end did not come within 10 s; the side that is missing is an empty label.")
    public static let graphWaiting = MetricDefinition(
        "waiting_spans", .gauge, prefix: graphPrefix, "Ends of requests that wait for the other end.")
    public static let graphUncounted = MetricDefinition(
        "uncounted_requests_total", .counter, prefix: graphPrefix,
        "Requests and unpaired ends left out: too many edges or services (Limits.graphEdges).")

    public static let graphMisdated = MetricDefinition(
        "misdated_spans_total", .counter, labels: ["kind"], prefix: graphPrefix,
        "Spans of no possible time: future, more than 5 min ahead (counted as of their arrival); past, older than every"
            + " minute that is kept (not in /api/graph).")

    private static let graphPrefix = "traces_service_graph_"
    private static let graphLabels = ["client", "server", "connection_type"]

    /// All of them, in the order of the reference page. Names are unique (checked by a test).
    public static let all: [MetricDefinition] = [
        httpRequests, connections, connectionsRefused, bodies, bodyBytes, agentErrors, spansAccepted,
        spansPassedThrough, ingestQueueBytes, ingestWait, commits, commitSpans, commitFailures, logSync, logBytes,
        logLag, clockSkew,
        spansDropped, spansExported, spansHeld, duplicateSpans, spanIDConflicts, edges, edgesRefused,
        openSpans, traces, lateSpans, partialGraphBytes, mergeSeconds, verdictLatency,
        exportSpans, exportQueueBytes, exportRetries,
        exportRequests, beyondDataUsage,
        storeSpans, storeRefused, storeExpired, storeBytes, storeSegments, storeWriteSeconds,
        querySeconds, stageCPU,
        workerRestarts, workersRunning, invariantViolations, leader, partitionOwner,
        graphRequests, graphFailed, graphServerSeconds, graphClientSeconds, graphUnpaired, graphWaiting,
        graphUncounted, graphMisdated,
    ]

    /// 100 µs to 10 s.
    static let latencyBuckets: [UInt64] = [
        100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000, 300_000_000, 1_000_000_000,
        3_000_000_000, 10_000_000_000,
    ]
    /// 1 s to 10 min.
    static let ageBuckets: [UInt64] = [1, 2, 5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 300, 600].map {
        $0 * 1_000_000_000
    }
    /// 1 ms to 10 s: of requests between services.
    static let graphBuckets: [UInt64] = [
        1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000, 500_000_000,
        1_000_000_000, 2_000_000_000, 5_000_000_000, 10_000_000_000,
    ]
    /// 1 to 262,144 things.
    static let countBuckets: [UInt64] = [1, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144]
}
