import Synchronization

/// What the embedded store holds and does, for the status page.
struct StoreStatus: Codable, Sendable, Equatable {
    /// False with `store = off`; everything else is 0 then.
    var on = false
    /// Spans that can be asked for.
    var spans = 0
    var segments = 0
    /// On disk, without the write-ahead log.
    var bytes = 0
    /// `store_bytes`.
    var bytesMax = 0
    /// `store_age`, seconds.
    var ageMaxSeconds = 0.0
    /// When the oldest segment was written, seconds since 1970; nil when there is none.
    var oldest: Double?
    /// Spans written since the router started.
    var written: UInt64 = 0
    /// Posted since the router started and not stored, by reason: unreadable, behind, failed.
    var refused: [String: UInt64] = [:]
    /// Removed again since the router started, by reason: age, bytes.
    var expired: [String: UInt64] = [:]
    /// Spans that wait for the writer.
    var waiting = 0
    /// How long the first of them has waited; more than a second or two: the store is behind.
    var behindSeconds = 0.0

    /// From here on the store counts as behind.
    static let behindLimit = 5.0
}

/// What the writer found the database to hold when it last looked.
final class StoreHoldings: Sendable {
    struct Held: Sendable {
        var spans = 0
        var segments = 0
        var bytes = 0
        /// Nanoseconds since 1970.
        var oldest: UInt64?
    }

    private let held = Mutex(Held())

    var current: Held { held.withLock { $0 } }
    func note(_ now: Held) { held.withLock { $0 = now } }
}

extension TraceStore {
    /// The figures of this moment. Reads nothing from the disk.
    var status: StoreStatus {
        let held = writer.holdings.current
        let (waiting, since) = writer.waiting
        return StoreStatus(
            on: true, spans: held.spans, segments: held.segments, bytes: held.bytes, bytesMax: writer.options.bytesMax,
            ageMaxSeconds: Double(writer.options.ageNanoseconds) / 1e9, oldest: held.oldest.map { Double($0) / 1e9 },
            written: metrics.spans.value, refused: metrics.refused, expired: metrics.expired, waiting: waiting,
            behindSeconds: since.map { Double(max(0, clock() - $0)) / 1e9 } ?? 0)
    }
}
