import Linking
import Shared

/// The parameters of a request, as HTML forms encode them: `+` is a space, `%41` a byte. Of equal names the first
/// counts.
struct QueryParameters: Sendable {
    private var values: [String: String] = [:]

    /// - Parameter query: what stands behind the `?`; nil for nothing.
    init(_ query: String?) {
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decoded(parts[0], plusIsSpace: true)
            if values[name] == nil { values[name] = parts.count > 1 ? Self.decoded(parts[1], plusIsSpace: true) : "" }
        }
    }

    /// The bytes that `%` escapes stand for; what is no escape stays. Broken UTF-8 is repaired.
    static func decoded(_ text: some StringProtocol, plusIsSpace: Bool) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            let high = rest.next()
            let low = high == nil ? nil : rest.next()
            if let one = high.flatMap(Self.digit), let other = low.flatMap(Self.digit) {
                bytes.append(one << 4 | other)
            } else {
                bytes.append(byte)
                bytes += [high, low].compactMap(\.self)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    /// The value; nil when it is missing or empty.
    subscript(name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    // MARK: Typed values

    /// - Throws: `Failure(.badInput)` naming the parameter.
    func wholeNumber(_ name: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
        guard let text = self[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Failure(
                .badInput, "\(name) is a whole number"
                    + (range.upperBound == .max
                        ? " of at least \(range.lowerBound)" : " from \(range.lowerBound) to \(range.upperBound)")
                    + ", not \"\(text.prefix(40))\"")
        }
        return number
    }

    /// Nanoseconds of a duration such as `100ms` or `1h30m`.
    func duration(_ name: String) throws(Failure) -> UInt64? {
        guard let text = self[name] else { return nil }
        guard let nanoseconds = QueryDuration.nanoseconds(text), nanoseconds >= 0 else {
            throw Failure(.badInput, "\(name) is a duration such as 100ms or 1.5s, not \"\(text.prefix(40))\"")
        }
        return UInt64(nanoseconds)
    }

    /// Seconds since 1970, fractions allowed, as nanoseconds.
    func time(_ name: String) throws(Failure) -> UInt64? {
        guard let text = self[name] else { return nil }
        // As many seconds as nanoseconds have 64 bits for.
        guard let seconds = Double(text), seconds >= 0, seconds <= 18_446_744_072 else {
            throw Failure(.badInput, "\(name) must be seconds since 1970, not \"\(text.prefix(40))\"")
        }
        return UInt64(seconds * 1e9)
    }

    /// `start` and `end`, seconds since 1970, as nanoseconds; the whole second of `end` belongs to it.
    func range() throws(Failure) -> (from: UInt64, to: UInt64) {
        let latest = Int(UInt64.max / 1_000_000_000) - 1
        let start = try wholeNumber("start", in: 0...latest) ?? 0
        let end = try wholeNumber("end", in: 0...latest) ?? 0
        guard end == 0 || end > start else {
            throw Failure(.badInput, "start must be before end; there are start=\(start) and end=\(end)")
        }
        return (UInt64(start) * 1_000_000_000, end == 0 ? .max : UInt64(end) * 1_000_000_000 + 999_999_999)
    }
}
