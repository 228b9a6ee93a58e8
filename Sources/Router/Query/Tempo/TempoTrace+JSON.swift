import Foundation
import Linking

// Pieces of Tempo's JSON, in the conventions of jsonpb: zero values left out, 64-bit numbers as texts, bytes in base64.

extension JSONWriter {
    private static let kinds = [
        "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ]
    private static let statuses = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]

    private static func base64(_ bytes: some Collection<UInt8>) -> String { Data(bytes).base64EncodedString() }

    mutating func attributes(_ attributes: [Attribute]) {
        if attributes.isEmpty { return }
        member("attributes", array: { writer in
            for attribute in attributes { writer.attribute(attribute.key, attribute.value) }
        })
    }

    mutating func attribute(_ key: String, _ value: AttributeValue) {
        object { writer in
            writer.member("key", key)
            writer.member("value", object: { $0.anyValue(value) })
        }
    }

    private mutating func anyValue(_ value: AttributeValue) {
        switch value {
        case .string(let text), .json(let text): member("stringValue", text)
        case .int(let number): member("intValue", String(number))
        case .double(let number):
            key("doubleValue")
            self.number(number)
        case .bool(let flag):
            key("boolValue")
            bool(flag)
        }
    }

    mutating func span(_ span: StoredSpan) {
        member("traceId", Self.base64(span.traceID.bytes))
        member("spanId", Self.base64(span.id.bytes))
        if let parent = span.parent { member("parentSpanId", Self.base64(parent.bytes)) }
        if !span.name.isEmpty { member("name", span.name) }
        if Self.kinds.indices.contains(span.kind), span.kind != 0 { member("kind", Self.kinds[span.kind]) }
        member("startTimeUnixNano", String(span.start))
        member("endTimeUnixNano", String(span.end))
        attributes(span.attributes)
        rest(span.rest)
        member("status", object: { writer in
            if !span.statusMessage.isEmpty { writer.member("message", span.statusMessage) }
            if Self.statuses.indices.contains(span.statusCode), span.statusCode != 0 {
                writer.member("code", Self.statuses[span.statusCode])
            }
        })
    }

    /// What the store keeps as OTLP bytes, see `SpanExtras`. Attributes keep their types here, lists too.
    private mutating func rest(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        var events: [ArraySlice<UInt8>] = []
        var links: [ArraySlice<UInt8>] = []
        for (field, value) in ProtobufFields(bytes) {
            switch (field, value) {
            case (3, .bytes(let state)): member("traceState", String(decoding: state, as: UTF8.self))
            case (10, .number(let count)): dropped("droppedAttributesCount", count)
            case (11, .bytes(let event)): events.append(event)
            case (12, .number(let count)): dropped("droppedEventsCount", count)
            case (13, .bytes(let link)): links.append(link)
            case (14, .number(let count)): dropped("droppedLinksCount", count)
            default: break
            }
        }
        if !events.isEmpty {
            member("events", array: { writer in for event in events { writer.object { $0.event(event) } } })
        }
        if !links.isEmpty {
            member("links", array: { writer in for link in links { writer.object { $0.link(link) } } })
        }
    }

    /// OTLP has 32 bits for these.
    private mutating func dropped(_ name: String, _ count: UInt64) {
        if count > 0 { member(name, min(count, UInt64(UInt32.max))) }
    }

    private mutating func event(_ bytes: ArraySlice<UInt8>) {
        var attributes: [ArraySlice<UInt8>] = []
        for (field, value) in ProtobufFields(bytes) {
            switch (field, value) {
            case (1, .fixed(let time)): member("timeUnixNano", String(time))
            case (2, .bytes(let name)): member("name", String(decoding: name, as: UTF8.self))
            case (3, .bytes(let attribute)): attributes.append(attribute)
            case (4, .number(let count)): dropped("droppedAttributesCount", count)
            default: break
            }
        }
        rawAttributes(attributes)
    }

    private mutating func link(_ bytes: ArraySlice<UInt8>) {
        var attributes: [ArraySlice<UInt8>] = []
        for (field, value) in ProtobufFields(bytes) {
            switch (field, value) {
            case (1, .bytes(let id)): member("traceId", Self.base64(id))
            case (2, .bytes(let id)): member("spanId", Self.base64(id))
            case (3, .bytes(let state)): member("traceState", String(decoding: state, as: UTF8.self))
            case (4, .bytes(let attribute)): attributes.append(attribute)
            case (5, .number(let count)): dropped("droppedAttributesCount", count)
            default: break
            }
        }
        rawAttributes(attributes)
    }

    private mutating func rawAttributes(_ attributes: [ArraySlice<UInt8>]) {
        if attributes.isEmpty { return }
        member("attributes", array: { writer in
            for attribute in attributes { writer.object { $0.keyValue(attribute, depth: 0) } }
        })
    }

    private mutating func keyValue(_ bytes: ArraySlice<UInt8>, depth: Int) {
        for (field, value) in ProtobufFields(bytes) {
            switch (field, value) {
            case (1, .bytes(let key)): member("key", String(decoding: key, as: UTF8.self))
            case (2, .bytes(let value)): member("value", object: { $0.anyValue(value, depth: depth) })
            default: break
            }
        }
    }

    /// An `AnyValue` from its bytes; nesting beyond 16 levels is left out.
    private mutating func anyValue(_ bytes: ArraySlice<UInt8>, depth: Int) {
        // The last member of a oneof counts.
        guard let (field, value) = ProtobufFields(bytes).reversed().first else { return }
        switch (field, value) {
        case (1, .bytes(let text)): member("stringValue", String(decoding: text, as: UTF8.self))
        case (2, .number(let flag)):
            key("boolValue")
            bool(flag != 0)
        case (3, .number(let number)): member("intValue", String(Int64(bitPattern: number)))
        case (4, .fixed(let bits)):
            key("doubleValue")
            number(Double(bitPattern: bits))
        case (5, .bytes(let list)) where depth < 16:
            member("arrayValue", object: { writer in
                writer.member("values", array: { writer in
                    for case (1, .bytes(let element)) in ProtobufFields(list) {
                        writer.object { $0.anyValue(element, depth: depth + 1) }
                    }
                })
            })
        case (6, .bytes(let list)) where depth < 16:
            member("kvlistValue", object: { writer in
                writer.member("values", array: { writer in
                    for case (1, .bytes(let pair)) in ProtobufFields(list) {
                        writer.object { $0.keyValue(pair, depth: depth + 1) }
                    }
                })
            })
        case (7, .bytes(let data)): member("bytesValue", Self.base64(data))
        default: break
        }
    }
}
