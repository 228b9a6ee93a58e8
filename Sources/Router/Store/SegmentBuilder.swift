import Linking
import Shared

/// Makes a segment of rows: spans of a trace side by side, a column for each field, an index of the traces.
///
/// Pure: the same rows give the same segment. O(spans × (attributes + log spans)).
struct SegmentBuilder {
    /// Words whose values are application trace ids, or other ids of the trace.
    struct AliasWords {
        var applicationTrace: UInt32?
        var linkedTrace: UInt32?

        init(_ names: StoreNames.Snapshot) {
            applicationTrace = names.key("ebpf.app_trace_id")
            linkedTrace = names.key("ebpftrace.trace_id")
        }
    }

    private struct Place {
        var trace: TraceID
        var batch: Int32
        var offset: Int32
    }

    private let aliasWords: AliasWords
    /// Words that get no column: every span has another value, and nobody asks for it.
    private let unindexed: Set<UInt32>
    private let zstd: Zstd

    init(names: StoreNames.Snapshot, zstd: Zstd) {
        aliasWords = AliasWords(names)
        unindexed = Set(["ebpf.ktime"].compactMap { names.key($0) })
        self.zstd = zstd
    }

    /// - Parameter isKnown: whether an earlier segment has spans of a trace.
    func build(_ batches: [RowBatch], isKnown: (TraceID) -> Bool) throws(Failure) -> SegmentImage {
        let places = sorted(batches)
        var making = Making(spans: places.count, unindexed: unindexed, aliasWords: aliasWords)
        var index = 0
        while index < places.count {
            let trace = places[index].trace
            var end = index
            making.beginTrace(trace, isKnown: isKnown(trace))
            while end < places.count, places[end].trace == trace {
                let rows = batches[Int(places[end].batch)].rows.bytes[Int(places[end].offset)...]
                let bytes = UnsafeRawBufferPointer(rebasing: rows)
                var cursor = RowCursor(bytes)
                guard let row = SpanRow(&cursor) else { throw Failure(.corrupt, "a row of the trace store is damaged") }
                try making.add(row, UnsafeRawBufferPointer(rebasing: bytes[..<cursor.position]), zstd)
                end += 1
            }
            making.endTrace()
            index = end
        }
        return try making.image(zstd)
    }

    private func sorted(_ batches: [RowBatch]) -> [Place] {
        var places: [Place] = []
        places.reserveCapacity(batches.reduce(0) { $0 + $1.places.count })
        for (index, batch) in batches.enumerated() {
            for place in batch.places {
                places.append(Place(trace: place.trace, batch: Int32(index), offset: Int32(place.offset)))
            }
        }
        places.sort { left, right in
            if left.trace.low != right.trace.low { return left.trace.low < right.trace.low }
            if left.trace.high != right.trace.high { return left.trace.high < right.trace.high }
            return (left.batch, left.offset) < (right.batch, right.offset)
        }
        return places
    }
}

/// A segment in the making.
private struct Making {
    private let spans: Int
    private let unindexed: Set<UInt32>
    private let aliasWords: SegmentBuilder.AliasWords
    private var image = SegmentImage()
    private var directory = SegmentDirectory()
    private var lookup: [(hash: UInt32, index: UInt32)] = []
    private var columns: [ColumnBuilder] = []
    /// Place in `columns` of each column id, -1 for none.
    private var columnPlaces: [Int32] = []
    private let name: ColumnBuilder
    private let resource: ColumnBuilder
    private let scope: ColumnBuilder
    private let kindAndStatus: ColumnBuilder
    private var durations: [UInt32] = []
    private var chunk = RowBuffer(capacity: StoreLimits.chunkBytes * 2)
    private var chunkStart = 0
    private var operations: [OperationKey: (spans: Int, errors: Int)] = [:]
    private var ordinal = 0
    // The trace that is open.
    private var entry = SegmentDirectory.Entry(
        trace: .none, first: 0, count: 0, start: .max, duration: 0, flags: 0, root: 0)
    private var lastEnd: UInt64 = 0
    private var aliases: [TraceID] = []

    private struct OperationKey: Hashable {
        var resource: UInt32
        var name: UInt64
    }
    private var operationNames: [UInt64: String] = [:]

    init(spans: Int, unindexed: Set<UInt32>, aliasWords: SegmentBuilder.AliasWords) {
        self.spans = spans
        self.unindexed = unindexed
        self.aliasWords = aliasWords
        name = ColumnBuilder(id: ColumnID.name, spans: spans)
        resource = ColumnBuilder(id: ColumnID.resource, spans: spans)
        scope = ColumnBuilder(id: ColumnID.scope, spans: spans)
        kindAndStatus = ColumnBuilder(id: ColumnID.kindAndStatus, spans: spans)
        durations.reserveCapacity(spans)
    }

    mutating func beginTrace(_ trace: TraceID, isKnown: Bool) {
        entry = SegmentDirectory.Entry(
            trace: trace, first: ordinal, count: 0, start: .max, duration: 0, flags: isKnown ? 1 : 0, root: ordinal)
        lastEnd = 0
        aliases.removeAll(keepingCapacity: true)
    }

