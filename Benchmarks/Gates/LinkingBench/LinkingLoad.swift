import Linking
import Shared

/// Link facts as a router would have logged them: commits of some thousand rows, sorted by partition, in epochs.
struct LinkingLoad {
    struct Row {
        var facts: SpanFacts
        var address: RowAddress
    }

    static let spansPerCommit = 4_096
    static let epochCount = 20
    static let workerCount = 2
    static let partitionCount = 256

    /// For each epoch and worker the rows it reads.
    private(set) var epochs: [[[Row]]] = []
    private(set) var spanCount = 0

    init(bytes: [UInt8], isText: Bool, epochCount: Int) {
        let rows = Self.rows(of: bytes, isText: isText)
        spanCount = rows.count
        let spansPerEpoch = max(1, (rows.count + epochCount - 1) / epochCount)
        var first = 0
        var position: UInt64 = 0
        while first < rows.count {
            let end = min(first + spansPerEpoch, rows.count)
            var workers = [[Row]](repeating: [], count: Self.workerCount)
            for start in stride(from: first, to: end, by: Self.spansPerCommit) {
                let commit = rows[start..<min(start + Self.spansPerCommit, end)]
                Self.append(commit, position: LogPosition(position), to: &workers)
                position += 1 << 20
            }
            epochs.append(workers)
            first = end
        }
    }

    private static func append(_ commit: ArraySlice<FactsRow>, position: LogPosition, to workers: inout [[Row]]) {
        for (row, entry) in commit.sorted(by: { $0.partition < $1.partition }).enumerated() {
            let address = RowAddress(router: RouterOrdinal(0), position: position, row: UInt32(row))
            let worker = Int(entry.partition.number) * workerCount / partitionCount
            workers[worker].append(Row(facts: entry.facts, address: address))
        }
    }

    /// Decodes a file of points in bodies of 256.
    private static func rows(of bytes: [UInt8], isText: Bool) -> [FactsRow] {
        var rules = IngestRules()
        rules.partitionCount = UInt16(partitionCount)
        let walker = PointWalker(rules: rules)
        if isText { return rows(ofText: bytes, rules) }
        var batch = FactsBatch()
        var rows: [FactsRow] = []
        let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 16)
        defer { whole.deallocate() }
        whole.copyBytes(from: bytes)
        for range in bodies(bytes) {
            decode(UnsafeRawBufferPointer(rebasing: whole[range]), walker, &batch)
            rows += batch.rows
        }
        return rows
    }

    private static func rows(ofText bytes: [UInt8], _ rules: IngestRules) -> [FactsRow] {
        var batch = FactsBatch()
        do throws(BodyError) {
            _ = try bytes.withRawBytes { (body) throws(BodyError) in
                try BodyDecoder(rules: rules).decode(
                    contentType: "text/plain", contentEncoding: nil, body: body, scope: 1, now: 0, into: &batch)
            }
        } catch {
            LinkingBench.fail("not decoded: \(error)", code: 65)
        }
        return batch.rows
    }

    /// Not inlined: see DecodeGate.
    @inline(never)
    private static func decode(_ body: UnsafeRawBufferPointer, _ walker: PointWalker, _ batch: inout FactsBatch) {
        batch.removeAll()
        do throws(BodyError) {
            try walker.decode(body, scope: 1, into: &batch)
        } catch {
            LinkingBench.fail("not decoded: \(error)", code: 65)
        }
    }

    /// Cuts `PBPoints` into bodies of 256 points; what is no `PBPoints` ends the cutting.
    private static func bodies(_ bytes: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        var at = 0
        var points = 0
        while at < bytes.count, bytes[at] == 0x0A {
            var length = 0
            var shift = 0
            at += 1
            while at < bytes.count, shift < 28 {
                let byte = Int(bytes[at])
                at += 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            guard length <= bytes.count - at else { break }
            at += length
            points += 1
            if points % 256 == 0 {
                ranges.append(start..<at)
                start = at
            }
        }
        if start < at, points % 256 != 0 { ranges.append(start..<at) }
        return ranges
    }
}
