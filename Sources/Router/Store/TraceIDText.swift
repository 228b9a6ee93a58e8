import Linking

extension TraceID {
    /// Whether both name one trace: they are equal, or one is the low half of the other.
    ///
    /// Datadog's ids have 128 bits in SDKs, and 64 in what agents see of them (`_dd.p.tid` has the high half).
    func isSameTrace(as other: TraceID) -> Bool {
        low == other.low && (high == other.high || high == 0 || other.high == 0)
    }
}

/// Ids of applications as their libraries print them.
enum TraceIDText {
    /// 32 hexadecimal digits, up to 16 of them, or a decimal number; nil for anything else, and for none (0).
    ///
    /// Digits alone are hexadecimal when there are 16 or 32 of them (W3C prints leading zeros), else decimal (Datadog).
    static func parse(_ text: some Collection<UInt8>) -> TraceID? {
        let id: TraceID
        if text.count == 32 {
            guard let high = hexadecimal(text.prefix(16)), let low = hexadecimal(text.dropFirst(16)) else { return nil }
            id = TraceID(high: high, low: low)
        } else if text.count != 16, let number = decimal(text) {
            id = TraceID(high: 0, low: number)
        } else if text.count <= 16, let number = hexadecimal(text) {
            id = TraceID(high: 0, low: number)
        } else {
            return nil
        }
        return id.isNone ? nil : id
    }

    /// The id of a span, printed as its trace id's library does: 16 hexadecimal digits, or a decimal number.
    ///
    /// - Parameter isHexadecimal: nil when it is not known how the library prints.
    static func parseSpan(_ text: some Collection<UInt8>, isHexadecimal: Bool?) -> SpanID? {
        let number: UInt64? =
            if let isHexadecimal {
                isHexadecimal ? hexadecimal(text) : decimal(text)
            } else {
                parse(text)?.low
            }
        return number.flatMap { $0 == 0 ? nil : SpanID($0) }
    }

    private static func decimal(_ text: some Collection<UInt8>) -> UInt64? {
        guard !text.isEmpty, text.count <= 20 else { return nil }
        var value: UInt64 = 0
        for byte in text {
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, more) = product.addingReportingOverflow(UInt64(byte - 0x30))
            guard !overflow, !more else { return nil }
            value = sum
        }
        return value
    }

    private static func hexadecimal(_ text: some Collection<UInt8>) -> UInt64? {
        guard !text.isEmpty, text.count <= 16 else { return nil }
        var value: UInt64 = 0
        for byte in text {
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x37
            case 0x61...0x66: digit = byte - 0x57
            default: return nil
            }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    /// 32 lower-case hexadecimal digits.
    static func hex(_ id: TraceID) -> String { hex(id.high) + hex(id.low) }

    /// 16 lower-case hexadecimal digits.
    static func hex(_ id: SpanID) -> String { hex(id.bits) }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
