// A verdict block: the merge's final answers for spans, in the order of the logs.
//
//     header    magic "EVB1" · version u8 · watermark epoch
//     ids       eBPF traces: count × (high u64, low u64) · application traces: count × (high u64, low u64)
//     commits   count × (router · position, by difference · rows)
//     rows      of all commits: row difference × 2 + kept; of kept ones: verdict flags u8 · evidence and marks u8
//               · trace · application trace (flag applicationTrace) · parent id u64 (mark 16) · span id u64 (mark 32)
//
// Written by the merge, appended to the verdict log (which makes it true), read by the owners of the rows. A span's id
// is the one in its facts row unless the block names another. Numbers are LEB128 where no width is named.

/// Reads a verdict block commit by commit. Torn or hostile bytes are a `CodecError`, never a trap.
public struct VerdictDecoder {
    /// A commit of which the block decides rows.
    public struct Commit: Hashable, Sendable {
        public var router: RouterOrdinal
        public var position: LogPosition
        public var rows: Int
    }

    /// The verdict of one row. `verdict` is `nil` for a dropped span; its `spanID` is none unless the block names one.
    public struct Row: Hashable, Sendable {
        public var row: UInt32
        public var verdict: SpanVerdict?
    }

    public let watermark: Epoch
    public let commits: [Commit]
    private let traces: [TraceID]
    private let applications: [TraceID]
    private var reader: ByteReader
    private var commit = 0

    /// Reads header and commits. The bytes must stay as they are until the last row is read.
    public init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
        var reader = ByteReader(bytes)
        for expected in VerdictFormat.magic {
            guard reader.byte() == expected else { throw CodecError("not a verdict block: magic EVB1 is missing") }
        }
        guard reader.byte() == VerdictFormat.version else {
            throw CodecError("verdict block: version is not \(VerdictFormat.version)")
        }
        guard let epoch = reader.varint() else { throw CodecError("verdict block: header is torn") }
        watermark = Epoch(epoch)
        traces = try Self.readIDs(&reader)
        applications = try Self.readIDs(&reader)
        guard let count = reader.count(ofSize: 3) else { throw CodecError("verdict block: commits are torn") }
        var commits: [Commit] = []
        var position: UInt64 = 0
        for _ in 0..<count {
            guard let router = reader.varint(), router <= 65_535, let difference = reader.zigzag(),
                let rows = reader.varint(), rows <= UInt64(reader.remaining)
            else { throw CodecError("verdict block: commits are torn") }
            position = position &+ UInt64(bitPattern: difference)
            commits.append(
                Commit(router: RouterOrdinal(UInt16(router)), position: LogPosition(position), rows: Int(rows)))
        }
        self.commits = commits
        self.reader = reader
    }

    private static func readIDs(_ reader: inout ByteReader) throws(CodecError) -> [TraceID] {
        guard let count = reader.count(ofSize: 16) else { throw CodecError("verdict block: trace ids are torn") }
        var ids: [TraceID] = []
        ids.reserveCapacity(count)
        for _ in 0..<count {
            guard let high = reader.fixed(UInt64.self), let low = reader.fixed(UInt64.self) else {
                throw CodecError("verdict block: trace ids are torn")
            }
            ids.append(TraceID(high: high, low: low))
        }
        return ids
    }

    /// The next commit and the verdicts of its rows, in the order of rows; `nil` after the last.
    public mutating func next(into rows: inout [Row]) throws(CodecError) -> Commit? {
        rows.removeAll(keepingCapacity: true)
        guard commit < commits.count else {
            guard reader.remaining == 0 else { throw CodecError("verdict block: bytes after the last row") }
            return nil
        }
        let current = commits[commit]
        var number: UInt64 = 0
        for _ in 0..<current.rows {
            guard let code = reader.varint() else { throw CodecError("verdict block: rows are torn") }
            number += code >> 1
            guard number <= UInt64(UInt32.max) else { throw CodecError("verdict block: a row is out of range") }
            rows.append(Row(row: UInt32(number), verdict: code & 1 == 0 ? nil : try readVerdict()))
        }
        commit += 1
        return current
    }

    private mutating func readVerdict() throws(CodecError) -> SpanVerdict {
        guard let flags = reader.byte(), let head = reader.byte(), let evidence = LinkEvidence(rawValue: head & 15),
            let trace = reader.varint(), trace < UInt64(traces.count)
        else { throw CodecError("verdict block: a verdict is torn") }
        var verdict = SpanVerdict(
            flags: VerdictFlags(rawValue: flags), evidence: evidence, spanID: .none, parentID: .none,
            ebpfTraceID: traces[Int(trace)], traceID: traces[Int(trace)])
        if verdict.flags.contains(.applicationTrace) {
            guard let application = reader.varint(), application < UInt64(applications.count) else {
                throw CodecError("verdict block: a verdict is torn")
            }
            verdict.traceID = applications[Int(application)]
        }
        if head & VerdictFormat.hasParent != 0 {
            guard let parent = reader.fixed(UInt64.self) else { throw CodecError("verdict block: a verdict is torn") }
            verdict.parentID = SpanID(parent)
        }
        if head & VerdictFormat.hasExplicitID != 0 {
            guard let id = reader.fixed(UInt64.self) else { throw CodecError("verdict block: a verdict is torn") }
            verdict.spanID = SpanID(id)
        }
        return verdict
    }
}
