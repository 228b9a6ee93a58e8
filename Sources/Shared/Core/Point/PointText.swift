import Linking

/// Numbers and addresses out of text, byte by byte, without a `String`.
enum PointText {
    /// A decimal number with an optional minus sign, as 64 bits; nil when it is anything else or does not fit.
    ///
    /// Up to 2^64 - 1 without a sign, down to -2^63 with one (two's complement).
    @inline(__always) static func decimal(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> UInt64? {
        guard length > 0, length <= 20 else { return nil }
        if length <= 8, start &+ length >= 8, let value = eightDigits(base, start, length) { return value }
        let negative = base.load(fromByteOffset: start, as: UInt8.self) == UInt8(ascii: "-")
        if !negative, length <= 18 { return shortDecimal(base, start, length) }
        return longDecimal(base, start &+ (negative ? 1 : 0), length &- (negative ? 1 : 0), negative)
    }

    /// Up to eight digits at once; the caller sees to it that eight bytes end where the text ends.
    @inline(__always) private static func eightDigits(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int
    ) -> UInt64? {
        let zeros: UInt64 = 0x3030_3030_3030_3030
        let word = UInt64(
            littleEndian: base.loadUnaligned(fromByteOffset: start &+ length &- 8, as: UInt64.self))
        // What precedes the text becomes zeros.
        let keep = UInt64.max &<< (UInt64(truncatingIfNeeded: 8 &- length) &* 8)
        let text = (word & keep) | (zeros & ~keep)
        var digits = text &- zeros
        guard (digits | (text &+ 0x4646_4646_4646_4646)) & 0x8080_8080_8080_8080 == 0 else { return nil }
        digits = digits &* 10 &+ (digits &>> 8)
        let low = (digits & 0x0000_00ff_0000_00ff) &* 0x000f_4240_0000_0064
        let high = ((digits &>> 16) & 0x0000_00ff_0000_00ff) &* 0x0000_2710_0000_0001
        return (low &+ high) &>> 32
    }

    @inline(__always) private static func shortDecimal(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int
    ) -> UInt64? {
        var value: UInt64 = 0
        for offset in start..<(start &+ length) {
            let digit = base.load(fromByteOffset: offset, as: UInt8.self) &- 0x30
            guard digit < 10 else { return nil }
            value = value &* 10 &+ UInt64(digit)
        }
        return value
    }

    private static func longDecimal(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int, _ negative: Bool
    ) -> UInt64? {
        guard length > 0 else { return nil }
        var value: UInt64 = 0
        for offset in start..<(start + length) {
            let digit = base.load(fromByteOffset: offset, as: UInt8.self) &- 0x30
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard digit < 10, !overflow, !carry else { return nil }
            value = sum
        }
        guard negative else { return value }
        return value <= 1 << 63 ? 0 &- value : nil
    }

    /// A hexadecimal number of 1 to 16 digits.
    static func hex(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> UInt64? {
        guard length > 0, length <= 16 else { return nil }
        var value: UInt64 = 0
        for offset in start..<(start + length) {
            guard let digit = hexDigit(base.load(fromByteOffset: offset, as: UInt8.self)) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    @inline(__always) static func hexDigit(_ byte: UInt8) -> UInt8? {
        let number = byte &- 0x30
        if number < 10 { return number }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    /// True for a text of 0-9 alone (also for the empty one).
    static func isDigits(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> Bool {
        for offset in start..<(start + length)
        where base.load(fromByteOffset: offset, as: UInt8.self) &- 0x30 >= 10 { return false }
        return true
    }

    /// True when the bytes are exactly this ASCII text.
    @inline(__always) static func equals(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int, _ text: StaticString
    ) -> Bool {
        guard length == text.utf8CodeUnitCount else { return false }
        let expected = UnsafeRawPointer(text.utf8Start)
        for offset in 0..<length
        where base.load(fromByteOffset: start &+ offset, as: UInt8.self)
            != expected.load(fromByteOffset: offset, as: UInt8.self) { return false }
        return true
    }

    /// One end of a connection: an IPv4 or IPv6 address, else a name.
    @inline(__always) static func flowEnd(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int, port: UInt16
    ) -> FlowEnd {
        if let address = ipv4(base, start, length) { return FlowEnd(ipv4: address, port: port) }
        return otherEnd(base, start, length, port: port)
    }

    @inline(never) private static func otherEnd(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int, port: UInt16
    ) -> FlowEnd {
        if let address = ipv6(base, start, length) {
            return FlowEnd(addressHigh: address.high, addressLow: address.low, port: port)
        }
        return FlowEnd(name: UnsafeRawBufferPointer(start: base + start, count: length), port: port)
    }

    /// `a.b.c.d`, first octet in the highest byte; leading zeros are read as decimal.
    @inline(__always) static func ipv4(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> UInt32? {
        guard length >= 7, length <= 15 else { return nil }
        var position = start
        let end = start &+ length
        guard let first = octet(base, &position, end), dot(base, &position, end),
            let second = octet(base, &position, end), dot(base, &position, end),
            let third = octet(base, &position, end), dot(base, &position, end),
            let fourth = octet(base, &position, end), position == end
        else { return nil }
        return first &<< 24 | second &<< 16 | third &<< 8 | fourth
    }

    @inline(__always) private static func dot(_ base: UnsafeRawPointer, _ position: inout Int, _ end: Int) -> Bool {
        guard position < end, base.load(fromByteOffset: position, as: UInt8.self) == 0x2e else { return false }
        position &+= 1
        return true
    }

    /// One to three digits, at most 255.
    @inline(__always) private static func octet(
        _ base: UnsafeRawPointer, _ position: inout Int, _ end: Int
    ) -> UInt32? {
        guard position < end else { return nil }
        var value = UInt32(base.load(fromByteOffset: position, as: UInt8.self) &- 0x30)
        guard value < 10 else { return nil }
        position &+= 1
        for _ in 0..<2 where position < end {
            let digit = UInt32(base.load(fromByteOffset: position, as: UInt8.self) &- 0x30)
            guard digit < 10 else { return value < 256 ? value : nil }
            value = value &* 10 &+ digit
            position &+= 1
        }
        return value < 256 ? value : nil
    }

    /// An IPv6 address in any of its text forms (`::`, IPv4 at the end); a zone (`%eth0`) is left out.
    static func ipv6(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> (high: UInt64, low: UInt64)? {
        var text = IPv6Text(base: base, position: start, end: start + length)
        return text.parse()
    }
}

/// Parser of one IPv6 address: the groups before and after `::` are gathered apart.
private struct IPv6Text {
    let base: UnsafeRawPointer
    var position: Int
    var end: Int
    var front = Groups()
    var back = Groups()
    var isSplit = false

    /// Up to eight groups of 16 bits, the last one lowest.
    struct Groups {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var count = 0
        mutating func append(_ group: UInt64) {
            high = high << 16 | low >> 48
            low = low << 16 | group
            count += 1
        }
    }

    private func byte(_ at: Int) -> UInt8 { at < end ? base.load(fromByteOffset: at, as: UInt8.self) : 0 }
    private func isColon(_ at: Int) -> Bool { at < end && byte(at) == UInt8(ascii: ":") }

    mutating func parse() -> (high: UInt64, low: UInt64)? {
        cutZone()
        guard end - position >= 2, end - position <= 45 else { return nil }
        if isColon(position) {
            guard isColon(position + 1) else { return nil }
            position += 2
            isSplit = true
        }
        while position < end {
            guard front.count + back.count < 8, readGroup() else { return nil }
        }
        return joined()
    }

    private mutating func cutZone() {
        for at in position..<end where byte(at) == UInt8(ascii: "%") {
            end = at
            return
        }
    }

    /// One group and the colon after it, or the IPv4 address at the end.
    private mutating func readGroup() -> Bool {
        var stop = position
        while stop < end, PointText.hexDigit(byte(stop)) != nil { stop += 1 }
        if byte(stop) == UInt8(ascii: "."), let address = PointText.ipv4(base, position, end - position) {
            append(UInt64(address >> 16))
            append(UInt64(address & 0xffff))
            position = end
            return true
        }
        guard stop - position <= 4, let group = PointText.hex(base, position, stop - position) else { return false }
        append(group)
        position = stop
        guard position < end else { return true }
        guard isColon(position), position + 1 < end else { return false }
        position += 1
        if isColon(position) {
            guard !isSplit else { return false }
            isSplit = true
            position += 1
        }
        return true
    }

    private mutating func append(_ group: UInt64) {
        if isSplit { back.append(group) } else { front.append(group) }
    }

    private func joined() -> (high: UInt64, low: UInt64)? {
        let count = front.count + back.count
        guard isSplit ? count <= 7 : count == 8 else { return nil }
        guard isSplit else { return (front.high, front.low) }
        // Shift the front groups to the top; back groups already lie at the bottom.
        var (high, low) = (front.high, front.low)
        for _ in 0..<(8 - front.count) {
            high = high << 16 | low >> 48
            low <<= 16
        }
        return (high | back.high, low | back.low)
    }
}
