/// Every bound of the system, named once. Reaching one is an event that is counted under the bound's reason.
///
/// Relations that must hold between bounds are checked by `validate()` when a process starts.
public struct Limits: Hashable, Sendable {
    // Ingest
    /// Largest request body as received, bytes.
    public var bodyBytes = 32 << 20
    /// Largest request body after decompression, bytes.
    public var decompressedBodyBytes = 64 << 20
    /// Largest ratio of decompressed to received bytes (a compression bomb goes beyond).
    public var decompressionRatio = 400
    /// Most points in one body.
    public var pointsPerBody = 65_536
    /// Most fields in one point.
    public var fieldsPerPoint = 1_024
    /// Largest point, bytes.
    public var pointBytes = 4 << 20
    /// Most bytes one group commit gathers.
    public var commitBytes = 64 << 20
    /// Most spans one group commit gathers.
    public var commitSpans = 262_144
    /// Most open connections of the agents' listener.
    public var connections = 10_000
    /// Longest time a request waits for room before it is answered with 503, milliseconds.
    public var ingestWaitMilliseconds = 2_000
    /// Most bytes of bodies that wait for the log.
    public var ingestQueueBytes = 128 << 20

    // Linking
    /// Most spans of one trace.
    public var spansPerTrace = 10_000
    /// Deepest trace: edges from a span up to its root.
    public var depth = 1_000
    /// Most closed spans with one `req_seq` that are looked at for the other end of a late span.
    public var lateCandidates = 64
    /// Most spans of one partial graph; a larger epoch is published in pieces.
    public var spansPerPartialGraph = 32_768
    /// Largest partial graph, bytes before zstd.
    public var partialGraphBytes = 64 << 20
    /// Most spans of one verdict block; a larger verdict is written in pieces.
    public var spansPerVerdictBlock = 16_384
    /// Most spans that the end of a replay decides before it writes their verdicts.
    public var spansPerFlush = 1 << 20
    /// Largest verdict block, bytes before zstd.
    public var verdictBlockBytes = 64 << 20

    // Log
    /// Size of one segment file, bytes.
    public var segmentBytes = 128 << 20
    /// Most bytes the span log may hold; beyond it requests wait, then are answered with 503.
    public var logBytes = 16 << 30

    // Export
    /// Most bytes that wait for one target.
    public var targetQueueBytes = 64 << 20
    /// The same in a replay, whose verdicts come all at once: a longer queue would only cost memory.
    public var replayQueueBytes = 8 << 20

    // Query
    /// Longest TraceQL query or `tags` text, bytes.
    public var queryBytes = 32 << 10
    /// Deepest nesting of a query, most stages of its pipeline, and most tags of the older form.
    public var queryDepth = 64
    /// Most operators of a query: chains such as `a || b || c` count each.
    public var queryOperators = 512
    /// Most traces that one search gives; a larger `limit` counts as this.
    public var searchTraces = 5_000
    /// Most matched spans that a search gives of one set; a larger `spss` counts as this.
    public var searchSpansPerSet = 1_000
    /// Most tag names or values in one answer.
    public var tagValues = 10_000
    /// Most candidates that an explanation shows.
    public var explainCandidates = 8
    /// Most spans that are looked at as candidates for one key.
    public var explainLookups = 64

    // Service graph
    /// Most spans that wait for the other end of their request.
    public var graphWaitingSpans = 200_000
    /// Most edges, and services with unpaired ends, in one minute, and most that have series of their own.
    public var graphEdges = 4_096

    /// Epochs of partial graphs a worker may publish ahead of the merger's verdicts.
    public var unackedPartials = 64

    public init() {}

    /// Sentences about relations that do not hold; empty when all do.
    public func problems() -> [String] {
        var problems: [String] = []
        func require(_ holds: Bool, _ sentence: String) { if !holds { problems.append(sentence) } }
        require(bodyBytes <= decompressedBodyBytes, "bodyBytes must not exceed decompressedBodyBytes")
        require(decompressedBodyBytes <= commitBytes, "a body must fit into a commit (commitBytes)")
        require(commitBytes < segmentBytes, "a commit must fit into a segment (segmentBytes)")
        require(pointsPerBody <= commitSpans, "the points of a body must fit into a commit (commitSpans)")
        require(decompressedBodyBytes < 1 << 32, "payload offsets are 32 bits")
        require(depth < spansPerTrace, "depth must be smaller than spansPerTrace")
        require(segmentBytes < logBytes, "the log must hold several segments (logBytes)")
        return problems
    }
}
