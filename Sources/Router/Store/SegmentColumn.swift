import Linking
import Shared

/// Numbers of the columns of fixed fields; attributes have the number of their word.
enum ColumnID {
    /// The name's bytes.
    static let name: UInt32 = 1
    /// The resource's number, 4 bytes little-endian.
    static let resource: UInt32 = 2
    /// The scope's word, 4 bytes little-endian.
    static let scope: UInt32 = 3
    /// One byte: kind | status << 4.
    static let kindAndStatus: UInt32 = 4
    /// Not a column of values: durations in microseconds, 4 bytes each, see `DurationColumn`.
    static let duration: UInt32 = 5
}

/// One field of all spans of a segment, for searching without reading spans.
///
/// Up to 255 distinct values: each once, and a byte a span that says which one (0: the span has none). More: a 16-bit
/// fingerprint a span (0: none), which tells the few spans that may have a value.
///
///     u8 form      0 values, 1 fingerprints
///     values:      u8 count, each varint length + bytes; then zstd of a byte a span, nothing when all have the first
///     fingerprints: zstd of two bytes a span, little-endian
struct SegmentColumn {
    enum Form {
        case values([[UInt8]], codes: [UInt8])
        case prints([UInt16])
    }

    var form: Form

    /// The fingerprint of a value; never 0.
    @inline(__always) static func print(_ hash: UInt64) -> UInt16 {
        let print = UInt16(truncatingIfNeeded: hash &>> 48)
        return print == 0 ? 1 : print
    }

    static func print(of value: [UInt8]) -> UInt16 { print(value.withUnsafeBytes { StableHash.of($0) }) }

    /// Reads a column of `spans` spans. Fails with `.corrupt`.
    init(_ bytes: UnsafeRawBufferPointer, spans: Int, zstd: Zstd) throws(Failure) {
        var cursor = RowCursor(bytes)
        switch cursor.fixed(UInt8.self) {
        case 0: form = try Self.values(&cursor, spans, zstd)
        case 1:
            guard let packed = cursor.bytes(cursor.remaining) else { throw Self.damaged }
            let content = try zstd.decompress(packed, limit: spans * 2)
            guard content.count == spans * 2 else { throw Self.damaged }
            form = .prints(
                content.withUnsafeBytes { bytes in
                    (0..<spans).map {
                        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 &* 2, as: UInt16.self))
                    }
                })
        default: throw Self.damaged
        }
    }

    private static func values(_ cursor: inout RowCursor, _ spans: Int, _ zstd: Zstd) throws(Failure) -> Form {
        var values: [[UInt8]] = []
        guard let count = cursor.fixed(UInt8.self) else { throw damaged }
        for _ in 0..<count {
            guard let value = cursor.counted() else { throw damaged }
            values.append(Array(value))
        }
        guard !cursor.isAtEnd else { return .values(values, codes: Array(repeating: 1, count: spans)) }
        guard let packed = cursor.bytes(cursor.remaining) else { throw damaged }
        let codes = try zstd.decompress(packed, limit: spans)
        guard codes.count == spans, codes.allSatisfy({ $0 <= count }) else { throw damaged }
        return .values(values, codes: codes)
    }

    static var damaged: Failure { Failure(.corrupt, "a column of the trace store is damaged") }
}

/// Gathers one field of the spans of a segment in the making.
final class ColumnBuilder {
    let id: UInt32
    private let spans: Int
    private let codes: UnsafeMutablePointer<UInt8>
    private let prints: UnsafeMutablePointer<UInt16>
    private var filled = 0
    /// Open addressing: hash and code of each distinct value.
    private var slots: [(hash: UInt64, code: UInt8)] = Array(repeating: (0, 0), count: 64)
    private var distinct = 0
    private var values: [UInt8] = []
    private var hasOverflowed = false
    private var lastHash: UInt64 = 0
    private var lastCode: UInt8 = 0

    init(id: UInt32, spans: Int) {
        self.id = id
        self.spans = spans
        codes = .allocate(capacity: spans)
        codes.initialize(repeating: 0, count: spans)
        prints = .allocate(capacity: spans)
        prints.initialize(repeating: 0, count: spans)
    }

    deinit {
        codes.deallocate()
        prints.deallocate()
    }

    /// Notes the value of a span; the first one counts when a key repeats. `ordinal` is below the count of spans.
    @inline(__always) func add(_ ordinal: Int, _ value: UnsafeRawBufferPointer) {
        let hash = StableHash.of(value)
        guard prints[ordinal] == 0 else { return }
        prints[ordinal] = SegmentColumn.print(hash)
        filled &+= 1
        if hasOverflowed { return }
        if hash != lastHash || lastCode == 0 {
            lastHash = hash
            lastCode = code(hash, value)
        }
        codes[ordinal] = lastCode
    }

    private func code(_ hash: UInt64, _ value: UnsafeRawBufferPointer) -> UInt8 {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot].code != 0 {
            if slots[slot].hash == hash { return slots[slot].code }
            slot = (slot + 1) & (slots.count - 1)
        }
        guard distinct < StoreLimits.distinctValues, value.count <= StoreLimits.valueBytes else {
            hasOverflowed = true
            return 0
        }
        distinct += 1
        slots[slot] = (hash, UInt8(distinct))
        PackedWriter.counted(value, to: &values)
        if distinct * 2 > slots.count { growSlots() }
        return UInt8(distinct)
    }

    private func growSlots() {
        let old = slots
        slots = Array(repeating: (0, 0), count: old.count * 2)
        for entry in old where entry.code != 0 {
            var slot = Int(truncatingIfNeeded: entry.hash) & (slots.count - 1)
            while slots[slot].code != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = entry
        }
    }

    /// The column as it is stored.
    func packed(_ zstd: Zstd) throws(Failure) -> [UInt8] {
        if hasOverflowed {
            return try [1] + zstd.compress(UnsafeRawBufferPointer(start: prints, count: spans * 2))
        }
        let head = [0, UInt8(distinct)] + values
        if distinct == 1, filled == spans { return head }
        return try head + zstd.compress(UnsafeRawBufferPointer(start: codes, count: spans))
    }
}

/// Appends numbers and runs of bytes to an array.
enum PackedWriter {
    static func varint(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    static func fixed<Number: FixedWidthInteger>(_ value: Number, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    static func counted(_ content: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        varint(UInt64(content.count), to: &bytes)
        bytes += content
    }
}
