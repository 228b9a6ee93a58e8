import Foundation
import Linking

/// OTLP/JSON from SDKs, turned into the protobuf form, so that one walker reads both.
///
/// As the OTLP specification has it: names in lowerCamelCase (snake_case is taken too), ids in hexadecimal, 64-bit
/// numbers as text or number, enums as numbers (their names are taken too), bytes in base64, unknown keys ignored.
public enum OTLPJSON {
    /// The request as `ExportTraceServiceRequest` bytes.
    ///
    /// Fails with `.corrupt` when the text is no JSON object. A span with a bad id keeps an empty one, so that it is
    /// rejected alone. Memory: a few times the text's size, which the caller has bounded.
    public static func protobuf(fromJSON text: [UInt8]) throws(Failure) -> [UInt8] {
        let object: Any
        do {
            object = try JSONSerialization.jsonObject(with: Data(text))
        } catch {
            throw Failure(.corrupt, "the body is no JSON; send an OTLP trace request as JSON or protobuf")
        }
        guard let request = object as? [String: Any] else {
            throw Failure(.corrupt, "the body is no JSON object; send an ExportTraceServiceRequest")
        }
        var message = OTLPMessage()
        for resourceSpans in objects(request, "resourceSpans", "resource_spans") {
            message.add(1, Self.resourceSpans(resourceSpans))
        }
        return message.bytes
    }

    private static func resourceSpans(_ object: [String: Any]) -> OTLPMessage {
        var message = OTLPMessage()
        if let resource = object["resource"] as? [String: Any] {
            var inner = OTLPMessage()
            addAttributes(resource, 1, to: &inner)
            message.add(1, inner)
        }
        for scopeSpans in objects(object, "scopeSpans", "scope_spans") {
            var inner = OTLPMessage()
            if let scope = scopeSpans["scope"] as? [String: Any] {
                var named = OTLPMessage()
                named.add(1, text: scope["name"])
                named.add(2, text: scope["version"])
                inner.add(1, named)
            }
            for span in objects(scopeSpans, "spans", "spans") { inner.add(2, Self.span(span)) }
            message.add(2, inner)
        }
        return message
    }

    private static func span(_ object: [String: Any]) -> OTLPMessage {
        var message = OTLPMessage()
        message.add(1, hex: value(object, "traceId", "trace_id"), count: 16)
        message.add(2, hex: value(object, "spanId", "span_id"), count: 8)
        message.add(3, text: value(object, "traceState", "trace_state"))
        message.add(4, hex: value(object, "parentSpanId", "parent_span_id"), count: 8)
        message.add(5, text: object["name"])
        message.add(6, number: number(object["kind"], names: kinds))
        message.add(7, fixed: number(value(object, "startTimeUnixNano", "start_time_unix_nano")))
        message.add(8, fixed: number(value(object, "endTimeUnixNano", "end_time_unix_nano")))
        addAttributes(object, 9, to: &message)
        message.add(10, number: number(value(object, "droppedAttributesCount", "dropped_attributes_count")))
        message.add(12, number: number(value(object, "droppedEventsCount", "dropped_events_count")))
        message.add(14, number: number(value(object, "droppedLinksCount", "dropped_links_count")))
        for event in objects(object, "events", "events") {
            var inner = OTLPMessage()
            inner.add(1, fixed: number(value(event, "timeUnixNano", "time_unix_nano")))
            inner.add(2, text: event["name"])
            addAttributes(event, 3, to: &inner)
            inner.add(4, number: number(value(event, "droppedAttributesCount", "dropped_attributes_count")))
            message.add(11, inner)
        }
        for link in objects(object, "links", "links") {
            var inner = OTLPMessage()
            inner.add(1, hex: value(link, "traceId", "trace_id"), count: 16)
            inner.add(2, hex: value(link, "spanId", "span_id"), count: 8)
            inner.add(3, text: value(link, "traceState", "trace_state"))
            addAttributes(link, 4, to: &inner)
            inner.add(5, number: number(value(link, "droppedAttributesCount", "dropped_attributes_count")))
            message.add(13, inner)
        }
        if let status = object["status"] as? [String: Any] {
            var inner = OTLPMessage()
            inner.add(2, text: status["message"])
            inner.add(3, number: number(status["code"], names: statuses))
            message.add(15, inner)
        }
        return message
    }

    private static func addAttributes(_ object: [String: Any], _ field: UInt64, to message: inout OTLPMessage) {
        for attribute in objects(object, "attributes", "attributes") {
            message.add(field, keyValue(attribute, depth: OTLPValue.depthMax))
        }
    }

