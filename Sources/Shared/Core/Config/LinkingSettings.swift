import Linking

/// How spans are joined: what router and workers must agree on.
public struct LinkingSettings: Sendable {
    /// Number of worker processes, 1…64.
    public var workers: Int
    /// Number of hash buckets of flows, 1…4096.
    public var partitions: UInt16
    public var window: Duration
    public var openWait: Duration
    public var maxTraceAge: Duration
    public var lateWindow: Duration
    public var inferLinks: InferLinksSetting
    public var compatibility: CompatibilitySetting
    /// 0…1.
    public var samplingRate: Double
    public var useApplicationTraceID: Bool
    public var trustApplicationSampled: Bool
    public var idEncoding: IDEncodingSetting
    /// Most spans of one trace.
    public var spansPerTrace: Int
    /// Most edges from a span up to its root.
    public var depth: Int

    init(_ resolver: inout SettingsResolver) throws(Failure) {
        workers = try resolver.count(.workers)
        partitions = UInt16(clamping: try resolver.count(.partitions))
        window = try resolver.duration(.window)
        openWait = try resolver.duration(.openWait, fallback: (window * 3, .derived("3 × window")))
        maxTraceAge = try resolver.duration(.maxTraceAge, fallback: (window * 6, .derived("6 × window")))
        lateWindow = try resolver.duration(.lateWindow)
        compatibility = try resolver.choice(.compat)
        let follows = SettingSource.derived("compat = datakit")
        let isDatakit = compatibility == .datakit
        inferLinks = try resolver.choice(.inferLinks, fallback: isDatakit ? (.off, follows) : (.unique, .standard))
        samplingRate = try resolver.rate(.samplingRate)
        useApplicationTraceID = try resolver.boolean(.useAppTraceID)
        trustApplicationSampled = try resolver.boolean(.trustAppSampled)
        idEncoding = try resolver.choice(.idEncoding, fallback: isDatakit ? (.datakit, follows) : (.auto, .standard))
        spansPerTrace = try resolver.count(.spansPerTrace)
        depth = try resolver.count(.depth)
        guard depth < spansPerTrace else {
            throw Failure(
                .configuration,
                "depth = \(depth) must be smaller than spans_per_trace = \(spansPerTrace); change one of them")
        }
        resolver.warn(about: self)
    }
}

/// Where finished traces go.
public struct OutputSettings: Sendable {
    /// Empty: `target = none`.
    public var targets: [TargetSpec]
    /// Most bytes that wait for one target.
    public var queueBytes: Int
    public var globalTags: [GlobalTag]

    init(_ resolver: inout SettingsResolver, dataDirectory: String) throws(Failure) {
        let gzip = try resolver.boolean(.targetGzip)
        targets = try resolver.targets(gzip: gzip, dataDirectory: dataDirectory)
        queueBytes = try resolver.bytes(.targetQueueBytes)
        let clusterName = try resolver.text(.clusterName)
        globalTags = try resolver.tags(clusterName: clusterName)
    }
}
