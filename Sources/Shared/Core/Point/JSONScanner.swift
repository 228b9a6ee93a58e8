/// Steps through JSON text byte by byte: strict syntax, integers untouched, no recursion.
///
/// Nesting is bounded by the 64 bits of an explicit stack; what goes deeper does not parse.
struct JSONScanner {
    let bytes: UnsafeRawBufferPointer
    var position: Int
    let end: Int

    /// Deepest nesting of arrays and objects.
    static let depthLimit = 64

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>? = nil) {
        self.bytes = bytes
        position = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// The next byte, or nil at the end.
    var current: UInt8? { position < end ? bytes[position] : nil }

    mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    /// Steps over one value of any kind, checking its syntax; nil when it is none.
    mutating func value() -> Range<Int>? {
        skipSpace()
        let start = position
        return skipValue() ? start..<position : nil
    }

    private mutating func skipValue() -> Bool {
        var objects: UInt64 = 0
        var depth = 0
        while true {
            skipSpace()
            guard let byte = current else { return false }
            if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                guard depth < Self.depthLimit else { return false }
                let isObject = byte == UInt8(ascii: "{")
                objects = objects << 1 | (isObject ? 1 : 0)
                depth += 1
                position += 1
                skipSpace()
                if current != (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isObject, !skipKey() { return false }
                    continue
                }
            } else if !skipScalar(byte) {
                return false
            }
            guard let isDone = closeOrContinue(&objects, &depth) else { return false }
            if isDone { return true }
        }
    }

    /// After a value: closes what ends here. True at the end of the outermost value, false when another value follows.
    private mutating func closeOrContinue(_ objects: inout UInt64, _ depth: inout Int) -> Bool? {
        while depth > 0 {
            skipSpace()
            let isObject = objects & 1 == 1
            if take(UInt8(ascii: ",")) {
                if isObject {
                    skipSpace()
                    guard skipKey() else { return nil }
                }
                return false
            }
            guard take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return nil }
            objects >>= 1
            depth -= 1
        }
        return true
    }

    private mutating func skipKey() -> Bool {
        guard skipString() else { return false }
        skipSpace()
        return take(UInt8(ascii: ":"))
    }

    private mutating func skipScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""): skipString()
        case UInt8(ascii: "t"): skipWord("true")
        case UInt8(ascii: "f"): skipWord("false")
        case UInt8(ascii: "n"): skipWord("null")
        default: skipNumber()
        }
    }

    private mutating func skipWord(_ word: StaticString) -> Bool {
        guard end - position >= word.utf8CodeUnitCount, let base = bytes.baseAddress,
            PointText.equals(base, position, word.utf8CodeUnitCount, word)
        else { return false }
        position += word.utf8CodeUnitCount
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = position
        while let byte = current, byte &- 0x30 < 10 { position += 1 }
        return position > start
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        guard take(UInt8(ascii: "0")) || skipDigits() else { return false }
        if take(UInt8(ascii: ".")), !skipDigits() { return false }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
            return skipDigits()
        }
        return true
    }

    private mutating func skipString() -> Bool {
        guard take(UInt8(ascii: "\"")) else { return false }
        while let byte = current {
            position += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte < 0x20 { return false }
            if byte == UInt8(ascii: "\\"), !skipEscape() { return false }
        }
        return false
    }

    private mutating func skipEscape() -> Bool {
        guard let byte = current else { return false }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        case UInt8(ascii: "u"):
            for _ in 0..<4 {
                guard let digit = current, PointText.hexDigit(digit) != nil else { return false }
                position += 1
            }
            return true
        default: return false
        }
    }
}

extension JSONScanner {
    /// The unescaped text of a string that `value()` accepted; nil when the range holds another kind of value.
    ///
    /// A surrogate without its other half becomes U+FFFD.
    static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> [UInt8]? {
        guard range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        var text: [UInt8] = []
        text.reserveCapacity(range.count - 2)
        var position = range.lowerBound + 1
        let end = range.upperBound - 1
        while position < end {
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "\\"), position < end else {
                text.append(byte)
                continue
            }
            appendEscape(bytes, &position, end, to: &text)
        }
        return text
    }

    private static func appendEscape(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ end: Int, to text: inout [UInt8]
    ) {
        let letter = bytes[position]
        position += 1
        switch letter {
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = unicodeScalar(bytes, &position, end)
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: text.append(letter)
        }
    }

    private static func unicodeScalar(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ end: Int
    ) -> Unicode.Scalar {
        let unit = codeUnit(bytes, &position, end)
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xdc00, position + 6 <= end, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { return "\u{fffd}" }
        var next = position + 2
        let low = codeUnit(bytes, &next, end)
        guard (0xdc00...0xdfff).contains(low) else { return "\u{fffd}" }
        position = next
        return Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)) ?? "\u{fffd}"
    }

    private static func codeUnit(_ bytes: UnsafeRawBufferPointer, _ position: inout Int, _ end: Int) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 where position < end {
            unit = unit << 4 | UInt32(PointText.hexDigit(bytes[position]) ?? 0)
            position += 1
        }
        return unit
    }

    /// The members of an object that `value()` accepted, in order; nil when the range holds another kind of value.
    static func members(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> [(key: [UInt8], value: Range<Int>)]? {
        var scanner = JSONScanner(bytes, range)
        guard scanner.take(UInt8(ascii: "{")) else { return nil }
        var members: [(key: [UInt8], value: Range<Int>)] = []
        scanner.skipSpace()
        while !scanner.take(UInt8(ascii: "}")) {
            guard let name = scanner.value(), let key = text(bytes, name) else { return nil }
            scanner.skipSpace()
            guard scanner.take(UInt8(ascii: ":")), let value = scanner.value() else { return nil }
            members.append((key, value))
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: ",")) { scanner.skipSpace() }
        }
        return members
    }
}