    mutating func add(_ row: SpanRow, _ bytes: UnsafeRawBufferPointer, _ zstd: Zstd) throws(Failure) {
        if chunk.count > 0, chunk.count + bytes.count > StoreLimits.chunkBytes { try endChunk(zstd) }
        chunk.append(bytes)
        let isRoot = row.parent == .none && !entry.hasRoot
        if isRoot || (row.start < entry.start && !entry.hasRoot) { entry.root = ordinal }
        if isRoot { entry.flags |= 2 }
        entry.start = min(entry.start, row.start)
        lastEnd = max(lastEnd, row.start &+ row.duration)
        entry.count += 1
        let duration = DurationColumn.microseconds(row.duration)
        durations.append(duration)
        image.longest = max(image.longest, duration)
        addFields(row)
        addAttributes(row)
        ordinal += 1
    }

    private mutating func addFields(_ row: SpanRow) {
        name.add(ordinal, row.name)
        withUnsafeBytes(of: row.resource.littleEndian) { resource.add(ordinal, $0) }
        withUnsafeBytes(of: row.scope.littleEndian) { scope.add(ordinal, $0) }
        withUnsafeBytes(of: row.kindAndStatus) { kindAndStatus.add(ordinal, $0) }
        let isError = row.status == 2
        if isError { image.errors += 1 }
        let hash = StableHash.of(row.name)
        let key = OperationKey(resource: row.resource, name: hash)
        if operations[key] == nil {
            guard operations.count < StoreLimits.operationsPerService else { return }
            if operationNames[hash] == nil {
                operationNames[hash] = String(decoding: row.name.prefix(StoreLimits.valueBytes), as: UTF8.self)
            }
        }
        operations[key, default: (0, 0)].spans += 1
        if isError { operations[key, default: (0, 0)].errors += 1 }
    }

    private mutating func addAttributes(_ row: SpanRow) {
        row.forEachAttribute { word, _, value in
            guard word != 0 else {
                image.isFullyIndexed = false
                return
            }
            if let column = column(word) { column.add(ordinal, value) }
            if word == aliasWords.applicationTrace || word == aliasWords.linkedTrace { addAlias(value) }
        }
    }

    @inline(__always) private mutating func column(_ word: UInt32) -> ColumnBuilder? {
        let index = Int(word)
        if index < columnPlaces.count, columnPlaces[index] >= 0 { return columns[Int(columnPlaces[index])] }
        return newColumn(word)
    }

    @inline(never) private mutating func newColumn(_ word: UInt32) -> ColumnBuilder? {
        guard !unindexed.contains(word), word < StoreNames.firstWord + UInt32(StoreLimits.words) else { return nil }
        guard columns.count < StoreLimits.columns else {
            image.isFullyIndexed = false
            return nil
        }
        let index = Int(word)
        if index >= columnPlaces.count {
            columnPlaces.append(contentsOf: repeatElement(-1, count: index + 1 - columnPlaces.count))
        }
        columnPlaces[index] = Int32(columns.count)
        let column = ColumnBuilder(id: word, spans: spans)
        columns.append(column)
        return column
    }

    private mutating func addAlias(_ value: UnsafeRawBufferPointer) {
        guard case .string(let text) = OTLPValue(value), let id = TraceIDText.parse(text), id != entry.trace,
            aliases.count < SegmentLookup.aliasesPerTrace, !aliases.contains(id)
        else { return }
        aliases.append(id)
    }

    mutating func endTrace() {
        entry.duration = lastEnd &- entry.start
        image.first = min(image.first, entry.start)
        image.last = max(image.last, lastEnd)
        let index = UInt32(directory.entries.count)
        directory.entries.append(entry)
        lookup.append((SegmentLookup.hash(entry.trace), index))
        for alias in aliases { lookup.append((SegmentLookup.hash(alias), index)) }
    }

    private mutating func endChunk(_ zstd: Zstd) throws(Failure) {
        image.chunks.append(try zstd.compress(chunk.bytes))
        image.chunkStarts.append(chunkStart)
        chunkStart = ordinal
        chunk.setCount(0)
    }

    consuming func image(_ zstd: Zstd) throws(Failure) -> SegmentImage {
        if chunk.count > 0 { try endChunk(zstd) }
        image.spans = ordinal
        image.traces = directory.entries.count
        image.directory = try zstd.compress(directory.content)
        image.lookup = SegmentLookup.packed(lookup)
        let list = operations.map { key, counts in
            SegmentOperation(
                resource: key.resource, name: operationNames[key.name] ?? "", spans: counts.spans,
                errors: counts.errors)
        }
        image.operations = try SegmentOperation.packed(
            list.sorted { ($0.resource, $0.name) < ($1.resource, $1.name) }, zstd)
        for column in [name, resource, scope, kindAndStatus] + columns {
            image.columns.append((column.id, try column.packed(zstd)))
        }
        let packed = durations.withUnsafeBytes { bytes in Result { try zstd.compress(bytes) } }
        do {
            image.columns.append((ColumnID.duration, try packed.get()))
        } catch {
            throw Failure(.limit, "zstd could not compress durations", cause: error)
        }
        return image
    }
}
