import Linking
import Shared

/// A segment as it goes into the database.
struct SegmentImage {
    var spans = 0
    var traces = 0
    var errors = 0
    /// Earliest start and latest end of its spans, nanoseconds since 1970.
    var first = UInt64.max
    var last: UInt64 = 0
    /// Longest span, microseconds, as `DurationColumn` counts.
    var longest: UInt32 = 0
    var directory: [UInt8] = []
    var operations: [UInt8] = []
    /// Ordinal of the first span of each chunk.
    var chunkStarts: [Int] = []
    var chunks: [[UInt8]] = []
    var lookup: [UInt8] = []
    var columns: [(id: UInt32, data: [UInt8])] = []
    /// False when there were too many keys for a column each.
    var isFullyIndexed = true

    var bytes: Int {
        directory.count + operations.count + lookup.count + chunks.reduce(0) { $0 + $1.count }
            + columns.reduce(0) { $0 + $1.data.count }
    }
}

/// The traces of a segment, in the order of their spans.
///
///     zstd of: for each trace   u64 high   u64 low   varint spans   u64 start   varint duration (ns)
///                               u8 flags (1: an earlier segment has spans of it, 2: its root is here)
///                               varint place of the root, or of the earliest span, among its spans
struct SegmentDirectory {
    struct Entry: Sendable {
        var trace: TraceID
        var first: Int
        var count: Int
        var start: UInt64
        var duration: UInt64
        var flags: UInt8
        /// Ordinal of the root, or of the earliest span.
        var root: Int

        var continues: Bool { flags & 1 != 0 }
        var hasRoot: Bool { flags & 2 != 0 }
        var end: UInt64 { start &+ duration }
    }

    var entries: [Entry] = []

    init() {}

    /// Fails with `.corrupt` when the counts do not add up to `spans`.
    init(_ bytes: UnsafeRawBufferPointer, spans: Int, zstd: Zstd) throws(Failure) {
        let content = try zstd.decompress(bytes, limit: StoreLimits.packedBytesMax)
        let damaged = Failure(.corrupt, "a directory of the trace store is damaged")
        var entries: [Entry] = []
        let isWhole = content.withUnsafeBytes { bytes in
            var cursor = RowCursor(bytes)
            var first = 0
            while !cursor.isAtEnd {
                guard let high = cursor.fixed(UInt64.self), let low = cursor.fixed(UInt64.self),
                    let count = cursor.varint(), count > 0, count <= UInt64(spans - first),
                    let start = cursor.fixed(UInt64.self), let duration = cursor.varint(),
                    let flags = cursor.fixed(UInt8.self), let root = cursor.varint(), root < count
                else { return false }
                entries.append(
                    Entry(
                        trace: TraceID(high: high, low: low), first: first, count: Int(count), start: start,
                        duration: duration, flags: flags, root: first + Int(root)))
                first += Int(count)
            }
            return first == spans
        }
        guard isWhole else { throw damaged }
        self.entries = entries
    }

    /// The bytes of the entries, before zstd.
    var content: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * 36)
        for entry in entries {
            PackedWriter.fixed(entry.trace.high, to: &bytes)
            PackedWriter.fixed(entry.trace.low, to: &bytes)
            PackedWriter.varint(UInt64(entry.count), to: &bytes)
            PackedWriter.fixed(entry.start, to: &bytes)
            PackedWriter.varint(entry.duration, to: &bytes)
            bytes.append(entry.flags)
            PackedWriter.varint(UInt64(entry.root - entry.first), to: &bytes)
        }
        return bytes
    }

    /// The trace that a span is of. O(log traces).
    func index(ofSpan ordinal: Int) -> Int {
        var low = 0
        var high = entries.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if entries[middle].first <= ordinal { low = middle } else { high = middle }
        }
        return low
    }
}

/// Finds traces by id in a segment: hashes of 32 bits, sorted, and which trace each stands for. Application trace ids
/// that a trace's spans name are in it, too.
///
///     u32 count, count × u32 hash, count × u32 index of the trace
struct SegmentLookup {
    /// Most entries a trace has beside its own id.
    static let aliasesPerTrace = 4

    /// Of the low half alone, so that an id is found by its low 64 bits, too.
    static func hash(_ id: TraceID) -> UInt32 { UInt32(truncatingIfNeeded: StableHash.of(0, id.low) &>> 32) }

    static func packed(_ entries: [(hash: UInt32, index: UInt32)]) -> [UInt8] {
        let sorted = entries.sorted { ($0.hash, $0.index) < ($1.hash, $1.index) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 + sorted.count * 8)
        PackedWriter.fixed(UInt32(sorted.count), to: &bytes)
        for entry in sorted { PackedWriter.fixed(entry.hash, to: &bytes) }
        for entry in sorted { PackedWriter.fixed(entry.index, to: &bytes) }
        return bytes
    }

    /// Indices of the traces that may have the id. O(log traces).
    static func find(_ hash: UInt32, in bytes: UnsafeRawBufferPointer, _ body: (Int) -> Void) {
        guard bytes.count >= 4 else { return }
        func word(_ index: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self))
        }
        let count = Int(word(0))
        guard bytes.count >= 4 + 8 * count else { return }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if word(1 + middle) < hash { low = middle + 1 } else { high = middle }
        }
        while low < count, word(1 + low) == hash {
            body(Int(word(1 + count + low)))
            low += 1
        }
    }
}

/// Durations of the spans of a segment: microseconds, rounded down, at most `UInt32.max` (71 minutes); zstd of four
/// bytes each.
enum DurationColumn {
    static func microseconds(_ nanoseconds: UInt64) -> UInt32 { UInt32(clamping: nanoseconds / 1_000) }

    static func values(_ bytes: UnsafeRawBufferPointer, spans: Int, zstd: Zstd) throws(Failure) -> [UInt32] {
        let content = try zstd.decompress(bytes, limit: spans * 4)
        guard content.count == spans * 4 else { throw SegmentColumn.damaged }
        return content.withUnsafeBytes { bytes in
            (0..<spans).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 &* 4, as: UInt32.self)) }
        }
    }
}

/// What the services of a segment did.
///
///     zstd of: for each operation   u32 resource   varint length + name   varint spans   varint errors
struct SegmentOperation: Sendable {
    var resource: UInt32
    var name: String
    var spans: Int
    var errors: Int

    static func packed(_ operations: [SegmentOperation], _ zstd: Zstd) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        for operation in operations {
            PackedWriter.fixed(operation.resource, to: &bytes)
            Array(operation.name.utf8).withUnsafeBytes { PackedWriter.counted($0, to: &bytes) }
            PackedWriter.varint(UInt64(operation.spans), to: &bytes)
            PackedWriter.varint(UInt64(operation.errors), to: &bytes)
        }
        return try zstd.compress(bytes)
    }

    static func list(_ bytes: UnsafeRawBufferPointer, _ zstd: Zstd) throws(Failure) -> [SegmentOperation] {
        let content = try zstd.decompress(bytes, limit: StoreLimits.packedBytesMax)
        var list: [SegmentOperation] = []
        content.withUnsafeBytes { bytes in
            var cursor = RowCursor(bytes)
            while let resource = cursor.fixed(UInt32.self), let name = cursor.counted(), let spans = cursor.varint(),
                let errors = cursor.varint()
            {
                list.append(
                    SegmentOperation(
                        resource: resource, name: String(decoding: name, as: UTF8.self), spans: Int(clamping: spans),
                        errors: Int(clamping: errors)))
            }
        }
        return list
    }
}
