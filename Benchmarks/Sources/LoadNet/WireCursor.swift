/// A place in protobuf bytes. Every read checks the end; after a failed one the place means nothing.
struct WireCursor {
    let bytes: UnsafeRawBufferPointer
    private(set) var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always) mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count, shift < 64 {
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }

    /// The end of a message whose length comes next; nil beyond `end`.
    @inline(__always) mutating func message(within end: Int) -> Int? {
        guard let length = varint(), at <= end, length <= UInt64(end - at) else { return nil }
        return at + Int(length)
    }

    /// The place of a text or of bytes whose length comes next, stepped over; nil beyond `end`.
    @inline(__always) mutating func text(within end: Int) -> Range<Int>? {
        guard let textEnd = message(within: end) else { return nil }
        defer { at = textEnd }
        return at..<textEnd
    }

    mutating func fixed64() -> UInt64? {
        guard bytes.count - at >= 8 else { return nil }
        defer { at += 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// Steps over the value of a field; false when there is none.
    mutating func skip(_ tag: UInt64) -> Bool {
        switch tag & 7 {
        case 0: return varint() != nil
        case 1: return move(8)
        case 2: return text(within: bytes.count) != nil
        case 5: return move(4)
        default: return false
        }
    }

    private mutating func move(_ count: Int) -> Bool {
        guard bytes.count - at >= count else { return false }
        at += count
        return true
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always) func isKey(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for place in 0..<count where self[place] != text.utf8Start[place] { return false }
        return true
    }

    /// FNV-1a.
    var textHash: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in self { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}
