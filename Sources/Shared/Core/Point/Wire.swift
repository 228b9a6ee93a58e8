/// The protobuf wire of points, as far as we need it.
///
///     PBPoints   0a LEN PBPoint …                           arr = 1
///     PBPoint    0a LEN name   12 LEN Field …   18 VARINT   name = 1, fields = 2, time = 3 (ns since 1970)
///     Field      0a LEN key    then one value, then maybe is_tag, type, unit
///                10 VARINT  i = 2 (int64)       3a LEN     a = 7 (google.protobuf.Any)
///                18 VARINT  u = 3 (uint64)      40 VARINT  is_tag = 8
///                21 8 BYTES f = 4 (double)      48 VARINT  type = 9 (enum)
///                28 VARINT  b = 5 (bool)        52 LEN     unit = 10
///                32 LEN     d = 6 (bytes)       5a LEN     s = 11 (string)
///
/// Unknown fields of wire types 0, 1, 2 and 5 are stepped over; groups (3, 4) make a message malformed.
enum Wire {
    static let point: UInt8 = 0x0a
    static let name: UInt8 = 0x0a
    static let field: UInt8 = 0x12
    static let time: UInt8 = 0x18
    static let key: UInt8 = 0x0a
    static let isTag: UInt8 = 0x40
    static let metricType: UInt8 = 0x48
    static let unit: UInt8 = 0x52

    /// Bytes that a varint takes.
    @inline(__always) static func varintLength(_ value: UInt64) -> Int {
        // 1 + floor(bits / 7) without a division: (bits × 9 + 73) / 64.
        (((63 ^ ((value | 1).leadingZeroBitCount)) &* 9) &+ 73) &>> 6
    }

    /// Appends a varint.
    static func appendVarint(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}

/// The type of a field's value; the raw value is the protobuf tag that carries it.
public enum FieldKind: UInt8, Sendable, CaseIterable {
    /// int64
    case signed = 0x10
    /// uint64
    case unsigned = 0x18
    case double = 0x21
    case bool = 0x28
    case bytes = 0x32
    /// google.protobuf.Any, kept as raw bytes.
    case any = 0x3a
    case text = 0x5a
}

/// Reads protobuf out of a run of bytes. Every read is checked against the end; a failed read says so and never traps.
///
/// The caller keeps `base` alive and passes an `end` that lies within it.
struct WireReader {
    let base: UnsafeRawPointer
    var position: Int
    let end: Int

    @inline(__always) init(_ base: UnsafeRawPointer, from position: Int, to end: Int) {
        self.base = base
        self.position = position
        self.end = end
    }

    @inline(__always) var isAtEnd: Bool { position >= end }

    @inline(__always) func byte(_ offset: Int) -> UInt8 { base.load(fromByteOffset: offset, as: UInt8.self) }

    /// Reads a varint of 1 to 10 bytes; nil when it is cut off or does not fit 64 bits.
    @inline(__always) mutating func varint() -> UInt64? {
        guard position < end else { return nil }
        let first = byte(position)
        if first < 0x80 {
            position &+= 1
            return UInt64(first)
        }
        return longVarint()
    }

    @inline(__always) private mutating func longVarint() -> UInt64? {
        guard end &- position >= 8 else { return slowVarint() }
        let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        let stops = ~word & 0x8080_8080_8080_8080
        guard stops != 0 else { return slowVarint() }
        position &+= (stops.trailingZeroBitCount &+ 1) &>> 3
        return Self.compact(word & (stops ^ (stops &- 1)))
    }

    /// Squeezes the low 7 bits of 8 bytes together, in three steps instead of one a byte.
    @inline(__always) static func compact(_ word: UInt64) -> UInt64 {
        var bits = word & 0x7f7f_7f7f_7f7f_7f7f
        bits = (bits & 0x007f_007f_007f_007f) | ((bits & 0x7f00_7f00_7f00_7f00) &>> 1)
        bits = (bits & 0x0000_3fff_0000_3fff) | ((bits & 0x3fff_0000_3fff_0000) &>> 2)
        return (bits & 0x0000_0000_0fff_ffff) | ((bits & 0x0fff_ffff_0000_0000) &>> 4)
    }

    private mutating func slowVarint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end, shift < 64 {
            let next = byte(position)
            if shift == 63, next > 1 { return nil }
            position &+= 1
            value |= UInt64(next & 0x7f) &<< shift
            if next < 0x80 { return value }
            shift &+= 7
        }
        return nil
    }

    /// Reads a length and steps over that many bytes; nil when they are not there.
    @inline(__always) mutating func lengthDelimited() -> Range<Int>? {
        guard let length = varint(), length <= UInt64(truncatingIfNeeded: end &- position) else { return nil }
        let start = position
        position &+= Int(truncatingIfNeeded: length)
        return Range(uncheckedBounds: (start, position))
    }

    /// Steps over the value of a field whose tag was just read; false when that is not possible.
    mutating func skip(tag: UInt64) -> Bool {
        guard tag >> 3 != 0, tag >> 32 == 0 else { return false }
        switch tag & 7 {
        case 0: return varint() != nil
        case 1: return advance(8)
        case 2: return lengthDelimited() != nil
        case 5: return advance(4)
        default: return false
        }
    }

    @inline(__always) mutating func advance(_ count: Int) -> Bool {
        guard end &- position >= count else { return false }
        position &+= count
        return true
    }
}
