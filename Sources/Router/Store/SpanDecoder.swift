import Linking
import Shared

/// Turns rows into spans; resources get small indices in the order they are met.
struct SpanDecoder {
    private let names: StoreNames.Snapshot
    private(set) var resources: [[Attribute]] = []
    private var indices: [UInt32: Int] = [:]

    init(names: StoreNames.Snapshot) { self.names = names }

    mutating func span(_ row: SpanRow, of trace: TraceID) -> StoredSpan {
        var attributes: [Attribute] = []
        row.forEachAttribute { word, key, value in
            let name = names.word(word) ?? key.map { String(decoding: $0, as: UTF8.self) } ?? ""
            attributes.append(Attribute(name, AttributeValue(OTLPValue(value))))
        }
        let scope = names.word(row.scope) ?? ""
        return StoredSpan(
            traceID: trace, id: row.id, parent: row.parent == .none ? nil : row.parent,
            name: String(decoding: row.name, as: UTF8.self), kind: row.kind, start: row.start,
            end: row.start &+ row.duration, statusCode: row.status,
            statusMessage: String(decoding: row.statusMessage, as: UTF8.self), resource: index(row.resource),
            scope: scope, attributes: attributes, isApplication: scope != Self.ownScope, rest: row.rest)
    }

    /// Scope name of our own spans.
    static let ownScope = "ebpftrace"

    private mutating func index(_ resource: UInt32) -> Int {
        if let known = indices[resource] { return known }
        let index = resources.count
        indices[resource] = index
        resources.append(Self.attributes(ofResource: names.resources[resource] ?? []))
        return index
    }

    /// The attributes of a `Resource` message.
    static func attributes(ofResource message: [UInt8]) -> [Attribute] {
        var attributes: [Attribute] = []
        message.withUnsafeBytes { bytes in
            OTLPKeyValues.forEachOfResource(bytes) { key, value in
                attributes.append(
                    Attribute(String(decoding: key, as: UTF8.self), AttributeValue(OTLPValue(value))))
            }
        }
        return attributes
    }
}

extension AttributeValue {
    init(_ value: OTLPValue) {
        switch value {
        case .string(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .double(let number): self = .double(number)
        case .bytes, .array, .keyValues, .none: self = .json(value.json())
        }
    }

    /// The `AnyValue` messages that say this value, for looking it up in columns: whole numbers may be written as int
    /// or double. Empty for what has no single form.
    var encodings: [[UInt8]] {
        switch self {
        case .string(let text):
            var bytes: [UInt8] = [0x0a]
            Array(text.utf8).withUnsafeBytes { PackedWriter.counted($0, to: &bytes) }
            return [bytes]
        case .bool(let flag): return [[0x10, flag ? 1 : 0]]
        case .int(let number):
            var whole: [UInt8] = [0x18]
            PackedWriter.varint(UInt64(bitPattern: number), to: &whole)
            return [whole, Self.encoding(Double(number))]
        case .double(let number):
            guard let whole = Int64(exactly: number) else { return [Self.encoding(number)] }
            return AttributeValue.int(whole).encodings
        case .json: return []
        }
    }

    private static func encoding(_ number: Double) -> [UInt8] {
        var bytes: [UInt8] = [0x21]
        PackedWriter.fixed(number.bitPattern, to: &bytes)
        return bytes
    }
}
