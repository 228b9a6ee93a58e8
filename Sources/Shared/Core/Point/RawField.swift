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

    /// Reads the message at `start ..< end`; false when it is malformed.
    ///
    /// The two forms that agents send, `key s` and `key i`, take some thirty instructions; all others the general loop.
    @inline(__always) mutating func read(_ base: UnsafeRawPointer, from start: Int, to end: Int) -> Bool {
        guard end &- start >= 4, base.load(fromByteOffset: start, as: UInt8.self) == Wire.key else {
            return readAny(base, from: start, to: end)
        }
        let keyLength = Int(base.load(fromByteOffset: start &+ 1, as: UInt8.self))
        let value = start &+ 2 &+ keyLength
        // A key length of 128 or more is a longer varint, and lies beyond what the fast form takes.
        guard keyLength < 0x80, end &- value >= 2 else { return readAny(base, from: start, to: end) }
        let tag = base.load(fromByteOffset: value, as: UInt8.self)
        if tag == FieldKind.text.rawValue {
            let length = Int(base.load(fromByteOffset: value &+ 1, as: UInt8.self))
            guard length < 0x80, value &+ 2 &+ length == end else { return readAny(base, from: start, to: end) }
            self.length = length
            bits = UInt64(truncatingIfNeeded: value &+ 2)
        } else if tag == FieldKind.signed.rawValue {
            var reader = WireReader(base, from: value &+ 1, to: end)
            guard let number = reader.varint(), reader.isAtEnd else { return readAny(base, from: start, to: end) }
            bits = number
        } else {
            return readAny(base, from: start, to: end)
        }
        keyStart = start &+ 2
        self.keyLength = keyLength
        kind = tag
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
