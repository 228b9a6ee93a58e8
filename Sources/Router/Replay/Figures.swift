/// Numbers as people read them, on a terminal or in a log.
enum Figures {
    /// 1234567 → "1,234,567".
    static func count(_ number: Int) -> String {
        let digits = Array(String(number.magnitude))
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A duration with two or three figures that matter: "850 us", "12.4 ms", "3.2 s", "2 m 05 s", "1 h 02 m".
    static func time(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let microseconds = Double(seconds) * 1e6 + Double(attoseconds) / 1e12
        switch microseconds {
        case ..<0: return "-" + time(.zero - duration)
        case ..<999.5: return "\(Int(microseconds.rounded())) us"
        case ..<999_500: return decimal(microseconds / 1e3) + " ms"
        case ..<59_950_000: return decimal(microseconds / 1e6) + " s"
        default: break
        }
        let whole = Int64((microseconds / 1e6).rounded())
        if whole < 3600 { return "\(whole / 60) m \(twoDigits(whole % 60)) s" }
        return "\(count(Int(whole / 3600))) h \(twoDigits(whole % 3600 / 60)) m"
    }

    /// 1234567 → "1.2 MB"; below 1000 whole bytes.
    static func bytes(_ number: Int) -> String {
        var value = Double(number)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 999.5 { return unit == "B" ? "\(number) B" : decimal(value) + " " + unit }
            value /= 1000
        }
        return decimal(value) + " TB"
    }

    /// Spans a second, or "-" when no time went by.
    static func rate(_ spans: Int, in duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        guard seconds > 0 else { return "- spans/s" }
        return "\(count(Int((Double(spans) / seconds).rounded()))) spans/s"
    }

    /// The text with line breaks and control characters made blanks, cut to a number of characters.
    static func oneLine(_ text: String, atMost limit: Int) -> String {
        let cleaned = String(text.unicodeScalars.map { isPrintable($0) ? Character($0) : " " })
        return cleaned.count <= limit ? cleaned : String(cleaned.prefix(max(0, limit - 1))) + "…"
    }

    /// Neither a control character nor one that turns the direction of text: those would redraw a terminal.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
        default: true
        }
    }

    /// One decimal below 100, none above.
    private static func decimal(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        if tenths >= 1000 { return String(Int64(value.rounded())) }
        return tenths % 10 == 0 ? String(tenths / 10) : "\(tenths / 10).\(tenths % 10)"
    }

    private static func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }
}
