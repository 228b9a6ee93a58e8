/// One `Field` message, read but not copied: offsets into the bytes it was read from.
struct RawField {
    /// Offset and length of the key.
    var keyStart = 0
    var keyLength = 0
    /// The protobuf tag of the value (`FieldKind`), or 0: no value.
    var kind: UInt8 = 0
    /// The number, or the offset of the text, bytes or Any.
    var bits: UInt64 = 0
    /// Length of the text, bytes or Any.
    var length = 0
    var isTag = false
    /// Offset of the value's tag, and end of the value.
    var valueTag = 0
    var valueEnd = 0

    /// The range of a text, bytes or Any value.
    @inline(__always) var valueStart: Int { Int(truncatingIfNeeded: bits) }

    @inline(__always) var isText: Bool { kind == FieldKind.text.rawValue || kind == FieldKind.bytes.rawValue }

    /// Reads a field in the usual form whose head is known; false when its value is in another form, or malformed.
    @inline(__always) mutating func read(_ base: UnsafeRawPointer, _ head: FieldHead) -> Bool {
        let tag = base.load(fromByteOffset: head.value, as: UInt8.self)
        if tag == FieldKind.text.rawValue {
            guard head.isPlainText(base) else { return false }
            bits = UInt64(truncatingIfNeeded: head.value &+ 2)
            length = head.end &- head.value &- 2
        } else {
            guard tag == FieldKind.signed.rawValue, let number = head.number(base) else { return false }
            bits = number
        }
        kind = tag
        keyStart = head.keyStart
        keyLength = head.keyLength
        isTag = false
        return true
    }

    /// Reads any form, fields in any order; of repeated ones the last wins.
    @inline(never) mutating func readAny(_ base: UnsafeRawPointer, from start: Int, to end: Int) -> Bool {
        self = RawField()
        keyStart = start
        var reader = WireReader(base, from: start, to: end)
        while !reader.isAtEnd {
            let at = reader.position
            guard let tag = reader.varint() else { return false }
            // A known tag takes one byte; written longer, it makes the message malformed.
            if tag < 0x80, reader.position != at &+ 1 { return false }
            guard let known = UInt8(exactly: tag), readKnown(known, &reader) else {
                guard UInt8(exactly: tag).map(Self.isKnown) != true, reader.skip(tag: tag) else { return false }
                continue
            }
        }
        return true
    }

    private static func isKnown(_ tag: UInt8) -> Bool {
        tag == Wire.key || tag == Wire.isTag || FieldKind(rawValue: tag) != nil
    }

    /// Reads the value of a tag that we know; false when it is another one, or cut off.
    private mutating func readKnown(_ tag: UInt8, _ reader: inout WireReader) -> Bool {
        if tag == Wire.key {
            guard let range = reader.lengthDelimited() else { return false }
            keyStart = range.lowerBound
            keyLength = range.count
            return true
        }
        if tag == Wire.isTag {
            guard let value = reader.varint() else { return false }
            isTag = value != 0
            return true
        }
        guard let kind = FieldKind(rawValue: tag) else { return false }
        return readValue(kind, &reader)
    }

    private mutating func readValue(_ kind: FieldKind, _ reader: inout WireReader) -> Bool {
        valueTag = reader.position &- 1
        switch kind {
        case .signed, .unsigned, .bool:
            guard let value = reader.varint() else { return false }
            bits = kind == .bool ? (value != 0 ? 1 : 0) : value
        case .double:
            let at = reader.position
            guard reader.advance(8) else { return false }
            bits = UInt64(littleEndian: reader.base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        case .bytes, .any, .text:
            guard let range = reader.lengthDelimited() else { return false }
            bits = UInt64(truncatingIfNeeded: range.lowerBound)
            length = range.count
        }
        self.kind = kind.rawValue
        valueEnd = reader.position
        return true
    }
}

/// Where the parts of a field in the usual form lie: `12 L 0a K key value`, with L and K below 128 and nothing missing.
///
/// All fields that agents send have this form; what has not is left to `RawField.readAny`.
struct FieldHead {
    /// End of the field.
    let end: Int
    let keyStart: Int
    let keyLength: Int
    /// Offset of the value's tag; at least one byte follows it.
    let value: Int

