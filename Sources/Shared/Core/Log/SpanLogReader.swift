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
        guard case .record(let view) = try facts.step(at: position.offset), view.kind == SpanRecordKind.commit,
            view.version == FactsLayout.version
        else {
            throw Failure(.corrupt, "no facts block can be read at \(position) any more; it was trimmed or lost")
        }
        return try FactsBlock(view.body, at: view.position)
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
            return (try? FactsBlock(view.body, at: view.position)).map(LogRecord.commit)
        case SpanRecordKind.mark:
            guard view.body.count == FactsLayout.mark, let start = view.body.baseAddress else { return nil }
            return .mark(Epoch(start.little(0)), time: start.little(8))
        default: return nil
        }
    }
}

// MARK: Payload

/// The bytes of some points of one commit; used again for each read.
public final class PointBuffer {
    fileprivate let memory = RawBytes(capacity: 64 << 10)
    fileprivate var places: [(start: Int, count: Int)] = []
    fileprivate var runs: [PointRun] = []

    public init() {}

    /// How many points were read.
    public var count: Int { places.count }

    /// The bytes of a point, in the order of the rows asked for; valid until the next read.
    public subscript(index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory.bytes[places[index].start..<places[index].start + places[index].count])
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
    /// When the rows want at least half of the payload, all of it is read and its checksum is checked; else only the
    /// record's header is, and a damaged point is left to whoever decodes it. Fails with `.corrupt` when the payload is
    /// trimmed, damaged or not the one of these facts.
    public func readPoints(
        of header: FactsBlock.Header, _ rows: [FactsRow], into buffer: PointBuffer
    ) throws(Failure) {
        let wanted = try plan(header, rows, buffer)
        if wanted * 2 >= Int(header.payloadLength) {
            try readWhole(header, rows, buffer)
        } else {
            try readRuns(header, rows, buffer)
        }
    }

    /// Reads the points of some rows of a block, whose indices are smaller than its `rowCount`.
    public func readPoints(of block: FactsBlock, rows: [UInt32], into buffer: PointBuffer) throws(Failure) {
        try readPoints(of: block.header, rows.map(block.row), into: buffer)
    }

    /// Sorts the rows' ranges into runs; returns how many bytes they want.
    private func plan(
        _ header: FactsBlock.Header, _ rows: [FactsRow], _ buffer: PointBuffer
    ) throws(Failure) -> Int {
        buffer.runs.removeAll(keepingCapacity: true)
        buffer.places.removeAll(keepingCapacity: true)
        var order = Array(rows.indices)
        let isSorted = zip(rows, rows.dropFirst()).allSatisfy { $0.payloadOffset <= $1.payloadOffset }
        if !isSorted { order.sort { rows[$0].payloadOffset < rows[$1].payloadOffset } }
        var wanted = 0
        for index in order {
            let start = Int(rows[index].payloadOffset)
            let end = start + Int(rows[index].payloadLength)
            guard end <= Int(header.payloadLength) else {
                throw Failure(.corrupt, "a row of \(header.position) points behind its payload; ask by its own rows")
            }
            if let last = buffer.runs.last, start <= last.end + Self.tolerated {
                wanted += max(0, end - max(start, last.end))
                buffer.runs[buffer.runs.count - 1].end = max(last.end, end)
            } else {
                wanted += end - start
                buffer.runs.append(PointRun(start: start, end: end, memory: 0))
            }
        }
        return wanted
    }

    private func readWhole(
        _ header: FactsBlock.Header, _ rows: [FactsRow], _ buffer: PointBuffer
    ) throws(Failure) {
        let bytes = RecordHeader.bytes + Int(header.payloadLength)
        // The length was checked against the record's own header before so much memory is taken.
        _ = try payloadRecord(header)
        buffer.memory.reserveAnew(bytes)
        buffer.memory.count = bytes
        try payload.read(
            into: UnsafeMutableRawBufferPointer(start: buffer.memory.start, count: bytes), at: header.payloadPosition)
        guard let record = RecordHeader(at: buffer.memory.start, position: header.payloadPosition),
            record.length == Int(header.payloadLength), record.isIntact(at: buffer.memory.start)
        else { throw damaged(header) }
        buffer.places.append(
            contentsOf: rows.lazy.map { (RecordHeader.bytes + Int($0.payloadOffset), Int($0.payloadLength)) })
    }

    private func readRuns(
        _ header: FactsBlock.Header, _ rows: [FactsRow], _ buffer: PointBuffer
    ) throws(Failure) {
        _ = try payloadRecord(header)
        var bytes = 0
        for index in buffer.runs.indices {
            buffer.runs[index].memory = bytes
            bytes += buffer.runs[index].end - buffer.runs[index].start
        }
        buffer.memory.reserveAnew(bytes)
        buffer.memory.count = bytes
        for run in buffer.runs {
            let target = UnsafeMutableRawBufferPointer(
                start: buffer.memory.start + run.memory, count: run.end - run.start)
            try payload.read(into: target, at: header.payloadPosition + UInt64(RecordHeader.bytes + run.start))
        }
        for row in rows {
            let run = buffer.runs[Self.run(of: Int(row.payloadOffset), in: buffer.runs)]
            buffer.places.append((run.memory + Int(row.payloadOffset) - run.start, Int(row.payloadLength)))
        }
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
