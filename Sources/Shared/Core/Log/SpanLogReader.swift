import CIntrinsics
import Linking

/// One entry of a router's facts log.
public enum LogRecord: Sendable {
    case commit(FactsBlock)
    /// No later commit has an epoch ≤ this one. The time is the wall clock, nanoseconds since 1970.
    case mark(Epoch, time: Int64)
    /// Nothing can be read here: trimmed, damaged, or written by a later version.
    case gap(from: LogPosition, to: LogPosition)
}

/// Reads one router's span log, in any process on its machine, while the router writes it.
///
/// One owner, not thread-safe. Every facts record is checked as a whole (CRC32C, then its structure) before anything
/// of it is handed out.
public final class SpanLogReader {
    private let facts: SegmentedLogReader
    private let payload: SegmentedLogReader
    private let header = RawBytes(capacity: RecordHeader.bytes)

    /// A reader of the span log in `folder`, which need not be there yet.
    public init(disk: any Disk, folder: String) {
        facts = SegmentedLogReader(disk: disk, folder: folder + "/facts")
        payload = SegmentedLogReader(disk: disk, folder: folder + "/payload")
    }

    /// The entry at a position and the position of the next one; nil at the end for now.
    ///
    /// - Parameters:
    ///   - position: 0 to begin with, else what was returned as `next`.
    ///   - end: the end that the router told; nothing beyond it is read.
    public func next(
        from position: LogPosition, end: LogPosition? = nil
    ) throws(Failure) -> (record: LogRecord, next: LogPosition)? {
        switch try facts.step(at: position.offset, end: end?.offset) {
        case .end:
            try payload.closeTrimmed()
            return nil
        case .gap(let to): return (.gap(from: position, to: LogPosition(to)), LogPosition(to))
        case .record(let view):
            let next = LogPosition(view.next)
            return (Self.decode(view) ?? .gap(from: position, to: next), next)
        }
    }

    /// The facts block at a position that a reader was given before. Fails with `.corrupt` when it is gone.
    public func block(at position: LogPosition) throws(Failure) -> FactsBlock {
        guard case .record(let view) = try facts.step(at: position.offset, readsAhead: false),
            view.kind == SpanRecordKind.commit, view.version == FactsLayout.version
        else {
            throw Failure(.corrupt, "no facts block can be read at \(position) any more; it was trimmed or lost")
        }
        return try FactsBlock(view.body, at: view.position, in: view.memory)
    }

    /// Whether the facts at a position were trimmed, rather than damaged.
    public func isTrimmed(_ position: LogPosition) throws(Failure) -> Bool { try facts.isTrimmed(position.offset) }

    /// Path of the file that holds the facts at a position, for messages.
    public func path(at position: LogPosition) -> String { facts.path(at: position.offset) }

    /// Some rows of the facts block at a position, in the order asked for.
    ///
    /// The block is read and checked whole, so ask once for all rows of a block. Fails with `.corrupt` when the block
    /// is gone or has no such row.
    public func facts(
        at position: LogPosition, rows: [UInt32]
    ) throws(Failure) -> (header: FactsBlock.Header, rows: [FactsRow]) {
        let block = try block(at: position)
        guard rows.allSatisfy({ $0 < block.header.rowCount }) else {
            throw Failure(.corrupt, "the facts block at \(position) has \(block.rowCount) rows; the verdict is wrong")
        }
        return (block.header, rows.map(block.row))
    }

    private static func decode(_ view: LogRecordView) -> LogRecord? {
        guard view.version == FactsLayout.version else { return nil }
        switch view.kind {
        case SpanRecordKind.commit:
            return (try? FactsBlock(view.body, at: view.position, in: view.memory)).map(LogRecord.commit)
        case SpanRecordKind.mark:
            guard view.body.count == FactsLayout.mark, let start = view.body.baseAddress else { return nil }
            return .mark(Epoch(start.little(0)), time: start.little(8))
        default: return nil
        }
    }
}

// MARK: Payload

