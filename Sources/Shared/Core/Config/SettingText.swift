/// The text forms of durations: exact, without floating point.
public enum DurationText {
    /// Units and their nanoseconds, longest first, as they are written.
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000),
        ("ns", 1),
    ]

    /// Reads `20s`, `2m`, `1m30s`, `1.5s`, `500ms` or `0`; the form DataKit writes its window in.
    ///
    /// Nil for anything else: no unit, a sign, a fraction finer than a nanosecond, more than 292 years.
    public static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var rest = text.replacingMicroSign()[...]
        var total: Int64 = 0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix(while: isDigit)
            rest = rest.dropFirst(digits.count)
            var fraction: Substring = ""
            if rest.first == "." {
                fraction = rest.dropFirst().prefix(while: isDigit)
                guard !fraction.isEmpty else { return nil }
                rest = rest.dropFirst(1 + fraction.count)
            }
            let name = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let unit = units.first(where: { $0.name == name }),
                let part = nanoseconds(whole: digits, fraction: fraction, unit: unit.nanoseconds)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        }
        return .nanoseconds(total)
    }

    /// Writes the shortest exact text: `20s`, `2m`, `1m30s`, `500ms`; a negative duration as 0.
    public static func text(_ duration: Duration) -> String {
        var rest = max(0, duration.exactNanoseconds)
        if rest == 0 { return "0s" }
        var text = ""
        for unit in units where rest >= unit.nanoseconds {
            text += "\(rest / unit.nanoseconds)\(unit.name)"
            rest %= unit.nanoseconds
        }
        return text
    }

    private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

    /// Whole and fraction of a unit in nanoseconds; nil when it overflows or is not a whole number of them.
    private static func nanoseconds(whole: Substring, fraction: Substring, unit: Int64) -> Int64? {
        guard let count = Int64(whole) else { return nil }
        var (total, overflow) = count.multipliedReportingOverflow(by: unit)
        var scale = unit
        for digit in fraction {
            guard let value = digit.wholeNumberValue.map(Int64.init) else { return nil }
            guard scale % 10 == 0 || value == 0 else { return nil }
            scale /= 10
            let (sum, overflown) = total.addingReportingOverflow(value * scale)
            total = sum
            overflow = overflow || overflown
        }
        return overflow ? nil : total
    }
}

extension String {
    /// The two micro signs of Unicode become `u`.
    fileprivate func replacingMicroSign() -> String {
        String(map { $0 == "\u{B5}" || $0 == "\u{3BC}" ? "u" : $0 })
    }
}

extension Duration {
    /// The duration in nanoseconds, cut towards zero; stays at the ends of Int64 beyond 292 years.
    public var exactNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflown) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || overflown ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in milliseconds, cut towards zero.
    public var wholeMilliseconds: Int64 { exactNanoseconds / 1_000_000 }
}

/// The text forms of byte counts.
public enum ByteSizeText {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1),
    ]

    /// Reads `16GiB`, `500MB` or a plain number of bytes; nil for anything else, also for a fraction or an overflow.
    public static func parse(_ text: String) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let name = text.dropFirst(digits.count).drop { $0 == " " }
        guard let count = Int(digits) else { return nil }
        if name.isEmpty { return count }
        guard let unit = units.first(where: { $0.name.lowercased() == name.lowercased() }) else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// Writes the largest binary unit that divides the count: `16GiB`, else bytes.
    public static func text(_ bytes: Int) -> String {
        for unit in units.prefix(4) where bytes >= unit.bytes && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "\(bytes)B"
    }
}

/// The two rules by which a text is true or false.
public enum BooleanText {
    /// Our rule: true, yes, on, 1, t and false, no, off, 0, f in any case; nil for anything else.
    public static func parse(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1", "t": true
        case "false", "no", "off", "0", "f": false
        default: nil
        }
    }

    /// DataKit's rule: everything is true but `''`, `f`, `false`, `FALSE`, `False` and `0`.
    public static func datakit(_ text: String) -> Bool {
        !["", "f", "false", "FALSE", "False", "0"].contains(text)
    }
}

/// Finds the word that a mistyped one most likely stands for.
enum NearestWord {
    /// The word of `words` with the fewest edits from `text`; ties go to the first. O(words × length²).
    static func of(_ text: String, in words: [String]) -> String? {
        words.map { (word: $0, edits: edits(text, $0)) }.min { $0.edits < $1.edits }?.word
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two texts (first 64 bytes of each).
    static func edits(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8.prefix(64))
        let b = Array(right.utf8.prefix(64))
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
