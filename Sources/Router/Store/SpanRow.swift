import Linking
import Shared

/// A span as the store keeps it: OTLP's content with numbers for the names it shares with others.
///
///     u32 bytes that follow
///     u64 span id   u64 parent (0: none)   u64 start (ns)   u8 kind | status << 4
///     varint resource   varint scope (word)   varint duration (ns)
///     varint length + name   varint length + status message
///     varint count of attributes, each: varint word (0: varint length + key follows)   varint length + AnyValue
///     varint length + other fields of the OTLP Span message
///
/// Numbers are little-endian. The trace id stands in the segment's directory. Written by `RowEncoder`; rows come back
/// from the disk, so every read is checked.
struct SpanRow {
    let id: SpanID
    let parent: SpanID
    let start: UInt64
    let kindAndStatus: UInt8
    let resource: UInt32
    let scope: UInt32
    let duration: UInt64
    let name: UnsafeRawBufferPointer
    let statusMessage: UnsafeRawBufferPointer
    private let attributeCount: Int
    private let afterCount: RowCursor

    var kind: Int { Int(kindAndStatus & 15) }
    var status: Int { Int(kindAndStatus >> 4) }

    /// Reads the row at the cursor and moves it behind; nil when the bytes are no row.
    init?(_ cursor: inout RowCursor) {
        guard let length = cursor.fixed(UInt32.self), let bytes = cursor.bytes(Int(length)) else { return nil }
        var inner = RowCursor(bytes)
        guard let id = inner.fixed(UInt64.self), let parent = inner.fixed(UInt64.self),
            let start = inner.fixed(UInt64.self), let kindAndStatus = inner.fixed(UInt8.self),
            let resource = inner.varint(), let scope = inner.varint(), let duration = inner.varint(),
            let name = inner.counted(), let message = inner.counted(), let count = inner.varint()
        else { return nil }
        self.id = SpanID(id)
        self.parent = SpanID(parent)
        self.start = start
        self.kindAndStatus = kindAndStatus
        self.resource = UInt32(truncatingIfNeeded: resource)
        self.scope = UInt32(truncatingIfNeeded: scope)
        self.duration = duration
        self.name = name
        statusMessage = message
        attributeCount = Int(truncatingIfNeeded: min(count, UInt64(bytes.count)))
        afterCount = inner
    }

    /// Calls `body` with each attribute: its word (0 for a key that has none), key where it has none, value.
    @inline(__always) func forEachAttribute(
        _ body: (_ word: UInt32, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        var cursor = afterCount
        for _ in 0..<attributeCount {
            guard let word = cursor.varint() else { return }
            var key: UnsafeRawBufferPointer?
            if word == 0 {
                guard let text = cursor.counted() else { return }
                key = text
            }
            guard let value = cursor.counted() else { return }
            body(UInt32(truncatingIfNeeded: word), key, value)
        }
    }

    /// What OTLP has and the row does not name.
    var rest: [UInt8] {
        var cursor = afterCount
        for _ in 0..<attributeCount {
            guard let word = cursor.varint() else { return [] }
            if word == 0 { _ = cursor.counted() }
            _ = cursor.counted()
        }
        return cursor.counted().map { Array($0) } ?? []
    }
}

/// Reads numbers from bytes that may be damaged: every read is checked, and nil past the end.
struct RowCursor {
    private let base: UnsafeRawPointer?
    private(set) var position = 0
    private let end: Int

    @inline(__always) init(_ bytes: UnsafeRawBufferPointer) {
        base = bytes.baseAddress
        end = bytes.baseAddress == nil ? 0 : bytes.count
    }

    var isAtEnd: Bool { position >= end }
    var remaining: Int { end &- position }

    @inline(__always) mutating func fixed<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        guard let base, end &- position >= MemoryLayout<Number>.size else { return nil }
        defer { position &+= MemoryLayout<Number>.size }
        return Number(littleEndian: base.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    @inline(__always) mutating func varint() -> UInt64? {
        guard let base, position < end else { return nil }
        let first = base.load(fromByteOffset: position, as: UInt8.self)
        if first < 0x80 {
            position &+= 1
            return UInt64(first)
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end, shift < 64 {
            let byte = base.load(fromByteOffset: position, as: UInt8.self)
            position &+= 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        return nil
    }

    @inline(__always) mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard let base, count >= 0, end &- position >= count else { return nil }
        defer { position &+= count }
        return UnsafeRawBufferPointer(start: base + position, count: count)
    }

    /// A length and as many bytes.
    @inline(__always) mutating func counted() -> UnsafeRawBufferPointer? {
        guard let length = varint(), length <= UInt64(truncatingIfNeeded: end &- position) else { return nil }
        return bytes(Int(truncatingIfNeeded: length))
    }
}

/// Rows in memory that grows; written by one task, frozen before it is handed on.
final class RowBuffer: @unchecked Sendable {
    private(set) var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 1_024)
        base = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Makes room for `more` bytes behind those in use.
    @inline(__always) func reserve(_ more: Int) {
        if capacity &- count < more { grow(more) }
    }

    @inline(never) private func grow(_ more: Int) {
        let roomier = max(capacity * 2, count + more)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: roomier, alignment: 8)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = roomier
    }

    /// Sets how much is in use, after writing behind it into reserved room.
    @inline(__always) func setCount(_ count: Int) {
        precondition(count <= capacity, "a row was written beyond the room reserved for it")
        self.count = count
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        if let from = bytes.baseAddress { (base + count).copyMemory(from: from, byteCount: bytes.count) }
        count += bytes.count
    }
}

/// Where a row lies, and of which trace it is.
struct RowPlace: Sendable {
    var trace: TraceID
    var offset: Int
}

/// Rows that were written together.
struct RowBatch: Sendable {
    var rows: RowBuffer
    var places: [RowPlace]
}
