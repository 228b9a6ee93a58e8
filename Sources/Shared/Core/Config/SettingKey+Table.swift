import Linking

/// The table of all settings. A new setting is added here, to `all`, to a flags struct and to a settings struct.
extension SettingKey {
    private static let defaults = Limits()

    // Listeners
    public static let listen = SettingKey(
        "listen", .listeners, .router, .address, "127.0.0.1:9529", datakit: ["ENV_HTTP_LISTEN"],
        "Address that agents send spans to.")
    public static let console = SettingKey(
        "console", .listeners, .router, .address, "127.0.0.1:9530",
        "Address of status, health and metrics pages.")
    public static let peers = SettingKey(
        "peers", .listeners, .router, .address, "127.0.0.1:9531", "Address that the workers talk to.")
    public static let workerListen = SettingKey(
        "worker_listen", .listeners, .both, .address, "127.0.0.1:9540",
        "Health and metrics address of worker 0; worker K listens K ports higher, with port 0 on any free port.")

    // Storage
    public static let dataDir = SettingKey(
        "data_dir", .storage, .both, .path, "",
        rule: "/var/lib/ebpftrace for root, else ~/.local/state/ebpftrace",
        datakit: ["ENV_INPUT_EBPFTRACE_DB_PATH", "ENV_INPUT_EBPFTRACE_SQLITE_PATH"],
        "Directory of the span log, the verdict log and listeners.json; db_path is another name for it.")
    public static let logBytes = SettingKey(
        "log_bytes", .storage, .router, .bytes((256 << 20)...(1 << 50)), ByteSizeText.text(defaults.logBytes),
        "Most bytes the span log may hold; beyond it agents wait, then get 503.")
    public static let fsync = SettingKey(
        "fsync", .storage, .router, .choice(FsyncSetting.names), "interval",
        "When the span log is forced to disk: always before an answer, or at an interval.")
    public static let fsyncInterval = SettingKey(
        "fsync_interval", .storage, .router, .duration(.milliseconds(10)...(.seconds(60))), "1s",
        "With fsync = interval: the most that a power cut can lose.")
    public static let store = SettingKey(
        "store", .storage, .router, .boolean, "true",
        "Keep finished traces in the router's own store, for the console; it also takes OTLP from SDKs there.")
    public static let storeBytes = SettingKey(
        "store_bytes", .storage, .router, .bytes((64 << 20)...(1 << 50)), ByteSizeText.text(2 << 30),
        "Most bytes the store may take on disk; beyond it the oldest traces go.")
    public static let storeAge = SettingKey(
        "store_age", .storage, .router, .duration(.seconds(60)...(.seconds(31_536_000))), "24h",
        "How long the store keeps a trace.")

    // Linking
    public static let workers = SettingKey(
        "workers", .linking, .both, .count(1...64), "1", "Number of worker processes.")
    public static let partitions = SettingKey(
        "partitions", .linking, .both, .count(1...4096), "256", "Number of hash buckets that flows fall into.")
    public static let flowKey = SettingKey(
        "flow_key", .linking, .router, .choice(PartitionKey.allCases.map(\.rawValue)), "tuple",
        "What a connection is hashed by to find its partition; the result does not depend on it.")
    public static let window = SettingKey(
        "window", .linking, .both, .duration(.milliseconds(100)...(.seconds(3600))), "20s",
        datakit: ["ENV_INPUT_EBPFTRACE_WINDOW"],
        "A trace closes when none of its spans arrived for this long.")
    public static let openWait = SettingKey(
        "open_wait", .linking, .both, .duration(.zero...(.seconds(86400))), "", rule: "3 × window",
        "The same for a trace whose root still waits for its own entry, or for a caller known to report its calls.")
    public static let maxTraceAge = SettingKey(
        "max_trace_age", .linking, .both, .duration(.milliseconds(100)...(.seconds(86400))), "", rule: "6 × window",
        "A trace closes at this age even while spans arrive.")
    public static let lateWindow = SettingKey(
        "late_window", .linking, .both, .duration(.zero...(.seconds(86400))), "120s",
        "How long a closed trace is remembered, so that late spans and repeats still find it.")
    public static let routerWait = SettingKey(
        "router_wait", .linking, .router, .duration(.milliseconds(100)...(.seconds(3600))), "30s",
        "How long a silent router holds up the closing of traces; no effect while there is only one router.")
    public static let inferLinks = SettingKey(
        "infer_links", .linking, .both, .choice(InferLinksSetting.names), "unique",
        rule: "unique; off with compat = datakit",
        "Parent of an outgoing span whose thread id leads nowhere: the one open request of its process thread"
            + " (unique), the latest of several (latest), or none (off).")
    public static let compat = SettingKey(
        "compat", .linking, .both, .choice(CompatibilitySetting.names), "none",
        "datakit: link and print as the old collector does on clean input.")
    public static let agentScope = SettingKey(
        "agent_scope", .linking, .router, .choice(AgentScopeSetting.names), "address",
        "What tells the pids of two nodes apart when a span has no host field: the sender's address, the"
            + " X-Forwarded-For header, or fields of the span only.")

