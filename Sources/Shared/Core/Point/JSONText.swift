/// JSON strings out of bytes that should be UTF-8: escaped, and with U+FFFD for what is none.
enum JSONText {
    /// Appends `"text"`.
    static func appendString(_ text: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        let room = text.count * 6 + 16
        withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { buffer in
            guard let base = buffer.baseAddress else { return }
            var writer = ByteWriter(base: base, capacity: room)
            writer.write(string: text)
            output.append(contentsOf: UnsafeRawBufferPointer(start: base, count: writer.count))
        }
    }

    /// Appends `"key":`.
    static func appendKey(_ key: [UInt8], to output: inout [UInt8]) {
        key.withRawBytes { appendString($0, to: &output) }
        output.append(UInt8(ascii: ":"))
    }

    /// True when one of eight bytes needs care: a control character, a quote, a backslash, or no ASCII.
    @inline(__always) static func needsCare(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5c)
        // "a byte is below n" for bytes without a high bit: (x - n) sets the high bit. Borrows can only cry wolf.
        let hits =
            (word &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones) | word
        return hits & highs != 0
    }
}

extension ByteWriter {
    /// Writes `"text"`; needs room for 6 bytes a byte and 16 more.
    @inline(__always) mutating func write(string text: UnsafeRawBufferPointer) {
        expectRoom(text.count &* 6 &+ 16)
        write(UInt8(ascii: "\""))
        if let source = text.baseAddress { writeBody(source, text.count) }
        write(UInt8(ascii: "\""))
    }

    /// Plain text goes by words, its end by a word or half word that overlaps what was written before.
    @inline(__always) private mutating func writeBody(_ source: UnsafeRawPointer, _ length: Int) {
        var position = 0
        while length &- position >= 8 {
            let word = source.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            if JSONText.needsCare(word) { return writeCarefully(source, position, length) }
            base.storeBytes(of: word, toByteOffset: count, as: UInt64.self)
            count &+= 8
            position &+= 8
        }
        let rest = length &- position
        if rest == 0 { return }
        if length >= 8 {
            let word = source.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
            if JSONText.needsCare(word) { return writeCarefully(source, position, length) }
            base.storeBytes(of: word, toByteOffset: count &+ rest &- 8, as: UInt64.self)
            count &+= rest
        } else if rest >= 4 {
            let low = source.loadUnaligned(as: UInt32.self)
            let high = source.loadUnaligned(fromByteOffset: rest &- 4, as: UInt32.self)
            if JSONText.needsCare(UInt64(low) | UInt64(high) &<< 32) { return writeCarefully(source, 0, length) }
            base.storeBytes(of: low, toByteOffset: count, as: UInt32.self)
            base.storeBytes(of: high, toByteOffset: count &+ rest &- 4, as: UInt32.self)
            count &+= rest
        } else {
            writeCarefully(source, 0, length)
        }
    }

    @inline(never) private mutating func writeCarefully(_ source: UnsafeRawPointer, _ start: Int, _ length: Int) {
        var position = start
        while position < length {
            let byte = source.load(fromByteOffset: position, as: UInt8.self)
            if byte &- 0x20 < 0x60, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                write(byte)
                position &+= 1
            } else {
                position = writeSpecial(source, position, length)
            }
        }
    }

    /// Writes one character that is not plain; returns where the next one begins.
    private mutating func writeSpecial(_ source: UnsafeRawPointer, _ position: Int, _ length: Int) -> Int {
        let byte = source.load(fromByteOffset: position, as: UInt8.self)
        guard byte < 0x80 else { return writeScalar(source, position, length) }
        switch byte {
        case UInt8(ascii: "\""): write("\\\"")
        case UInt8(ascii: "\\"): write("\\\\")
        case 0x0a: write("\\n")
        case 0x0d: write("\\r")
        case 0x09: write("\\t")
        case 0x7f: write(byte)
        default:
            let digits = IDText.hex(UInt64(byte) << 48)
            write("\\u")
            write(word: digits.words.0, length: 4)
        }
        return position + 1
    }

    private mutating func writeScalar(_ source: UnsafeRawPointer, _ position: Int, _ length: Int) -> Int {
        let rest = UnsafeRawBufferPointer(start: source + position, count: length - position)
        let count = Self.scalarLength(rest)
        if count == 0 {
            write("\u{fffd}")
            return position + 1
        }
        write(source + position, count)
        return position + count
    }

    /// Bytes of the well-formed UTF-8 sequence of two to four bytes at the start (Unicode, table 3-7), or 0.
    private static func scalarLength(_ bytes: UnsafeRawBufferPointer) -> Int {
        let first = bytes[0]
        let count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
        guard first >= 0xc2, first <= 0xf4, bytes.count >= count else { return 0 }
        let second = bytes[1]
        let lowest: UInt8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80
        let highest: UInt8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf
        guard second >= lowest, second <= highest else { return 0 }
        return bytes[2..<count].allSatisfy { $0 & 0xc0 == 0x80 } ? count : 0
    }
}
