import Linking

/// A printed id: up to 32 ASCII characters in four words, without a heap object.
struct IDText {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var length = 0

    /// "0"
    static let zero = IDText(words: (0x30, 0, 0, 0), length: 1)

    /// 16 lower-case hexadecimal digits; "0" for 0.
    @inline(__always) static func hex(_ value: UInt64) -> IDText {
        guard value != 0 else { return zero }
        return IDText(words: (digits(value &>> 32), digits(value), 0, 0), length: 16)
    }

    /// 32 lower-case hexadecimal digits; "0" when both halves are 0.
    @inline(__always) static func hex(_ id: TraceID) -> IDText {
        guard !id.isNone else { return zero }
        return IDText(
            words: (digits(id.high &>> 32), digits(id.high), digits(id.low &>> 32), digits(id.low)), length: 32)
    }

    /// The low 32 bits as eight hexadecimal digits, the first one in the lowest byte.
    @inline(__always) private static func digits(_ value: UInt64) -> UInt64 {
        var lanes = UInt64(UInt32(truncatingIfNeeded: value).byteSwapped)
        lanes = (lanes | lanes &<< 16) & 0x0000_ffff_0000_ffff
        lanes = (lanes | lanes &<< 8) & 0x00ff_00ff_00ff_00ff
        lanes = (lanes &>> 4 & 0x000f_000f_000f_000f) | (lanes & 0x000f_000f_000f_000f) &<< 8
        let letters = (lanes &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        return lanes &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }

    /// Up to 20 decimal digits.
    static func decimal(_ value: UInt64) -> IDText {
        var text = IDText()
        withUnsafeMutableBytes(of: &text.words) { buffer in
            guard let base = buffer.baseAddress else { return }
            var writer = ByteWriter(base: base, capacity: buffer.count)
            writer.write(decimal: value)
            text.length = writer.count
        }
        return text
    }
}

/// Writes into memory whose size was worked out before; going beyond it is a bug of ours.
struct ByteWriter {
    let base: UnsafeMutableRawPointer
    let capacity: Int
    var count = 0

    init(base: UnsafeMutableRawPointer, capacity: Int) {
        self.base = base
        self.capacity = capacity
    }

    /// Checked once for several writes, which are then unchecked.
    @inline(__always) func expectRoom(_ bytes: Int) {
        precondition(capacity &- count >= bytes, "the size of an exported point was worked out too small")
    }

    @inline(__always) mutating func write(_ byte: UInt8) {
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always) mutating func write(word: UInt64, length: Int) {
        base.storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt64.self)
        count &+= length
    }

    @inline(__always) mutating func write(_ bytes: UnsafeRawPointer, _ length: Int) {
        (base + count).copyMemory(from: bytes, byteCount: length)
        count &+= length
    }

    @inline(__always) mutating func write(_ text: StaticString) {
        write(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    /// Needs room for 32 bytes, whatever the length.
    @inline(__always) mutating func write(_ text: IDText) {
        base.storeBytes(of: text.words.0.littleEndian, toByteOffset: count, as: UInt64.self)
        base.storeBytes(of: text.words.1.littleEndian, toByteOffset: count &+ 8, as: UInt64.self)
        base.storeBytes(of: text.words.2.littleEndian, toByteOffset: count &+ 16, as: UInt64.self)
        base.storeBytes(of: text.words.3.littleEndian, toByteOffset: count &+ 24, as: UInt64.self)
        count &+= text.length
    }

    @inline(__always) mutating func write(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            write(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        write(UInt8(truncatingIfNeeded: rest))
    }

    /// Up to 20 digits.
    mutating func write(decimal value: UInt64) {
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20, value >= bound {
            digits &+= 1
            bound = bound &* 10
        }
        var rest = value
        var at = count &+ digits
        count = at
        repeat {
            at &-= 1
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            base.storeBytes(of: 0x30 &+ UInt8(truncatingIfNeeded: remainder), toByteOffset: at, as: UInt8.self)
            rest = quotient
        } while rest != 0
    }

    /// Up to 20 characters.
    @inline(__always) mutating func write(decimal value: Int64) {
        if value < 0 { write(UInt8(ascii: "-")) }
        write(decimal: value.magnitude)
    }
}
