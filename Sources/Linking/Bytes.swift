/// Reads numbers from bytes that may be torn or hostile: every read is checked and says `nil` past the end.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count &- offset }

    @inline(__always) mutating func byte() -> UInt8? {
        guard offset < bytes.count else { return nil }
        defer { offset &+= 1 }
        return bytes[offset]
    }

    /// An unsigned LEB128 number of at most 10 bytes.
    @inline(__always) mutating func varint() -> UInt64? {
        guard offset < bytes.count else { return nil }
        let first = bytes[offset]
        if first < 0x80 {
            offset &+= 1
            return UInt64(first)
        }
        guard bytes.count &- offset >= 8 else { return longVarint() }
        // Eight bytes at once: up to the first without the continuation bit, seven bits of each squeezed together.
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let ends = ~word & 0x8080_8080_8080_8080
        guard ends != 0 else { return longVarint() }
        var value = word & (ends ^ (ends &- 1)) & 0x7f7f_7f7f_7f7f_7f7f
        value = (value & 0x007f_007f_007f_007f) | ((value & 0x7f00_7f00_7f00_7f00) &>> 1)
        value = (value & 0x0000_3fff_0000_3fff) | ((value & 0x3fff_0000_3fff_0000) &>> 2)
        value = (value & 0x0000_0000_0fff_ffff) | ((value & 0x0fff_ffff_0000_0000) &>> 4)
        offset &+= (ends.trailingZeroBitCount &+ 1) &>> 3
        return value
    }

    @inline(never) private mutating func longVarint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count, shift < 64 {
            let next = bytes[offset]
            offset &+= 1
            if shift == 63, next > 1 { return nil }
            value |= UInt64(next & 0x7f) &<< shift
            if next < 0x80 { return value }
            shift &+= 7
        }
        return nil
    }

    @inline(__always) mutating func zigzag() -> Int64? {
        guard let value = varint() else { return nil }
        return Int64(bitPattern: (value &>> 1) ^ (0 &- (value & 1)))
    }

    @inline(__always) mutating func fixed<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        guard remaining >= MemoryLayout<Number>.size else { return nil }
        defer { offset &+= MemoryLayout<Number>.size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A count of things of at least `size` bytes each: more than the rest could hold is `nil`.
    mutating func count(ofSize size: Int) -> Int? {
        guard let value = varint(), value <= UInt64(remaining / max(1, size)) else { return nil }
        return Int(value)
    }
}

/// Appends numbers to bytes, in the forms that `ByteReader` reads.
struct ByteWriter: ~Copyable {
    private var column: Column<UInt8>

    init(reserving capacity: Int = 256) { column = Column(capacity: capacity) }

    var count: Int { column.count }
    /// What was written, as an array. O(bytes).
    var bytes: [UInt8] { Array(column.buffer) }

    /// Forgets what was written and keeps the memory.
    mutating func removeAll() { column.removeAll() }

    @inline(__always) mutating func byte(_ value: UInt8) { column.append(value) }

    @inline(__always) mutating func varint(_ value: UInt64) {
        column.reserve(10)
        let start = column.base + column.count
        var length = 0
        var value = value
        while value >= 0x80 {
            start[length] = UInt8(truncatingIfNeeded: value) | 0x80
            value &>>= 7
            length &+= 1
        }
        start[length] = UInt8(truncatingIfNeeded: value)
        column.advance(by: length &+ 1)
    }

    @inline(__always) mutating func zigzag(_ value: Int64) {
        varint(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    @inline(__always) mutating func fixed<Number: FixedWidthInteger>(_ value: Number) {
        let size = MemoryLayout<Number>.size
        column.reserve(size)
        UnsafeMutableRawPointer(column.base + column.count).storeBytes(of: value.littleEndian, as: Number.self)
        column.advance(by: size)
    }

    mutating func append(_ other: borrowing ByteWriter) {
        column.append(contentsOf: UnsafeBufferPointer(other.column.buffer))
    }
}