/// The bytes of points as they lie in the payload log; used again once nobody else needs them.
///
/// One owner writes it, by `readPoints` and `removeAll`; whoever else holds it only reads, and only what was there
/// when it was handed on.
public final class PointBuffer: @unchecked Sendable {
    fileprivate let memory: RawBytes
    fileprivate var places: [Range<Int>] = []
    fileprivate var runs: [PointRun] = []
    fileprivate var order: [UInt64] = []

    /// No points.
    public static let none = PointBuffer(UnsafeRawBufferPointer(start: nil, count: 0), points: [])

    public init() { memory = RawBytes(capacity: 64 << 10) }

    /// A copy of `bytes`, and the ranges of it that are points.
    public init(_ bytes: UnsafeRawBufferPointer, points: [Range<Int>]) {
        precondition(points.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= bytes.count }, "a point outside")
        memory = RawBytes(copying: bytes)
        places = points
    }

    /// How many points are there.
    public var count: Int { places.count }
    /// Bytes of memory in use: the points, and what was read along with them.
    public var byteCount: Int { memory.count }
    /// Bytes of memory held.
    public var capacity: Int { memory.capacity }

    /// Forgets all points and keeps the memory.
    public func removeAll() {
        memory.count = 0
        places.removeAll(keepingCapacity: true)
    }

    /// Brings a point into the cache, up to 2 KiB of it; nothing for a place that is none.
    ///
    /// Splicing steps from field to field, each a cache miss that waits for the one before it: 1.2 µs a point without.
    public func prefetch(_ index: Int) {
        guard index < places.count else { return }
        let place = places[index]
        let start = UnsafeRawPointer(memory.start) + place.lowerBound
        for offset in stride(from: 0, to: min(place.count, 2048), by: 64) { ebpftrace_prefetch(start + offset) }
    }

    /// The bytes of a point, in the order in which they were read; valid until the buffer is written again.
    public subscript(index: Int) -> UnsafeRawBufferPointer {
        let place = places[index]
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(memory.start) + place.lowerBound, count: place.count)
    }
}

/// A range of a commit's payload that is read in one go, and where it lands in memory.
private struct PointRun {
    var start: Int
    var end: Int
    var memory: Int
}

extension SpanLogReader {
    /// Unwanted bytes between two points that are read along rather than skipped.
    private static let tolerated = 4096

    /// Reads the points of some rows of a commit. O(bytes of them, and those between close neighbours).
    ///
    /// - Parameter appending: the points come behind those that the buffer holds, which else forgets them.
    ///
    /// When the rows want at least half of the payload, all of it is read and its checksum is checked; else only the
    /// record's header is, and a damaged point is left to whoever decodes it. Fails with `.corrupt` when the payload is
    /// trimmed, damaged or not the one of these facts; nothing was added to the buffer then.
    public func readPoints(
        of header: FactsBlock.Header, _ rows: [FactsRow], into buffer: PointBuffer, appending: Bool = false
    ) throws(Failure) {
        if !appending { buffer.removeAll() }
        let before = (bytes: buffer.memory.count, points: buffer.places.count)
        do throws(Failure) {
            let wanted = try bytes(of: rows, header)
            if wanted * 2 >= Int(header.payloadLength) {
                try readWhole(header, rows, buffer)
            } else {
                plan(rows, buffer)
                try readRuns(header, rows, buffer)
            }
        } catch {
            buffer.memory.count = before.bytes
            buffer.places.removeLast(buffer.places.count - before.points)
            throw error
        }
    }

    /// Reads the points of some rows of a block, whose indices are smaller than its `rowCount`.
    public func readPoints(of block: FactsBlock, rows: [UInt32], into buffer: PointBuffer) throws(Failure) {
        try readPoints(of: block.header, rows.map(block.row), into: buffer)
    }

    /// How many bytes the points of the rows have together.
    private func bytes(of rows: [FactsRow], _ header: FactsBlock.Header) throws(Failure) -> Int {
        var sum = 0
        for row in rows {
            guard UInt64(row.payloadOffset) + UInt64(row.payloadLength) <= UInt64(header.payloadLength) else {
                throw Failure(.corrupt, "a row of \(header.position) points behind its payload; ask by its own rows")
            }
            sum += Int(row.payloadLength)
        }
        return sum
    }

