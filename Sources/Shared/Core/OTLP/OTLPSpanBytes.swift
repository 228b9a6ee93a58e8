import Linking

/// One OTLP `Span` message, its fixed fields read, the rest still bytes; valid as long as the request's bytes.
public struct OTLPSpanBytes {
    /// The message.
    public let bytes: UnsafeRawBufferPointer
    /// None when it is missing or not 16 bytes.
    public private(set) var traceID = TraceID.none
    /// None when it is missing or not 8 bytes.
    public private(set) var id = SpanID.none
    public private(set) var parent = SpanID.none
    public private(set) var name = UnsafeRawBufferPointer(start: nil, count: 0)
    public private(set) var kind: UInt64 = 0
    /// Nanoseconds since 1970.
    public private(set) var start: UInt64 = 0
    /// Nanoseconds since 1970.
    public private(set) var end: UInt64 = 0
    public private(set) var statusCode: UInt64 = 0
    public private(set) var statusMessage = UnsafeRawBufferPointer(start: nil, count: 0)
    public private(set) var attributeCount = 0
    /// Whether the message has fields that no property here holds (events, links, …).
    public private(set) var hasOtherFields = false

    /// Reads the fixed fields; nil when the message is malformed. O(fields).
    public init?(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        var fields = OTLPMessageFields(bytes)
        while let field = fields.next() {
            switch field.tag {
            case OTLPWire.attribute: attributeCount &+= 1
            case OTLPWire.traceID: traceID = Self.trace(field.bytes)
            case OTLPWire.spanID: id = Self.span(field.bytes)
            case OTLPWire.parentID: parent = Self.span(field.bytes)
            case OTLPWire.name: name = field.bytes
            case OTLPWire.kind: kind = field.number
            case OTLPWire.start: start = field.number
            case OTLPWire.end: end = field.number
            case OTLPWire.status: guard readStatus(field.bytes) else { return nil }
            default: hasOtherFields = true
            }
        }
        guard fields.isWhole else { return nil }
    }

    private mutating func readStatus(_ message: UnsafeRawBufferPointer) -> Bool {
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            switch field.tag {
            case 0x12: statusMessage = field.bytes
            case 0x18: statusCode = field.number
            default: break
            }
        }
        return fields.isWhole
    }

    private static func trace(_ bytes: UnsafeRawBufferPointer) -> TraceID {
        guard bytes.count == 16, let base = bytes.baseAddress else { return .none }
        return TraceID(high: UInt64(bigEndian: base.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    private static func span(_ bytes: UnsafeRawBufferPointer) -> SpanID {
        guard bytes.count == 8, let base = bytes.baseAddress else { return .none }
        return SpanID(UInt64(bigEndian: base.loadUnaligned(as: UInt64.self)))
    }

    /// Calls `body` with key and `AnyValue` message of each attribute; those that cannot be read are left out.
    @inline(__always) public func forEachAttribute(
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        OTLPKeyValues.forEach(in: bytes, tag: OTLPWire.attribute, body)
    }

    /// Calls `body` with each field, tag and length included, that none of the properties here hold.
    public func forEachOtherField(_ body: (UnsafeRawBufferPointer) -> Void) {
        var fields = OTLPMessageFields(bytes)
        while let field = fields.next() {
            switch field.tag {
            case OTLPWire.attribute, OTLPWire.traceID, OTLPWire.spanID, OTLPWire.parentID, OTLPWire.name,
                OTLPWire.kind, OTLPWire.start, OTLPWire.end, OTLPWire.status:
                break
            default: body(field.whole)
            }
        }
    }
}

/// Lists of `KeyValue` messages.
public enum OTLPKeyValues {
    /// Calls `body` with key and `AnyValue` message of each field `tag`; those that cannot be read are left out.
    @inline(__always) public static func forEach(
        in message: UnsafeRawBufferPointer, tag: UInt64,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            guard field.tag == tag else { continue }
            var key = UnsafeRawBufferPointer(start: nil, count: 0)
            var value = UnsafeRawBufferPointer(start: nil, count: 0)
            var pair = OTLPMessageFields(field.bytes)
            while let part = pair.next() {
                if part.tag == 0x0a { key = part.bytes } else if part.tag == 0x12 { value = part.bytes }
            }
            if pair.isWhole { body(key, value) }
        }
    }

    /// As `forEach`, over the attributes of a `Resource` message.
    public static func forEachOfResource(
        _ resource: UnsafeRawBufferPointer,
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        forEach(in: resource, tag: 0x0a, body)
    }
}
