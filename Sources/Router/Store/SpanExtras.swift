import Linking
import Shared

/// What an SDK says of a span beside its fixed fields and attributes, read from `StoredSpan.rest`.
///
/// OTLP's numbers in a `Span` message:
///
///     3 trace_state   10 dropped_attributes_count   11 Event   12 dropped_events_count   13 Link
///     14 dropped_links_count   16 flags
///     Event   1 time (8 bytes, ns)   2 name   3 KeyValue …   4 dropped_attributes_count
///     Link    1 trace_id (16)   2 span_id (8)   3 trace_state   4 KeyValue …   5 dropped_attributes_count   6 flags
///
/// The bytes come from the network: what cannot be read is left out. O(bytes).
struct SpanExtras: Sendable, Equatable {
    /// Something that happened at a moment within a span: an exception, a message.
    struct Event: Sendable, Equatable {
        /// Nanoseconds since 1970, as the SDK said; 0 where it said none.
        var time: UInt64 = 0
        var name = ""
        var attributes: [Attribute] = []
        var droppedAttributes: UInt64 = 0
    }

    /// Another span, mostly of another trace, that a span has to do with.
    struct Link: Sendable, Equatable {
        var traceID: TraceID
        var spanID: SpanID
        var traceState = ""
        var attributes: [Attribute] = []
        var droppedAttributes: UInt64 = 0
    }

    /// W3C's `tracestate`.
    var traceState = ""
    /// As they were sent.
    var events: [Event] = []
    /// As they were sent; those without usable ids are left out.
    var links: [Link] = []
    var droppedAttributes: UInt64 = 0
    var droppedEvents: UInt64 = 0
    var droppedLinks: UInt64 = 0

    /// Reads the fields of a `Span` message that a row keeps as they came.
    init(_ rest: [UInt8]) {
        guard !rest.isEmpty else { return }
        rest.withUnsafeBytes { bytes in
            var fields = OTLPMessageFields(bytes)
            while let field = fields.next() {
                switch field.tag {
                case 0x1a: traceState = Self.text(field.bytes)
                case 0x50: droppedAttributes = field.number
                case 0x5a: events.append(Self.event(field.bytes))
                case 0x60: droppedEvents = field.number
                case 0x6a: if let link = Self.link(field.bytes) { links.append(link) }
                case 0x70: droppedLinks = field.number
                default: break
                }
            }
        }
    }

    private static func event(_ message: UnsafeRawBufferPointer) -> Event {
        var event = Event()
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            switch field.tag {
            case 0x09: event.time = field.number
            case 0x12: event.name = text(field.bytes)
            case 0x20: event.droppedAttributes = field.number
            default: break
            }
        }
        event.attributes = attributes(of: message, tag: 0x1a)
        return event
    }

    private static func link(_ message: UnsafeRawBufferPointer) -> Link? {
        // Trace and span id have the numbers that they have in a span.
        guard let ids = OTLPSpanBytes(message), !ids.traceID.isNone, ids.id != .none else { return nil }
        var link = Link(traceID: ids.traceID, spanID: ids.id)
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            switch field.tag {
            case 0x1a: link.traceState = text(field.bytes)
            case 0x28: link.droppedAttributes = field.number
            default: break
            }
        }
        link.attributes = attributes(of: message, tag: 0x22)
        return link
    }

    private static func attributes(of message: UnsafeRawBufferPointer, tag: UInt64) -> [Attribute] {
        var attributes: [Attribute] = []
        OTLPKeyValues.forEach(in: message, tag: tag) { key, value in
            attributes.append(Attribute(text(key), AttributeValue(OTLPValue(value))))
        }
        return attributes
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
}