    /// Sorts the rows' ranges into runs. O(rows · log rows).
    private func plan(_ rows: [FactsRow], _ buffer: PointBuffer) {
        // Offset and index in one number: such an array is sorted without asking anyone.
        buffer.order.removeAll(keepingCapacity: true)
        for (index, row) in rows.enumerated() {
            buffer.order.append(UInt64(row.payloadOffset) << 32 | UInt64(UInt32(truncatingIfNeeded: index)))
        }
        buffer.order.sort()
        buffer.runs.removeAll(keepingCapacity: true)
        var run = PointRun(start: 0, end: -Self.tolerated - 1, memory: 0)
        for item in buffer.order {
            let start = Int(item >> 32)
            let end = start + Int(rows[Int(item & 0xffff_ffff)].payloadLength)
            if start <= run.end + Self.tolerated {
                run.end = max(run.end, end)
            } else {
                if run.end >= 0 { buffer.runs.append(run) }
                run = PointRun(start: start, end: end, memory: 0)
            }
        }
        if run.end >= 0 { buffer.runs.append(run) }
    }

    private func readWhole(
        _ header: FactsBlock.Header, _ rows: [FactsRow], _ buffer: PointBuffer
    ) throws(Failure) {
        let bytes = RecordHeader.bytes + Int(header.payloadLength)
        // The length was checked against the record's own header before so much memory is taken.
        _ = try payloadRecord(header)
        let place = extend(buffer, by: bytes)
        let start = buffer.memory.start + place
        try payload.read(
            into: UnsafeMutableRawBufferPointer(start: start, count: bytes), at: header.payloadPosition)
        guard let record = RecordHeader(at: start, position: header.payloadPosition),
            record.length == Int(header.payloadLength), record.isIntact(at: start)
        else { throw damaged(header) }
        buffer.places.reserveCapacity(buffer.places.count + rows.count)
        for row in rows {
            let first = place + RecordHeader.bytes + Int(row.payloadOffset)
            buffer.places.append(first..<first + Int(row.payloadLength))
        }
    }

    private func readRuns(
        _ header: FactsBlock.Header, _ rows: [FactsRow], _ buffer: PointBuffer
    ) throws(Failure) {
        _ = try payloadRecord(header)
        var bytes = 0
        for index in buffer.runs.indices {
            buffer.runs[index].memory = buffer.memory.count + bytes
            bytes += buffer.runs[index].end - buffer.runs[index].start
        }
        _ = extend(buffer, by: bytes)
        for run in buffer.runs {
            let target = UnsafeMutableRawBufferPointer(
                start: buffer.memory.start + run.memory, count: run.end - run.start)
            try payload.read(into: target, at: header.payloadPosition + UInt64(RecordHeader.bytes + run.start))
        }
        for row in rows {
            let run = buffer.runs[Self.run(of: Int(row.payloadOffset), in: buffer.runs)]
            let first = run.memory + Int(row.payloadOffset) - run.start
            buffer.places.append(first..<first + Int(row.payloadLength))
        }
    }

    /// Makes room behind what the buffer holds; returns where it begins.
    private func extend(_ buffer: PointBuffer, by bytes: Int) -> Int {
        let place = buffer.memory.count
        buffer.memory.reserve(place + bytes)
        buffer.memory.count = place + bytes
        return place
    }

    /// Index of the run that holds an offset. O(log runs).
    private static func run(of offset: Int, in runs: [PointRun]) -> Int {
        var low = 0
        var high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].start <= offset { low = middle } else { high = middle }
        }
        return low
    }

    /// Reads and checks the header of the payload record.
    private func payloadRecord(_ facts: FactsBlock.Header) throws(Failure) -> RecordHeader {
        try payload.read(
            into: UnsafeMutableRawBufferPointer(start: header.start, count: RecordHeader.bytes),
            at: facts.payloadPosition)
        guard let record = RecordHeader(at: header.start, position: facts.payloadPosition),
            record.kind == SpanRecordKind.payload, record.length == Int(facts.payloadLength)
        else { throw damaged(facts) }
        return record
    }

    private func damaged(_ header: FactsBlock.Header) -> Failure {
        Failure(
            .corrupt,
            "the payload at \(header.payloadPosition) of commit \(header.position) is damaged; its spans are lost")
    }
}
