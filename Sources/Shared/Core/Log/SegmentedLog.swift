/// The writer of one log: records appended to preallocated segment files (layout: SegmentFormat.swift).
///
/// One owner, not thread-safe. Positions count on over all segments and are never given twice, except below a tail
/// that a power cut took. `append` returns when the kernel has the bytes (they survive the end of the process);
/// `sync` when the disk has them (they survive a power cut). A failed append leaves the log as it was: it may be
/// tried again.
public final class SegmentedLog {
    struct Segment {
        var base: UInt64
        /// Bytes of its file.
        var fileBytes: UInt64
    }

    let disk: any Disk
    let folder: String
    let segmentBytes: Int
    /// What opening found and did.
    public internal(set) var recovery = LogRecovery()
    /// Position behind the last record: the next one gets it.
    public internal(set) var end: UInt64 = 0
    /// All records below are on the disk.
    public internal(set) var synchronizedEnd: UInt64 = 0

    var segments: [Segment] = []
    var active: (any DiskFile)?
    /// Files that were rolled since the last `sync`.
    private var rolled: [(base: UInt64, file: any DiskFile)] = []
    private var folderChanged = false
    /// A failed append may have left bytes behind the end.
    private var tailIsDirty = false
    /// The next record begins a new segment.
    var mustRoll = false
    private let head = RawBytes(capacity: 64)

    /// Opens the log in a folder, which is made when it is missing, and repairs what a crash left (see `recovery`).
    ///
    /// - Parameters:
    ///   - segmentBytes: size of a new segment file, at least 4096.
    ///   - verify: which records are read and checked; O(bytes of them).
    ///   - visit: sees each checked record in its order: kind, version, position, body.
    public init(
        disk: any Disk, folder: String, segmentBytes: Int, verify: LogVerification = .everything,
        visit: (LogRecordView) -> Void = { _ in }
    ) throws(Failure) {
        precondition(segmentBytes >= 4096 && segmentBytes < 1 << 31, "a segment has 4 KiB to 2 GiB")
        self.disk = disk
        self.folder = folder
        self.segmentBytes = segmentBytes
        try recover(verify, visit)
    }

    /// Position of the first record that is still there.
    public var begin: UInt64 { segments.first?.base ?? end }

    /// Bytes of all segment files, preallocated ones included.
    public var bytesHeld: UInt64 { segments.reduce(0) { $0 + $1.fileBytes } }

    /// Longest body of a record.
    public var longestBody: Int { segmentBytes - SegmentHeader.bytes - RecordHeader.bytes }

    /// Appends a record whose body is the parts one behind the other; returns its position. O(bytes).
    ///
    /// The parts are written as they lie, in one call. Fails with `.limit` when the body is longer than `longestBody`,
    /// and with `.disk` when the disk is full or broken.
    public func append(kind: UInt16, version: UInt16 = 1, _ parts: [UnsafeRawBufferPointer]) throws(Failure) -> UInt64 {
        let length = parts.reduce(0) { $0 + $1.count }
        guard length <= longestBody else {
            throw Failure(.limit, "a record of \(length) bytes does not fit a segment of \(folder); raise segmentBytes")
        }
        if tailIsDirty { try clearTail() }
        if !fits(RecordHeader.recordBytes(length)) { try roll() }
        let record = RecordHeader(kind: kind, version: version, length: length, position: end)
        record.encode(into: head.start, body: parts)
        let padding = record.recordBytes - RecordHeader.bytes - length
        (head.start + RecordHeader.bytes).put(UInt64(0), at: 0)
        var pieces: [UnsafeRawBufferPointer] = []
        pieces.reserveCapacity(parts.count + 2)
        pieces.append(UnsafeRawBufferPointer(start: head.start, count: RecordHeader.bytes))
        pieces.append(contentsOf: parts)
        pieces.append(UnsafeRawBufferPointer(start: head.start + RecordHeader.bytes, count: padding))
        do throws(Failure) {
            try openActive().write(pieces, at: fileOffset(end))
        } catch {
            tailIsDirty = true
            throw error
        }
        end = record.next
        return record.position
    }

    /// Returns when all records so far survive a power cut. Costs a wait for the disk.
    ///
    /// After a failure it is not known which of the records since the last success are on the disk, even when a later
    /// call succeeds: the kernel may have given their pages up. Opening the log tells.
    public func sync() throws(Failure) {
        for segment in rolled { try segment.file.synchronize() }
        if end > synchronizedEnd, let active { try active.synchronize() }
        if folderChanged { try disk.synchronizeFolder(folder) }
        rolled = []
        folderChanged = false
        synchronizedEnd = end
    }

    /// Removes the segments whose records are all below `position`; the one that is written now stays.
    public func trim(below position: UInt64) throws(Failure) {
        while segments.count > 1, segments[1].base <= position {
            try removeFile(SegmentHeader.name(segments[0].base))
            // Bytes of a removed file need no synchronising: closed, they never reach the disk.
            rolled.removeAll { $0.base == segments[0].base }
            segments.removeFirst()
        }
    }