    // Identifiers and sampling
    public static let samplingRate = SettingKey(
        "sampling_rate", .identifiers, .both, .rate, "0.1", datakit: ["ENV_INPUT_EBPFTRACE_SAMPLING_RATE"],
        "Share of the traces that is kept.")
    public static let useAppTraceID = SettingKey(
        "use_app_trace_id", .identifiers, .both, .boolean, "true",
        datakit: ["ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID"],
        "Take over the trace id that an application's tracing library put on a request.")
    public static let trustAppSampled = SettingKey(
        "trust_app_sampled", .identifiers, .both, .boolean, "true",
        "Let an application's own sampling decision win over sampling_rate.")
    public static let idEncoding = SettingKey(
        "id_encoding", .identifiers, .both, .choice(IDEncodingSetting.names), "auto",
        rule: "auto; datakit with compat = datakit",
        "How trace ids are printed: in the form their application uses (auto), or exactly as the old collector.")

    // Output
    public static let target = SettingKey(
        "target", .output, .both, .targets, "", rule: "file:DATA_DIR/traces", datakit: ["ENV_DATAWAY"],
        "Where finished traces go; repeat it for several.")
    public static let targetGzip = SettingKey(
        "target_gzip", .output, .both, .boolean, "true", "Compress what is sent to Dataway targets.")
    public static let targetQueueBytes = SettingKey(
        "target_queue_bytes", .output, .both, .bytes((1 << 20)...(16 << 30)),
        ByteSizeText.text(defaults.targetQueueBytes), "Most bytes that wait for one target.")
    public static let globalTags = SettingKey(
        "global_tags", .output, .both, .tags, "", datakit: ["ENV_GLOBAL_HOST_TAGS", "ENV_GLOBAL_TAGS"],
        "Tags added to exported spans that have none of the name; __datakit_hostname and __datakit_ip stand for"
            + " this machine.")
    public static let clusterName = SettingKey(
        "cluster_name", .output, .both, .text, "", datakit: ["ENV_CLUSTER_NAME_K8S"],
        "Adds the tag cluster_name_k8s.")
    public static let denyFields = SettingKey(
        "deny_fields", .output, .router, .names, "authorization,cookie",
        "Fields and captured headers that are removed before anything is stored, from agents' points and SDKs' spans.")

    // Limits
    public static let bodyBytes = SettingKey(
        "body_bytes", .limits, .router, .bytes(1024...defaults.decompressedBodyBytes),
        ByteSizeText.text(defaults.bodyBytes), "Largest request body; a larger one gets 413.")
    public static let spansPerTrace = SettingKey(
        "spans_per_trace", .limits, .both, .count(2...1_000_000), "\(defaults.spansPerTrace)",
        "Most spans of one trace; what comes beyond becomes a root marked truncated.")
    public static let depth = SettingKey(
        "depth", .limits, .both, .count(1...999_999), "\(defaults.depth)",
        "Most edges from a span up to its root; smaller than spans_per_trace.")

    // Processes
    public static let config = SettingKey(
        "config", .process, .both, .path, "", "Settings file: YAML, or an ebpftrace.conf of DataKit (.conf, .toml).")
    public static let logLevel = SettingKey(
        "log_level", .process, .both, .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
        "info", datakit: ["ENV_LOG_LEVEL"], "Least severe messages that are logged; warn means warning.")
    public static let router = SettingKey(
        "router", .process, .worker, .urls, "http://127.0.0.1:9531",
        "Peer address of a router; repeat it for several.")
    public static let storeTarget = SettingKey(
        "store_target", .process, .worker, .text, "",
        "Where finished spans are posted for the router's store; a router tells its workers by itself.")
    public static let ordinal = SettingKey(
        "ordinal", .process, .worker, .count(0...63), "0", "Number of this worker, from 0.")
    public static let enablePprof = SettingKey(
        "enable_pprof", .process, .both, .boolean, "false", datakit: ["ENV_ENABLE_PPROF"],
        "Serve CPU and heap profiles at /debug/pprof/; needs libgoogle-perftools4.")
    public static let pprofListen = SettingKey(
        "pprof_listen", .process, .router, .address, "127.0.0.1:6060", datakit: ["ENV_PPROF_LISTEN"],
        "Where the router serves its profiles when enable_pprof is on; workers do on their own listener.")

    /// Every setting, in the order of the reference page and of `check`.
    public static let all: [SettingKey] = [
        listen, console, peers, workerListen,
        dataDir, logBytes, fsync, fsyncInterval, store, storeBytes, storeAge,
        workers, partitions, flowKey, window, openWait, maxTraceAge, lateWindow, routerWait, inferLinks, compat,
        agentScope,
        samplingRate, useAppTraceID, trustAppSampled, idEncoding,
        target, targetGzip, targetQueueBytes, globalTags, clusterName, denyFields,
        bodyBytes, spansPerTrace, depth,
        config, logLevel, router, storeTarget, ordinal, enablePprof, pprofListen,
    ]

    /// Other names that a file may use for a setting.
    static let fileAliases = ["db_path": "data_dir"]

    /// The setting of a file key, also by its alias; nil when there is none.
    static func inFile(_ name: String) -> SettingKey? {
        let name = fileAliases[name] ?? name
        return all.first { $0.name == name && $0.isAllowedInFile }
    }
}