    /// The head of the element of `PBPoint.fields` at `position`, or nil. About fifteen instructions.
    @inline(__always) init?(_ base: UnsafeRawPointer, at position: Int, limit: Int) {
        guard limit &- position >= 8 else { return nil }
        let word = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        // Tag 12, a length without the high bit, and tag 0a at once.
        guard word & 0x00ff_80ff == 0x000a_0012 else { return nil }
        end = position &+ 2 &+ Int(truncatingIfNeeded: (word &>> 8) & 0xff)
        keyStart = position &+ 4
        keyLength = Int(truncatingIfNeeded: word &>> 24)
        value = keyStart &+ keyLength
        // A key length of 128 or more is beyond any end that fits in here; the empty key is for the general loop.
        guard end <= limit, value &+ 2 <= end, keyLength != 0 else { return nil }
    }

    /// True when the value is a text (its tag is known to say so) that ends where the field ends.
    @inline(__always) func isPlainText(_ base: UnsafeRawPointer) -> Bool {
        let length = Int(base.load(fromByteOffset: value &+ 1, as: UInt8.self))
        return value &+ 2 &+ length == end && length < 0x80
    }

    /// The varint after the value's tag; nil when it does not end where the field ends.
    @inline(__always) func number(_ base: UnsafeRawPointer) -> UInt64? {
        guard VarintField.isWhole(base, value &+ 1, end) else { return nil }
        return VarintField.number(base, value &+ 1, end)
    }
}

/// Varints whose both ends are known: checked and read by words instead of byte by byte.
///
/// A field with a key of one byte or more precedes the number, so the eight bytes before `end` can be loaded:
/// `12 L 0a K k 10` and two bytes of number make eight.
enum VarintField {
    /// True when the bytes are one varint of 64 bits: all but the last have the high bit.
    @inline(__always) static func isWhole(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        let length = end &- start
        if length == 1 { return base.load(fromByteOffset: start, as: UInt8.self) < 0x80 }
        let stops = stops(base, end)
        if length <= 8 { return (stops ^ (1 &<< 63)) &>> (64 &- UInt64(truncatingIfNeeded: length) &* 8) == 0 }
        // Nine or ten bytes: the last eight, and what precedes them; a tenth byte holds one bit.
        guard length <= 10, stops == 1 &<< 63, base.load(fromByteOffset: start, as: UInt8.self) >= 0x80 else {
            return false
        }
        guard length == 10 else { return true }
        return base.load(fromByteOffset: start &+ 1, as: UInt8.self) >= 0x80
            && base.load(fromByteOffset: end &- 1, as: UInt8.self) <= 1
    }

    /// The high bits that are clear in the eight bytes before `end`.
    @inline(__always) private static func stops(_ base: UnsafeRawPointer, _ end: Int) -> UInt64 {
        ~UInt64(littleEndian: base.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self)) & 0x8080_8080_8080_8080
    }

    /// The value of a varint that `isWhole` accepted.
    @inline(__always) static func number(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> UInt64 {
        let length = end &- start
        if length == 1 { return UInt64(base.load(fromByteOffset: start, as: UInt8.self)) }
        if length <= 8 {
            let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self))
            return WireReader.compact(word &>> (64 &- UInt64(truncatingIfNeeded: length) &* 8))
        }
        let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        let ninth = UInt64(base.load(fromByteOffset: start &+ 8, as: UInt8.self))
        let number = WireReader.compact(word) | (ninth & 0x7f) &<< 56
        return length == 9 ? number : number | UInt64(base.load(fromByteOffset: start &+ 9, as: UInt8.self)) &<< 63
    }
}

/// The fields of a point one by one, for what is not hot.
enum PointFields {
    /// Calls `body` with every field up to the first malformed part.
    static func forEach(_ base: UnsafeRawPointer, _ range: Range<Int>, _ body: (RawField) -> Void) {
        var reader = WireReader(base, from: range.lowerBound, to: range.upperBound)
        var field = RawField()
        while !reader.isAtEnd, let tag = reader.varint() {
            guard tag == UInt64(Wire.field) else {
                guard reader.skip(tag: tag) else { return }
                continue
            }
            guard let bytes = reader.lengthDelimited(),
                field.readAny(base, from: bytes.lowerBound, to: bytes.upperBound)
            else { return }
            body(field)
        }
    }
}
