/// One entry of a `RecordLog`.
public enum RecordLogEntry: Sendable, Equatable {
    case record(kind: UInt16, position: UInt64, bytes: [UInt8])
    /// Nothing can be read here: trimmed or damaged.
    case gap(from: UInt64, to: UInt64)
}

/// A log of opaque records: verdicts, snapshots of the ledger. The writer; reads through a `RecordLogReader`.
///
/// One owner, not thread-safe.
public final class RecordLog {
    private let log: SegmentedLog

    /// Opens the log in a folder, which is made when it is missing, and repairs what a crash left.
    public init(disk: any Disk, folder: String, segmentBytes: Int) throws(Failure) {
        log = try SegmentedLog(disk: disk, folder: folder, segmentBytes: segmentBytes)
    }

    /// What opening found and did.
    public var recovery: LogRecovery { log.recovery }
    /// Position behind the last record.
    public var end: UInt64 { log.end }
    /// Position of the oldest record.
    public var begin: UInt64 { log.begin }
    /// All records below survive a power cut.
    public var synchronizedEnd: UInt64 { log.synchronizedEnd }
    /// Bytes of all files, preallocated ones included.
    public var bytesHeld: UInt64 { log.bytesHeld }

    /// Appends a record; returns its position. Fails as `SegmentedLog.append` does. O(bytes).
    @discardableResult
    public func append(kind: UInt16, _ bytes: [UInt8]) throws(Failure) -> UInt64 {
        let body = PayloadBytes(bytes)
        defer { body.keepAlive() }
        return try log.append(kind: kind, [body.bytes])
    }

    /// Returns when all records so far survive a power cut.
    public func sync() throws(Failure) { try log.sync() }

    /// Removes the segments that lie wholly below a position.
    public func trim(below position: UInt64) throws(Failure) { try log.trim(below: position) }
}

/// Reads a `RecordLog`, in any process on its machine, while it is written. One owner, not thread-safe.
public final class RecordLogReader {
    private let log: SegmentedLogReader

    /// A reader of the log in a folder, which need not be there yet.
    public init(disk: any Disk, folder: String) { log = SegmentedLogReader(disk: disk, folder: folder) }

    /// Whether a position was trimmed, rather than damaged.
    public func isTrimmed(_ position: UInt64) throws(Failure) -> Bool { try log.isTrimmed(position) }

    /// Path of the file that holds a position, for messages.
    public func path(at position: UInt64) -> String { log.path(at: position) }

    /// The entry at a position (0 to begin with) and the position of the next one; nil at the end for now.
    ///
    /// - Parameter end: the end that the writer told; nothing beyond it is read.
    public func next(
        from position: UInt64, end: UInt64? = nil
    ) throws(Failure) -> (entry: RecordLogEntry, next: UInt64)? {
        switch try log.step(at: position, end: end) {
        case .end: nil
        case .gap(let to): (.gap(from: position, to: to), to)
        case .record(let view): (.record(kind: view.kind, position: position, bytes: Array(view.body)), view.next)
        }
    }
}
