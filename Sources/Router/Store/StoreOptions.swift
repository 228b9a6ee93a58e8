import Shared

/// How a store is kept.
struct StoreOptions: Sendable {
    /// Folder of the database; made when it is missing.
    var folder: String
    /// Most bytes on disk.
    var bytesMax = 2 << 30
    /// Segments written longer ago are removed, nanoseconds.
    var ageNanoseconds = 86_400_000_000_000
    /// Nanoseconds since 1970.
    var wallClock: @Sendable () -> Int = { SystemClocks.wallNanoseconds() }
    /// Nanoseconds on a clock that never goes back.
    var clock: @Sendable () -> Int = { SystemClocks.monotonicNanoseconds() }
    var gatherNanoseconds = StoreLimits.gatherNanoseconds
    var quietNanoseconds = StoreLimits.quietNanoseconds
    var segmentSpans = StoreLimits.segmentSpans
    var queueBytes = StoreLimits.queueBytes

    /// What the database may hold beside its WAL and the pages of the next segments.
    var liveBytesMax: Int { bytesMax - min(bytesMax / 4, 64 << 20) }
}
