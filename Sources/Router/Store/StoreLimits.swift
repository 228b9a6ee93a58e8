/// What became of the spans of a request.
struct InsertResult: Sendable, Equatable {
    var accepted = 0
    /// Spans without a usable id, or that cannot be read.
    var rejected = 0
    /// Why the first of them was rejected.
    var message = ""

    mutating func reject(_ reason: String) {
        rejected += 1
        if message.isEmpty { message = reason }
    }
}

/// Bounds of the store.
enum StoreLimits {
    /// Operations named per service by `services`.
    static let operationsPerService = 1_000
    /// How far from a time candidates are looked for: 3 minutes.
    static let nearNanoseconds: UInt64 = 180_000_000_000
    /// Most spans of a segment.
    static let segmentSpans = 16_384
    /// Most spans a segment may say it has; a request of the largest body may bring more than `segmentSpans`.
    static let spansPerSegmentMax = 8 << 20
    /// Most bytes of rows of a segment; one request more may go in.
    static let segmentBytes = 16 << 20
    /// Longest time from the arrival of a span to the commit of its segment, nanoseconds.
    static let gatherNanoseconds = 1_000_000_000
    /// A segment is written when nothing came for this long: everybody waits for the answer, nanoseconds.
    static let quietNanoseconds = 60_000_000
    /// Bytes of rows that may wait for the writer; beyond it requests are answered with 503.
    static let queueBytes = 64 << 20
    /// Largest span, bytes.
    static let spanBytes = 4 << 20
    /// Spans of one chunk take about this many bytes before zstd.
    static let chunkBytes = 64 << 10
    /// Most bytes a chunk may say it has.
    static let chunkBytesMax = 16 << 20
    /// Most bytes any other packed part of a segment may say it has.
    static let packedBytesMax = 64 << 20
    /// Names of attributes and scopes that get a number; further ones are kept as text and not indexed.
    static let words = 20_000
    /// Longest such name, bytes.
    static let wordBytes = 256
    /// Resources that are remembered at a time; spans of further ones are refused.
    static let resources = 50_000
    /// Largest resource, bytes.
    static let resourceBytes = 64 << 10
    /// Most attribute columns of a segment; further keys are searched by reading spans.
    static let columns = 512
    /// Most distinct values of a column that keeps its values.
    static let distinctValues = 255
    /// Longest value that a column keeps, bytes.
    static let valueBytes = 512
    /// Segments that are merged into one when as many small ones lie side by side.
    static let mergeCount = 16
    /// Segments with fewer spans are small.
    static let smallSegment = 2_048
    /// Traces whose pieces are remembered, to know that a later piece goes on with one.
    static let recentTraces = 131_072
    /// Traces that one view takes spans from.
    static let aliases = 16
    /// Most spans of one view.
    static let spansPerView = 100_000
    /// Longest time of a search, nanoseconds; it then answers with what it has.
    static let searchNanoseconds = 10_000_000_000
    /// Longest time that values of a field are gathered for, nanoseconds.
    static let tagNanoseconds = 2_000_000_000
    /// Damaged databases that are kept aside.
    static let damagedFiles = 2
}
