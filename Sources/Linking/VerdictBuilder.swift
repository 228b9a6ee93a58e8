import CIntrinsics

/// Collects the verdicts of one step of the merge and writes them as verdict blocks.
public struct VerdictBuilder {
    /// The verdict of one span that is kept, as the merge has it.
    struct Kept {
        var flags: VerdictFlags
        var evidence: LinkEvidence
        var parent: SpanID
        var ebpfTrace: TraceID
        /// The trace id in effect.
        var trace: TraceID
        /// Set when the span may not use the id its facts say (`span_id_conflict`).
        var explicitID: SpanID
    }

    /// The same as it waits for its block: half a cache line, since blocks visit verdicts in the order of the log,
    /// which is random here.
    private struct Waiting {
        var flags: VerdictFlags
        var evidence: LinkEvidence
        /// Place of its eBPF trace id in `traces`, and of the application's in `applications`.
        var trace: UInt32
        var application: UInt32
        var parent: SpanID
        var explicitID: SpanID
    }

    struct Row {
        var slot: UInt32
        var row: UInt32
        /// Index + 1 into `kept`; 0: dropped.
        var kept: UInt32
    }

    private var commits: [(router: RouterOrdinal, position: LogPosition)] = []
    private var rows: [Row] = []
    private var kept: [Waiting] = []
    /// Trace ids as they came: spans of one trace come together, so an id is seldom there twice.
    private var traces: [TraceID] = []
    private var applications: [TraceID] = []

    public init() {}

    /// Spans decided so far.
    public var count: Int { rows.count }
    public var keptCount: Int { kept.count }
    public var isEmpty: Bool { rows.isEmpty }

    func holds(_ slot: UInt32, router: RouterOrdinal, position: LogPosition) -> Bool {
        slot < UInt32(commits.count) && commits[Int(slot)].router == router && commits[Int(slot)].position == position
    }

    mutating func add(router: RouterOrdinal, position: LogPosition) -> UInt32 {
        commits.append((router, position))
        return UInt32(commits.count - 1)
    }

    @inline(__always) mutating func drop(commit slot: UInt32, row: UInt32) {
        rows.append(Row(slot: slot, row: row, kept: 0))
    }

    /// Takes rows of dropped spans (`kept` 0), several at once.
    @inline(__always) mutating func drop(_ rows: borrowing Column<Row>) {
        self.rows.append(contentsOf: UnsafeBufferPointer(rows.buffer))
    }

    mutating func keep(_ verdict: Kept, commit slot: UInt32, row: UInt32) {
        var application: UInt32 = 0
        if traces.last != verdict.ebpfTrace { traces.append(verdict.ebpfTrace) }
        if verdict.flags.contains(.applicationTrace) {
            if applications.last != verdict.trace { applications.append(verdict.trace) }
            application = UInt32(applications.count - 1)
        }
        kept.append(
            Waiting(
                flags: verdict.flags, evidence: verdict.evidence, trace: UInt32(traces.count - 1),
                application: application, parent: verdict.parent, explicitID: verdict.explicitID))
        rows.append(Row(slot: slot, row: row, kept: UInt32(kept.count)))
    }

    /// Takes rows out that have a verdict already (a merge that runs again after a restart).
    public mutating func leaveOut(_ isDecided: (RouterOrdinal, LogPosition, UInt32) -> Bool) {
        rows.removeAll { isDecided(commits[Int($0.slot)].router, commits[Int($0.slot)].position, $0.row) }
    }

    /// Writes what was collected as blocks of at most `spansPerBlock` spans, in the order of the log, and starts anew.
    public mutating func finish(watermark: Epoch, spansPerBlock: Int) -> [[UInt8]] {
        defer { self = VerdictBuilder() }
        sortRows()
        var blocks: [[UInt8]] = []
        var traceIDs = BlockTraces(all: traces)
        var applicationIDs = BlockTraces(all: applications)
        var from = 0
        while from < rows.count {
            let to = min(rows.count, from + max(1, spansPerBlock))
            blocks.append(block(from..<to, watermark, &traceIDs, &applicationIDs))
            from = to
        }
        return blocks
    }

    /// By commit (router, position), then row: two counting sorts, the second one stable.
    private mutating func sortRows() {
        let order = commits.indices.sorted {
            (commits[$0].router, commits[$0].position) < (commits[$1].router, commits[$1].position)
        }
        sortByRow()
        var rank = [UInt32](repeating: 0, count: commits.count)
        for (place, commit) in order.enumerated() { rank[commit] = UInt32(place) }
        commits = order.map { commits[$0] }
        rows = Self.countingSort(rows, keys: commits.count) { Int(rank[Int($0.slot)]) }
        rows.withUnsafeMutableBufferPointer { rows in
            for place in rows.indices { rows[place].slot = rank[Int(rows[place].slot)] }
        }
    }

