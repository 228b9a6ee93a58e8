import Linking

/// Growing memory that OTLP messages are written into, without a check per byte.
///
///     Span.attributes        4a LEN KeyValue         Resource.attributes   0a LEN KeyValue
///     KeyValue               0a LEN key  12 LEN AnyValue
///     AnyValue               0a LEN text | 10 BOOL | 18 INT64 | 21 DOUBLE | 3a LEN bytes
///
/// Lengths are worked out before the bytes are written, so each is a varint of the least length. `reserve` makes room;
/// what follows it writes unchecked. Texts are valid UTF-8 on the wire whatever came in: receivers refuse a whole
/// request for one bad byte.
struct OTLPWriter: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = max(64, capacity)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    /// Tag of an attribute in a span.
    static let spanAttribute: UInt8 = 0x4a
    /// Tag of an attribute in a resource.
    static let resourceAttribute: UInt8 = 0x0a
    /// What an attribute takes beside its key and the bytes of its text: tags and lengths.
    private static let attributeOverhead = 48

    /// Makes room for so many bytes beyond `count`. O(1) amortised.
    @inline(__always) mutating func reserve(_ bytes: Int) {
        if capacity &- count < bytes { grow(bytes) }
    }

    @inline(never) private mutating func grow(_ bytes: Int) {
        let wanted = max(capacity &* 2, count &+ bytes)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    /// Forgets what lies beyond a place.
    @inline(__always) mutating func cut(to place: Int) {
        precondition(place <= count, "cannot cut beyond what was written")
        count = place
    }

    /// Moves the bytes from `place` on to the front and forgets the others.
    mutating func keep(from place: Int) {
        precondition(place <= count, "cannot keep what was not written")
        base.copyMemory(from: base + place, byteCount: count &- place)
        count &-= place
    }

    // MARK: Unchecked

    @inline(__always) mutating func byte(_ value: UInt8) {
        base.storeBytes(of: value, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always) mutating func fixed(_ value: UInt64) {
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: UInt64.self)
        count &+= 8
    }

    @inline(__always) mutating func bigEndian(_ value: UInt64) {
        base.storeBytes(of: value.bigEndian, toByteOffset: count, as: UInt64.self)
        count &+= 8
    }

    @inline(__always) mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always) mutating func length(_ value: Int) { varint(UInt64(truncatingIfNeeded: value)) }

    @inline(__always) mutating func bytes(_ start: UnsafeRawPointer, _ length: Int) {
        (base + count).copyMemory(from: start, byteCount: length)
        count &+= length
    }

    @inline(__always) mutating func text(_ text: StaticString) {
        bytes(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    @inline(__always) mutating func text(_ text: IDText) {
        base.storeBytes(of: text.words.0.littleEndian, toByteOffset: count, as: UInt64.self)
        base.storeBytes(of: text.words.1.littleEndian, toByteOffset: count &+ 8, as: UInt64.self)
        base.storeBytes(of: text.words.2.littleEndian, toByteOffset: count &+ 16, as: UInt64.self)
        base.storeBytes(of: text.words.3.littleEndian, toByteOffset: count &+ 24, as: UInt64.self)
        count &+= text.length
    }

    // MARK: Attributes

    /// An attribute up to the tag of its value; `value` is the length of the AnyValue message.
    @inline(__always) private mutating func begin(_ tag: UInt8, _ key: StaticString, value: Int) {
        let keyLength = key.utf8CodeUnitCount
        reserve(keyLength &+ value &+ Self.attributeOverhead)
        byte(tag)
        length(keyLength &+ 3 &+ Wire.varintLength(UInt64(truncatingIfNeeded: value)) &+ value)
        byte(0x0a)
        byte(UInt8(truncatingIfNeeded: keyLength))
        text(key)
        byte(0x12)
        length(value)
    }

    /// An attribute with a text out of a point. Bytes that are no UTF-8 become U+FFFD.
    @inline(__always) mutating func attribute(
        _ key: StaticString, _ start: UnsafeRawPointer, _ length: Int, tag: UInt8 = spanAttribute
    ) {
        guard UTF8Text.isASCII(start, length) else { return repaired(tag, key, start, length) }
        raw(tag, key, start, length)
    }

    @inline(__always) private mutating func raw(
        _ tag: UInt8, _ key: StaticString, _ start: UnsafeRawPointer, _ length: Int
    ) {
        begin(tag, key, value: Self.lengthDelimited(length))
        byte(0x0a)
        self.length(length)
        bytes(start, length)
    }

    @inline(never) private mutating func repaired(
        _ tag: UInt8, _ key: StaticString, _ start: UnsafeRawPointer, _ length: Int
    ) {
        var text = UTF8Text.repaired(start, length)
        text.withUTF8 { bytes in
            if let start = bytes.baseAddress { raw(tag, key, UnsafeRawPointer(start), bytes.count) }
        }
    }

    @inline(__always) mutating func attribute(
        _ key: StaticString, _ value: StaticString, tag: UInt8 = spanAttribute
    ) {
        begin(tag, key, value: value.utf8CodeUnitCount &+ 2)
        byte(0x0a)
        byte(UInt8(truncatingIfNeeded: value.utf8CodeUnitCount))
        text(value)
    }

    @inline(__always) mutating func attribute(_ key: StaticString, _ value: IDText) {
        begin(Self.spanAttribute, key, value: value.length &+ 2)
        byte(0x0a)
        byte(UInt8(truncatingIfNeeded: value.length))
        text(value)
    }

    @inline(__always) mutating func attribute(_ key: StaticString, _ value: Int64) {
        let bits = UInt64(bitPattern: value)
        begin(Self.spanAttribute, key, value: Wire.varintLength(bits) &+ 1)
        byte(0x18)
        varint(bits)
    }

    @inline(__always) mutating func attribute(isTrue key: StaticString) {
        begin(Self.spanAttribute, key, value: 2)
        byte(0x10)
        byte(1)
    }

    /// Tag, length and bytes of a field with so many bytes.
    @inline(__always) static func lengthDelimited(_ length: Int) -> Int {
        1 &+ Wire.varintLength(UInt64(truncatingIfNeeded: length)) &+ length
    }
}

/// Texts as OTLP wants them.
enum UTF8Text {
    /// Eight bytes at a time.
    @inline(__always) static func isASCII(_ start: UnsafeRawPointer, _ length: Int) -> Bool {
        var bits: UInt64 = 0
        var at = 0
        while at &+ 8 <= length {
            bits |= start.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            at &+= 8
        }
        while at < length {
            bits |= UInt64(start.load(fromByteOffset: at, as: UInt8.self))
            at &+= 1
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }

    /// The text with U+FFFD for what is no UTF-8.
    @inline(never) static func repaired(_ start: UnsafeRawPointer, _ length: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }
}
