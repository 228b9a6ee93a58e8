import GRDB

/// One snapshot of the store.
struct StoreRead {
    var db: Database
    var names: StoreNames.Snapshot
    /// Oldest first.
    var segments: [StoredSegment]

    /// Segments with spans between two times (nanoseconds since 1970), newest first.
    func segments(from: UInt64, to: UInt64) -> [StoredSegment] {
        segments.reversed().filter { $0.last >= from && $0.first <= to }
    }
}
