/// A value of a TraceQL expression.
enum QueryValue: Hashable, Sendable {
    case none
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    /// Nanoseconds.
    case duration(Int64)
    case status(Int)
    case kind(Int)

    /// Names of statuses by OTLP number.
    static let statusNames = ["unset", "ok", "error"]
    /// Names of kinds by OTLP number.
    static let kindNames = ["unspecified", "internal", "server", "client", "producer", "consumer"]

    init(_ value: AttributeValue) {
        switch value {
        case .string(let text): self = .string(text)
        case .int(let number): self = .int(number)
        case .double(let number): self = .double(number)
        case .bool(let flag): self = .bool(flag)
        case .json(let text): self = .string(text)
        }
    }

    /// The number of an int, a double or a duration (nanoseconds).
    var number: Double? {
        switch self {
        case .int(let number), .duration(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    /// The text that a page shows.
    var text: String {
        switch self {
        case .none: "nil"
        case .string(let text): text
        case .int(let number): String(number)
        case .double(let number): "\(number)"
        case .bool(let flag): flag ? "true" : "false"
        case .duration(let nanoseconds): QueryDuration.text(nanoseconds)
        case .status(let code): Self.name(code, Self.statusNames)
        case .kind(let kind): Self.name(kind, Self.kindNames)
        }
    }

    /// Tempo's name of the type, as in the answers of its tag values.
    var typeName: String {
        switch self {
        case .none: "nil"
        case .string: "string"
        case .int: "int"
        case .double: "float"
        case .bool: "bool"
        case .duration: "duration"
        case .status: "status"
        case .kind: "kind"
        }
    }

    private static func name(_ number: Int, _ names: [String]) -> String {
        names.indices.contains(number) ? names[number] : names[0]
    }
}

extension QueryValue {
    /// Negative, 0 or positive as in comparing; nil where the types cannot be compared.
    func order(against other: QueryValue) -> Int? {
        switch (self, other) {
        case (.string(let left), .string(let right)):
            return left == right ? 0 : left < right ? -1 : 1
        case (.bool(let left), .bool(let right)):
            return left == right ? 0 : right ? -1 : 1
        case (.status(let left), .status(let right)), (.kind(let left), .kind(let right)):
            return left - right
        case (.int(let left), .int(let right)), (.duration(let left), .duration(let right)):
            return left == right ? 0 : left < right ? -1 : 1
        case (.none, .none):
            return 0
        default:
            guard let left = number, let right = other.number, !left.isNaN, !right.isNaN else { return nil }
            return left == right ? 0 : left < right ? -1 : 1
        }
    }
}

/// Durations as TraceQL and Go write them: `1.5s`, `100ms`, `1h30m`.
enum QueryDuration {
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
        ("d", 86_400e9), ("w", 604_800e9),
    ]

    /// Nanoseconds of a text of one or more numbers with units; nil when it is none or too large.
    static func nanoseconds(_ text: String) -> Int64? {
        var rest = Substring(text)
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest.removeFirst() }
        guard !rest.isEmpty else { return nil }
        if rest == "0" { return 0 }
        var sum = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard let number = Double(digits) else { return nil }
            rest = rest[digits.endIndex...]
            let unit = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != "." }
            guard let scale = units.first(where: { $0.name == unit })?.nanoseconds else { return nil }
            rest = rest[unit.endIndex...]
            sum += number * scale
        }
        guard sum < 9.2e18 else { return nil }
        return Int64(isNegative ? -sum : sum)
    }

    /// As Go prints a duration, in the largest unit that gives a number of at least 1.
    static func text(_ nanoseconds: Int64) -> String {
        let size = nanoseconds.magnitude
        if size < 1_000 { return "\(nanoseconds)ns" }
        if size < 1_000_000 { return number(nanoseconds, 1e3) + "µs" }
        if size < 1_000_000_000 { return number(nanoseconds, 1e6) + "ms" }
        if size < 60_000_000_000 { return number(nanoseconds, 1e9) + "s" }
        let seconds = nanoseconds / 1_000_000_000
        let rest = number(nanoseconds % 60_000_000_000, 1e9) + "s"
        if size < 3_600_000_000_000 { return "\(seconds / 60)m" + rest }
        return "\(seconds / 3600)h\(seconds / 60 % 60)m" + rest
    }

    private static func number(_ nanoseconds: Int64, _ unit: Double) -> String {
        let value = Double(nanoseconds) / unit
        return value == value.rounded() ? String(Int64(value)) : "\(value)"
    }
}
