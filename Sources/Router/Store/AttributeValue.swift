/// The value of an attribute of a span or a resource, as OTLP knows it.
enum AttributeValue: Hashable, Sendable {
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    /// Arrays, key-value lists and bytes: the value as JSON text (bytes as base64 in quotes).
    case json(String)

    /// The value as people read it; whole numbers without a point.
    var text: String {
        switch self {
        case .string(let text), .json(let text): text
        case .int(let number): String(number)
        case .double(let number): "\(number)"
        case .bool(let flag): flag ? "true" : "false"
        }
    }

    /// The value as a number, where it is one.
    var number: Double? {
        switch self {
        case .int(let number): Double(number)
        case .double(let number): number
        case .string, .bool, .json: nil
        }
    }
}

/// One attribute; keys may repeat in hostile input, the first one counts.
struct Attribute: Hashable, Sendable {
    var key: String
    var value: AttributeValue

    init(_ key: String, _ value: AttributeValue) {
        self.key = key
        self.value = value
    }
}

extension [Attribute] {
    /// The value of the first attribute with the key. O(count).
    subscript(key: String) -> AttributeValue? {
        for attribute in self where attribute.key == key { return attribute.value }
        return nil
    }
}
