/// Numbers and moments out of the text of line protocol and JSON; integers stay exact.
enum NumberText {
    /// A decimal int64; nil when it is none.
    static func signed(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int64? {
        guard let base = bytes.baseAddress,
            let bits = PointText.decimal(base, range.lowerBound, range.count)
        else { return nil }
        if bytes[range.lowerBound] == UInt8(ascii: "-") { return Int64(bitPattern: bits) }
        return Int64(exactly: bits)
    }

    /// A decimal uint64; nil when it is none.
    static func unsigned(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UInt64? {
        guard let base = bytes.baseAddress, range.count > 0, bytes[range.lowerBound] != UInt8(ascii: "-") else {
            return nil
        }
        return PointText.decimal(base, range.lowerBound, range.count)
    }

    /// A decimal floating point number (no names, no hexadecimal), at most 512 characters.
    static func double(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Double? {
        guard range.count > 0, range.count <= 512, bytes[range].allSatisfy(isFloatCharacter) else { return nil }
        return Double(String(decoding: bytes[range], as: UTF8.self))
    }

    private static func isFloatCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    /// A field value of line protocol that is no text.
    static func lineProtocolValue(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> PointValue? {
        guard let last = range.last else { return nil }
        if bytes[last] == UInt8(ascii: "i") {
            return signed(bytes, range.lowerBound..<last).map { .signed($0) }
        }
        if bytes[last] == UInt8(ascii: "u") {
            return unsigned(bytes, range.lowerBound..<last).map { .unsigned($0) }
        }
        if let number = double(bytes, range) { return .double(number) }
        guard range.count <= 5 else { return nil }
        switch String(decoding: bytes[range], as: UTF8.self) {
        case "t", "T", "true", "True", "TRUE": return .bool(true)
        case "f", "F", "false", "False", "FALSE": return .bool(false)
        default: return nil
        }
    }

    /// A JSON number: int64, else uint64, else double (also an integer that is too large for both).
    static func jsonValue(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> PointValue? {
        if let number = signed(bytes, range) { return .signed(number) }
        if let number = unsigned(bytes, range) { return .unsigned(number) }
        return double(bytes, range).map { .double($0) }
    }

    /// Nanoseconds since 1970 of an RFC 3339 date and time, like `2026-11-23T00:32:03.5+01:00`; nil when it is none.
    static func rfc3339(_ text: [UInt8]) -> Int64? {
        guard text.count >= 20, text.count <= 64, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            [UInt8(ascii: "T"), UInt8(ascii: "t"), UInt8(ascii: " ")].contains(text[10]),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let year = digits(text, 0, 4), let month = digits(text, 5, 2), let day = digits(text, 8, 2),
            let hour = digits(text, 11, 2), let minute = digits(text, 14, 2), let second = digits(text, 17, 2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var position = 19
        let fraction = nanoseconds(text, &position)
        guard let fraction, let zone = zoneSeconds(text, position) else { return nil }
        let clock = hour * 3_600 + minute * 60 + second - zone
        let seconds = daysSince1970(year: year, month: month, day: day) * 86_400 + clock
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(fraction)
        return overflow || carry ? nil : sum
    }

    private static func digits(_ text: [UInt8], _ start: Int, _ count: Int) -> Int64? {
        guard start + count <= text.count else { return nil }
        var value: Int64 = 0
        for byte in text[start..<(start + count)] {
            guard byte &- 0x30 < 10 else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }

    /// The fraction after the seconds; digits beyond nanoseconds are cut off.
    private static func nanoseconds(_ text: [UInt8], _ position: inout Int) -> Int64? {
        guard text[position] == UInt8(ascii: ".") else { return 0 }
        position += 1
        let start = position
        var value: Int64 = 0
        var unit: Int64 = 100_000_000
        while position < text.count, text[position] &- 0x30 < 10 {
            value += Int64(text[position] - 0x30) * unit
            unit /= 10
            position += 1
        }
        return position > start ? value : nil
    }

    /// Seconds east of UTC.
    private static func zoneSeconds(_ text: [UInt8], _ position: Int) -> Int64? {
        guard position < text.count else { return nil }
        let sign = text[position]
        if sign == UInt8(ascii: "Z") || sign == UInt8(ascii: "z") { return position + 1 == text.count ? 0 : nil }
        guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), position + 6 == text.count,
            text[position + 3] == UInt8(ascii: ":"),
            let hours = digits(text, position + 1, 2), let minutes = digits(text, position + 4, 2),
            hours < 24, minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return sign == UInt8(ascii: "-") ? -seconds : seconds
    }

    /// Days of the proleptic Gregorian calendar, in eras of 400 years that begin in March.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