    /// Rows are small numbers, so that a counting sort is cheap; odd ones are compared.
    private mutating func sortByRow() {
        let largest = rows.reduce(0) { max($0, $1.row) }
        guard largest < 65_536 || Int(largest) < rows.count else {
            rows.sort { $0.row < $1.row }
            return
        }
        rows = Self.countingSort(rows, keys: Int(largest) + 1) { Int($0.row) }
    }

    /// Stable; `key` is at least 0 and less than `keys`. O(rows + keys).
    @inline(__always) private static func countingSort(_ rows: [Row], keys: Int, key: (Row) -> Int) -> [Row] {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: keys + 1) { next in
            next.initialize(repeating: 0)
            return rows.withUnsafeBufferPointer { rows in
                for row in rows { next[key(row) &+ 1] &+= 1 }
                for place in 0..<keys { next[place &+ 1] &+= next[place] }
                return [Row](unsafeUninitializedCapacity: rows.count) { sorted, count in
                    for row in rows {
                        let key = key(row)
                        sorted[Int(next[key])] = row
                        next[key] &+= 1
                    }
                    count = rows.count
                }
            }
        }
    }

    private func block(
        _ range: Range<Int>, _ watermark: Epoch, _ traces: inout BlockTraces, _ applications: inout BlockTraces
    ) -> [UInt8] {
        traces.startBlock()
        applications.startBlock()
        var heads = ByteWriter()
        var body = ByteWriter(reserving: range.count * 4)
        var commitCount: UInt64 = 0
        var position: UInt64 = 0
        var place = range.lowerBound
        while place < range.upperBound {
            let slot = rows[place].slot
            var end = place
            var lastRow: UInt32 = 0
            while end < range.upperBound, rows[end].slot == slot {
                let row = rows[end]
                prefetchKept(end + 12)
                body.varint(UInt64(row.row - lastRow) << 1 | (row.kept == 0 ? 0 : 1))
                lastRow = row.row
                if row.kept != 0 { write(kept[Int(row.kept) - 1], to: &body, &traces, &applications) }
                end += 1
            }
            heads.varint(UInt64(commits[Int(slot)].router.number))
            heads.zigzag(Int64(bitPattern: commits[Int(slot)].position.offset &- position))
            position = commits[Int(slot)].position.offset
            heads.varint(UInt64(end - place))
            commitCount += 1
            place = end
        }
        var out = ByteWriter(reserving: body.count + heads.count + 64)
        for byte in VerdictFormat.magic { out.byte(byte) }
        out.byte(VerdictFormat.version)
        out.varint(watermark.number)
        traces.write(to: &out)
        applications.write(to: &out)
        out.varint(commitCount)
        out.append(heads)
        out.append(body)
        return out.bytes
    }

    @inline(__always) private func prefetchKept(_ place: Int) {
        guard place < rows.count, rows[place].kept != 0 else { return }
        let index = Int(rows[place].kept) - 1
        kept.withUnsafeBufferPointer { ebpftrace_prefetch($0.baseAddress.map { $0 + index }) }
    }

    @inline(__always) private func write(
        _ verdict: Waiting, to body: inout ByteWriter, _ traces: inout BlockTraces, _ applications: inout BlockTraces
    ) {
        body.byte(verdict.flags.rawValue)
        var head = verdict.evidence.rawValue
        if verdict.parent != .none { head |= VerdictFormat.hasParent }
        if verdict.explicitID != .none { head |= VerdictFormat.hasExplicitID }
        body.byte(head)
        body.varint(UInt64(traces.index(of: verdict.trace)))
        if verdict.flags.contains(.applicationTrace) {
            body.varint(UInt64(applications.index(of: verdict.application)))
        }
        if verdict.parent != .none { body.fixed(verdict.parent.bits) }
        if verdict.explicitID != .none { body.fixed(verdict.explicitID.bits) }
    }
}

/// Trace ids that a block names by number, in the order in which its rows name them.
private struct BlockTraces {
    /// The ids of all blocks, by the number that verdicts have of them.
    private let all: [TraceID]
    /// For each of them: the block that named it last, and its number there.
    private var numbers: [(block: UInt32, number: UInt32)]
    private var block: UInt32 = 0
    private var ids: [TraceID] = []

    init(all: [TraceID]) {
        self.all = all
        numbers = Array(repeating: (0, 0), count: all.count)
    }

    mutating func startBlock() {
        block += 1
        ids.removeAll(keepingCapacity: true)
    }

    @inline(__always) mutating func index(of trace: UInt32) -> UInt32 {
        if numbers[Int(trace)].block == block { return numbers[Int(trace)].number }
        let number = UInt32(ids.count)
        numbers[Int(trace)] = (block, number)
        ids.append(all[Int(trace)])
        return number
    }

    func write(to out: inout ByteWriter) {
        out.varint(UInt64(ids.count))
        for id in ids {
            out.fixed(id.high)
            out.fixed(id.low)
        }
    }
}

/// Constants of the format, for writer and reader.
enum VerdictFormat {
    static let magic: [UInt8] = Array("EVB1".utf8)
    static let version: UInt8 = 1
    static let hasParent: UInt8 = 1 << 4
    static let hasExplicitID: UInt8 = 1 << 5
}
