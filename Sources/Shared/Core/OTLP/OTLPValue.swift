/// The value of an OTLP `AnyValue` message, its bytes still where they were.
public enum OTLPValue {
    case string(UnsafeRawBufferPointer)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes(UnsafeRawBufferPointer)
    /// An `ArrayValue` message.
    case array(UnsafeRawBufferPointer)
    /// A `KeyValueList` message.
    case keyValues(UnsafeRawBufferPointer)
    /// No value at all.
    case none

    /// Deepest nesting of arrays and lists that is read; what lies deeper is left out.
    public static let depthMax = 16

    /// Reads an `AnyValue` message; what cannot be read is `none`.
    public init(_ message: UnsafeRawBufferPointer) {
        self = .none
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            switch field.tag {
            case 0x0a: self = .string(field.bytes)
            case 0x10: self = .bool(field.number != 0)
            case 0x18: self = .int(Int64(bitPattern: field.number))
            case 0x21: self = .double(Double(bitPattern: field.number))
            case 0x2a: self = .array(field.bytes)
            case 0x32: self = .keyValues(field.bytes)
            case 0x3a: self = .bytes(field.bytes)
            default: break
            }
        }
        if !fields.isWhole { self = .none }
    }

    /// The value as JSON text; bytes as base64 in quotes, what is not finite as a string.
    public func json(depth: Int = OTLPValue.depthMax) -> String {
        switch self {
        case .string(let bytes): return Self.quoted(String(decoding: bytes, as: UTF8.self))
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return String(number)
        case .double(let number): return number.isFinite ? "\(number)" : "\"\(number)\""
        case .bytes(let bytes): return "\"" + Self.base64(bytes) + "\""
        case .none: return "null"
        case .array(let message):
            var items: [String] = []
            guard depth > 0 else { return "[]" }
            var fields = OTLPMessageFields(message)
            while let field = fields.next() {
                if field.tag == 0x0a { items.append(OTLPValue(field.bytes).json(depth: depth - 1)) }
            }
            return "[" + items.joined(separator: ",") + "]"
        case .keyValues(let message):
            var items: [String] = []
            guard depth > 0 else { return "{}" }
            OTLPKeyValues.forEach(in: message, tag: 0x0a) { key, value in
                items.append(
                    Self.quoted(String(decoding: key, as: UTF8.self)) + ":"
                        + OTLPValue(value).json(depth: depth - 1))
            }
            return "{" + items.joined(separator: ",") + "}"
        }
    }

    /// A text in quotes, as JSON has it.
    static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        Array(text.utf8).withRawBytes { JSONText.appendString($0, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Base64 with padding.
    static func base64(_ bytes: UnsafeRawBufferPointer) -> String {
        var text: [UInt8] = []
        Base64.append(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
