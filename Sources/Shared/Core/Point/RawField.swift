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
            guard let tag = reader.varint() else { return false }
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
        let start = value &+ 1
        let length = end &- start
        if length == 1 {
            let byte = base.load(fromByteOffset: start, as: UInt8.self)
            return byte < 0x80 ? UInt64(byte) : nil
        }
        // Eight bytes that end with the field. With a key of one byte and a number of two they begin with its tag,
        // else later: never before the point.
        guard length <= 8 else { return longNumber(base, start, length) }
        let shift = UInt64(truncatingIfNeeded: 8 &- length) &* 8
        let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self)) &>> shift
        let stops = ~word & 0x8080_8080_8080_8080 & (UInt64.max &>> shift)
        guard stops == 1 &<< (UInt64(truncatingIfNeeded: length) &* 8 &- 1) else { return nil }
        return WireReader.compact(word)
    }

    @inline(__always) private func longNumber(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> UInt64? {
        guard length <= 10 else { return nil }
        let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        guard ~word & 0x8080_8080_8080_8080 == 0 else { return nil }
        let ninth = UInt64(base.load(fromByteOffset: start &+ 8, as: UInt8.self))
        let low = WireReader.compact(word)
        if length == 9 { return ninth < 0x80 ? low | ninth &<< 56 : nil }
        let tenth = UInt64(base.load(fromByteOffset: start &+ 9, as: UInt8.self))
        return ninth >= 0x80 && tenth <= 1 ? low | (ninth & 0x7f) &<< 56 | tenth &<< 63 : nil
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
