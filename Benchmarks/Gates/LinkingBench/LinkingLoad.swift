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

    /// Reads a file of points; its facts are kept, its bytes are not.
    init(bytes: UnsafeRawBufferPointer, isText: Bool, epochCount: Int) {
        var rules = IngestRules()
        rules.partitionCount = UInt16(Self.partitionCount)
        var loading = Loading()
        if isText {
            let rows = Self.rows(ofText: bytes, rules)
            loading.spansPerEpoch = max(1, (rows.count + epochCount - 1) / epochCount)
            for row in rows { loading.add(row, to: &self) }
        } else {
            let (bodies, points) = Self.bodies(bytes)
            loading.spansPerEpoch = max(1, (points + epochCount - 1) / epochCount)
            let walker = PointWalker(rules: rules)
            var batch = FactsBatch()
            for range in bodies {
                Self.decode(UnsafeRawBufferPointer(rebasing: bytes[range]), walker, &batch)
                for row in batch.rows { loading.add(row, to: &self) }
            }
        }
        loading.finishEpoch(of: &self)
    }

    /// The epoch and the commit in the making.
    private struct Loading {
        var spansPerEpoch = 1
        private var commit: [FactsRow] = []
        private var workers = [[Row]](repeating: [], count: LinkingLoad.workerCount)
        private var spansOfEpoch = 0
        private var position: UInt64 = 0

        mutating func add(_ row: FactsRow, to load: inout LinkingLoad) {
            commit.append(row)
            spansOfEpoch += 1
            load.spanCount += 1
            if commit.count == LinkingLoad.spansPerCommit { finishCommit() }
            if spansOfEpoch == spansPerEpoch { finishEpoch(of: &load) }
        }

        private mutating func finishCommit() {
            LinkingLoad.append(commit, position: LogPosition(position), to: &workers)
            position += 1 << 20
            commit.removeAll(keepingCapacity: true)
        }

        mutating func finishEpoch(of load: inout LinkingLoad) {
            guard spansOfEpoch > 0 else { return }
            finishCommit()
            load.epochs.append(workers)
            workers = [[Row]](repeating: [], count: LinkingLoad.workerCount)
            spansOfEpoch = 0
        }
    }

    private static func append(_ commit: [FactsRow], position: LogPosition, to workers: inout [[Row]]) {
        for (row, entry) in commit.sorted(by: { $0.partition < $1.partition }).enumerated() {
            let address = RowAddress(router: RouterOrdinal(0), position: position, row: UInt32(row))
            let worker = Int(entry.partition.number) * workerCount / partitionCount
            workers[worker].append(Row(facts: entry.facts, address: address))
        }
    }

    private static func rows(ofText body: UnsafeRawBufferPointer, _ rules: IngestRules) -> [FactsRow] {
        var batch = FactsBatch()
        do throws(BodyError) {
            _ = try BodyDecoder(rules: rules).decode(
                contentType: "text/plain", contentEncoding: nil, body: body, scope: 1, now: 0, into: &batch)
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
    private static func bodies(_ bytes: UnsafeRawBufferPointer) -> (ranges: [Range<Int>], points: Int) {
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
        return (ranges, points)
    }
}
