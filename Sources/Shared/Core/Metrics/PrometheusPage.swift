/// A page of Prometheus text taken apart, so that a router can show its workers' series beside its own.
///
/// The page comes from another process: a line that cannot be read is left out and counted, never an error.
public struct PrometheusPage: Sendable {
    struct Sample: Sendable {
        /// Name of the series (with `_bucket`, `_sum` or `_count` for histograms).
        var name: String
        /// What stands between the braces, as it came.
        var labels: String
        /// The value, and a time stamp if there is one.
        var value: String
    }

    struct Family: Sendable {
        var name: String
        /// As it came, still escaped.
        var help: String?
        var type: String?
        var samples: [Sample] = []
    }

    private(set) var families: [Family] = []
    private var indexes: [String: Int] = [:]
    /// Lines that could not be read.
    public private(set) var unreadableLines = 0

    /// Number of series.
    public var sampleCount: Int { families.reduce(0) { $0 + $1.samples.count } }

    /// Takes a page apart. O(bytes).
    public init(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("# HELP ") {
                let (name, rest) = Self.nameAndRest(line.dropFirst(7))
                families[family(name)].help = rest
            } else if line.hasPrefix("# TYPE ") {
                let (name, rest) = Self.nameAndRest(line.dropFirst(7))
                families[family(name)].type = rest
            } else if !line.hasPrefix("#"), line.contains(where: { $0 != " " && $0 != "\t" }) {
                guard let sample = Self.sample(line) else {
                    unreadableLines += 1
                    continue
                }
                families[familyOfSample(sample.name)].samples.append(sample)
            }
        }
    }

    /// Puts `name="value"` before the labels of every series; a series that has such a label keeps its own.
    public mutating func addLabel(_ name: String, _ value: String) {
        let label = "\(name)=\"\(PrometheusWriter.escaped(value, quotes: true))\""
        for family in families.indices {
            for index in families[family].samples.indices {
                let labels = families[family].samples[index].labels
                if labels.hasPrefix(name + "=") || labels.contains("," + name + "=") { continue }
                families[family].samples[index].labels = labels.isEmpty ? label : label + "," + labels
            }
        }
    }

    /// Adds another page's series; those of one metric come to stand together, as the format demands.
    public mutating func merge(_ other: PrometheusPage) {
        unreadableLines += other.unreadableLines
        for family in other.families {
            let index = self.family(family.name)
            families[index].help = families[index].help ?? family.help
            families[index].type = families[index].type ?? family.type
            families[index].samples += family.samples
        }
    }

    /// The page as Prometheus text.
    public var text: String {
        var text = ""
        for family in families where !family.samples.isEmpty {
            if let help = family.help { text += "# HELP \(family.name) \(help)\n" }
            if let type = family.type { text += "# TYPE \(family.name) \(type)\n" }
            for sample in family.samples {
                text +=
                    sample.labels.isEmpty
                    ? "\(sample.name) \(sample.value)\n" : "\(sample.name){\(sample.labels)} \(sample.value)\n"
            }
        }
        return text
    }

    private mutating func family(_ name: String) -> Int {
        if let index = indexes[name] { return index }
        indexes[name] = families.count
        families.append(Family(name: name))
        return families.count - 1
    }

    /// The parts of a histogram or summary belong to the family that was declared without the suffix.
    private mutating func familyOfSample(_ name: String) -> Int {
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            if let index = indexes[String(name.dropLast(suffix.count))],
                families[index].type == "histogram" || families[index].type == "summary"
            {
                return index
            }
        }
        return family(name)
    }

    private static func nameAndRest(_ text: Substring) -> (String, String) {
        guard let space = text.firstIndex(of: " ") else { return (String(text), "") }
        return (String(text[..<space]), String(text[text.index(after: space)...]))
    }

    private static func sample(_ line: Substring) -> Sample? {
        let bytes = line.utf8
        guard let end = bytes.firstIndex(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: " ") }) else {
            return nil
        }
        let name = line[..<end]
        guard isName(name) else { return nil }
        if bytes[end] == UInt8(ascii: " ") { return finished(name, "", line[end...]) }
        let start = bytes.index(after: end)
        guard let close = closingBrace(of: line, from: start) else { return nil }
        return finished(name, line[start..<close], line[bytes.index(after: close)...])
    }

    private static func finished(_ name: Substring, _ labels: Substring, _ rest: Substring) -> Sample? {
        let value = rest.drop { $0 == " " || $0 == "\t" }
        guard let number = value.split(separator: " ").first, Double(number) != nil || number == "+Inf" else {
            return nil
        }
        var labels = labels
        if labels.last == "," { labels = labels.dropLast() }
        return Sample(name: String(name), labels: String(labels), value: String(value))
    }

    /// The brace that ends the labels: not one within quotes, where a backslash escapes the next character.
    private static func closingBrace(of line: Substring, from start: Substring.Index) -> Substring.Index? {
        var quoted = false
        var escaped = false
        var index = start
        while index < line.endIndex {
            let byte = line.utf8[index]
            if escaped {
                escaped = false
            } else if quoted, byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                quoted.toggle()
            } else if !quoted, byte == UInt8(ascii: "}") {
                return index
            }
            index = line.utf8.index(after: index)
        }
        return nil
    }

    private static func isName(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            (48...58).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95
        }
    }
}