    private static func keyValue(_ object: [String: Any], depth: Int) -> OTLPMessage {
        var message = OTLPMessage()
        message.add(1, text: object["key"])
        if let value = object["value"] as? [String: Any] { message.add(2, anyValue(value, depth: depth)) }
        return message
    }

    private static func anyValue(_ object: [String: Any], depth: Int) -> OTLPMessage {
        var message = OTLPMessage()
        if let text = value(object, "stringValue", "string_value") as? String {
            message.add(1, bytes: Array(text.utf8))
        } else if let flag = value(object, "boolValue", "bool_value") as? Bool {
            message.add(2, varint: flag ? 1 : 0)
        } else if let whole = value(object, "intValue", "int_value") {
            message.add(3, varint: signed(whole))
        } else if let double = value(object, "doubleValue", "double_value") {
            let number = (double as? NSNumber)?.doubleValue ?? (double as? String).flatMap { Double($0) } ?? 0
            message.add(4, fixed: number.bitPattern)
        } else if let text = value(object, "bytesValue", "bytes_value") as? String {
            message.add(7, bytes: Array(Data(base64Encoded: text) ?? Data()))
        } else if depth > 0, let list = value(object, "arrayValue", "array_value") as? [String: Any] {
            var inner = OTLPMessage()
            for item in objects(list, "values", "values") { inner.add(1, anyValue(item, depth: depth - 1)) }
            message.add(5, inner)
        } else if depth > 0, let list = value(object, "kvlistValue", "kvlist_value") as? [String: Any] {
            var inner = OTLPMessage()
            for item in objects(list, "values", "values") { inner.add(1, keyValue(item, depth: depth - 1)) }
            message.add(6, inner)
        }
        return message
    }

    private static let kinds = [
        "SPAN_KIND_INTERNAL": 1, "SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4,
        "SPAN_KIND_CONSUMER": 5,
    ] as [String: UInt64]
    private static let statuses = ["STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2] as [String: UInt64]

    private static func value(_ object: [String: Any], _ name: String, _ other: String) -> Any? {
        object[name] ?? object[other]
    }

    private static func objects(_ object: [String: Any], _ name: String, _ other: String) -> [[String: Any]] {
        (value(object, name, other) as? [Any] ?? []).compactMap { $0 as? [String: Any] }
    }

    private static func number(_ value: Any?, names: [String: UInt64] = [:]) -> UInt64 {
        if let text = value as? String { return UInt64(text) ?? names[text] ?? 0 }
        guard let number = value as? NSNumber else { return 0 }
        return UInt64(exactly: number) ?? 0
    }

    private static func signed(_ value: Any) -> UInt64 {
        if let text = value as? String { return UInt64(bitPattern: Int64(text) ?? 0) }
        guard let number = value as? NSNumber else { return 0 }
        return UInt64(bitPattern: number.int64Value)
    }
}

/// A protobuf message in the making. Fields with their default value are left out.
struct OTLPMessage {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ field: UInt64, _ message: OTLPMessage) { add(field, bytes: message.bytes) }

    mutating func add(_ field: UInt64, bytes content: [UInt8]) {
        Wire.appendVarint(field << 3 | 2, to: &bytes)
        Wire.appendVarint(UInt64(content.count), to: &bytes)
        bytes += content
    }

    mutating func add(_ field: UInt64, text: Any?) {
        if let text = text as? String, !text.isEmpty { add(field, bytes: Array(text.utf8)) }
    }

    mutating func add(_ field: UInt64, varint number: UInt64) {
        Wire.appendVarint(field << 3, to: &bytes)
        Wire.appendVarint(number, to: &bytes)
    }

    mutating func add(_ field: UInt64, number: UInt64) {
        if number != 0 { add(field, varint: number) }
    }

    mutating func add(_ field: UInt64, fixed number: UInt64) {
        Wire.appendVarint(field << 3 | 1, to: &bytes)
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    /// An id in hexadecimal of exactly `count` bytes; anything else is left out.
    mutating func add(_ field: UInt64, hex: Any?, count: Int) {
        guard let text = hex as? String, text.utf8.count == 2 * count else { return }
        var content: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case 0x30...0x39: digit = character - 0x30
            case 0x41...0x46: digit = character - 0x37
            case 0x61...0x66: digit = character - 0x57
            default: return
            }
            if let first = high {
                content.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        add(field, bytes: content)
    }
}