    /// Takes back all records from `position` on, which must be the position of a record or the end.
    func cut(to position: UInt64) throws(Failure) {
        precondition(position <= end, "a log is cut below its end")
        guard position < end else { return }
        active = nil
        while let last = segments.last, segments.count > 1, last.base >= position {
            try removeFile(SegmentHeader.name(last.base))
            segments.removeLast()
        }
        end = max(position, begin)
        synchronizedEnd = min(synchronizedEnd, end)
        mustRoll = false
        try truncateTail()
        try openActive().synchronize()
        try disk.synchronizeFolder(folder)
    }

    // MARK: Segments

    func path(_ name: String) -> String { folder + "/" + name }

    private func fileOffset(_ position: UInt64) -> UInt64 {
        UInt64(SegmentHeader.bytes) + position - (segments.last?.base ?? 0)
    }

    private func fits(_ bytes: Int) -> Bool {
        if mustRoll || segments.isEmpty { return false }
        // A segment that is empty takes any record that passed the check of its length.
        return fileOffset(end) + UInt64(bytes) <= UInt64(segmentBytes)
    }

    func openActive() throws(Failure) -> any DiskFile {
        if let active { return active }
        guard let last = segments.last else { throw Failure(.disk, "\(folder) has no segment; open the log again") }
        let file = try disk.open(path(SegmentHeader.name(last.base)), .write)
        active = file
        return file
    }

    /// Begins a new segment at the end of the log. On a failure nothing has changed.
    func roll() throws(Failure) {
        let name = path(SegmentHeader.name(end))
        let file = try disk.open(name, .create)
        do throws(Failure) {
            try file.preallocate(UInt64(segmentBytes))
            SegmentHeader(base: end, synchronized: synchronizedEnd).encode(into: head.start)
            try file.write([UnsafeRawBufferPointer(start: head.start, count: SegmentHeader.bytes)], at: 0)
        } catch {
            try? disk.unlink(name)
            throw error
        }
        if let active, !segments.isEmpty {
            // Gives the unused room back. It does no harm when that fails: readers go by the names of the files.
            let used = fileOffset(end)
            if (try? active.truncate(to: used)) != nil { segments[segments.count - 1].fileBytes = used }
            rolled.append((segments[segments.count - 1].base, active))
        }
        folderChanged = true
        mustRoll = false
        tailIsDirty = false
        active = file
        segments.append(Segment(base: end, fileBytes: UInt64(segmentBytes)))
    }

    /// Makes everything behind the end of the last segment zeros again.
    func clearTail() throws(Failure) {
        guard !segments.isEmpty, !mustRoll else { return }
        try truncateTail()
        try openActive().preallocate(UInt64(segmentBytes))
        segments[segments.count - 1].fileBytes = max(UInt64(segmentBytes), fileOffset(end))
        tailIsDirty = false
    }

    /// Takes away everything behind the end of the last segment.
    func truncateTail() throws(Failure) {
        guard !mustRoll else { return }
        tailIsDirty = true
        try openActive().truncate(to: fileOffset(end))
        segments[segments.count - 1].fileBytes = fileOffset(end)
    }

    private func removeFile(_ name: String) throws(Failure) {
        do throws(Failure) { try disk.unlink(path(name)) } catch { if error.code != .fileMissing { throw error } }
    }
}

/// One record as it lies in memory for a moment.
public struct LogRecordView {
    /// What the body is, a matter of the log's owner.
    public var kind: UInt16
    /// Version of the body's layout.
    public var version: UInt16
    /// Its place in the log.
    public var position: UInt64
    /// Where the next record begins.
    public var next: UInt64
    /// Valid as long as the view, or a copy of it, is in use.
    public var body: UnsafeRawBufferPointer
    /// What the body lies in.
    let memory: RawBytes

    init(_ header: RecordHeader, _ body: UnsafeRawBufferPointer, in memory: RawBytes) {
        self.memory = memory
        kind = header.kind
        version = header.version
        position = header.position
        next = header.next
        self.body = body
    }
}

/// How much of a log is read and checked when it is opened.
public enum LogVerification: Sendable {
    /// All records.
    case everything
    /// Those that may not have been on the disk when the last segment was begun: all that a power cut can harm.
    case unsynchronized
}

/// What opening a log found and did: nothing, after an orderly end.
public struct LogRecovery: Sendable, Equatable {
    /// Positions whose records are lost.
    public struct Gap: Sendable, Equatable {
        public var from: UInt64
        public var to: UInt64
    }

    /// Bytes of torn records at the end that were cut off.
    public var cutBytes: UInt64 = 0
    /// Ranges before the end that cannot be read, among the records that were checked; also those of earlier openings.
    public var gaps: [Gap] = []
    /// Records that were read and checked.
    public var checkedRecords = 0
}
