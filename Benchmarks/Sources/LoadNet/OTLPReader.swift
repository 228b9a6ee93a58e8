import LoadModel

/// Walks an `ExportTraceServiceRequest` and picks what the check needs of each span.
///
///     request   0a ResourceSpans { 12 ScopeSpans { 12 Span } }
///     Span      0a trace_id  12 span_id  22 parent_span_id  30 kind  39 start  41 end  4a KeyValue
///     KeyValue  0a key  12 AnyValue { 18 int }
///
/// A span is told by its times, its thread, its client's port and its side (`SpanIdentity.ofTimes`): all of it is in
/// every form of the export, also without the agent's own fields. So a wrong time, port or kind makes it unknown.
struct OTLPReader {
    private var wire: WireCursor

    init(_ bytes: UnsafeRawBufferPointer) { wire = WireCursor(bytes) }

    /// Calls `body` for each span; false when the bytes are no request, or an id has a length that OTLP forbids.
    mutating func forEach(_ body: (ExportedSpan) -> Void) -> Bool {
        messages(0x0A, until: wire.bytes.count) { reader, end in
            reader.messages(0x12, until: end) { reader, end in
                reader.messages(0x12, until: end) { reader, end in
                    guard let span = reader.span(until: end) else { return false }
                    body(span)
                    return true
                }
            }
        }
    }

    /// Calls `body` with the end of each message of the tag; steps over all other fields.
    private mutating func messages(_ tag: UInt64, until end: Int, _ body: (inout Self, Int) -> Bool) -> Bool {
        while wire.at < end {
            guard let found = wire.varint() else { return false }
            if found == tag {
                guard let inner = wire.message(within: end), body(&self, inner) else { return false }
            } else if !wire.skip(found) {
                return false
            }
        }
        return wire.at == end
    }

    private mutating func span(until end: Int) -> ExportedSpan? {
        var fields = SpanFields()
        while wire.at < end {
            guard let tag = wire.varint() else { return nil }
            let isRead: Bool
            switch tag {
            case 0x0A, 0x12, 0x22: isRead = wire.text(within: end).map { fields.set(tag, wire.bytes, $0) } ?? false
            case 0x30: isRead = wire.varint().map { fields.kind = $0 } != nil
            case 0x39: isRead = wire.fixed64().map { fields.start = $0 } != nil
            case 0x41: isRead = wire.fixed64().map { fields.end = $0 } != nil
            case 0x4A: isRead = wire.message(within: end).map { attribute(until: $0, &fields) } ?? false
            default: isRead = wire.skip(tag)
            }
            guard isRead else { return nil }
        }
        return wire.at == end ? fields.span : nil
    }

    private mutating func attribute(until end: Int, _ fields: inout SpanFields) -> Bool {
        var key = 0..<0
        while wire.at < end {
            guard let tag = wire.varint() else { return false }
            if tag == 0x0A {
                guard let range = wire.text(within: end) else { return false }
                key = range
            } else if tag == 0x12 {
                guard let inner = wire.message(within: end), value(of: key, until: inner, &fields) else { return false }
            } else if !wire.skip(tag) {
                return false
            }
        }
        return wire.at == end
    }

    private mutating func value(of key: Range<Int>, until end: Int, _ fields: inout SpanFields) -> Bool {
        while wire.at < end {
            guard let tag = wire.varint() else { return false }
            if tag == 0x18 {
                guard let number = wire.varint() else { return false }
                fields.set(UnsafeRawBufferPointer(rebasing: wire.bytes[key]), number)
            } else if !wire.skip(tag) {
                return false
            }
        }
        return wire.at == end
    }
}

/// The fields of one span as they come by.
private struct SpanFields {
    var kind: UInt64 = 0
    var start: UInt64 = 0
    var end: UInt64 = 0
    private var thread: UInt64 = 0
    private var localPort: UInt64 = 0
    private var peerPort: UInt64 = 0
    private var exported = ExportedSpan()
    private var hasIDs = (trace: false, span: false)

    /// nil without ids: receivers refuse such spans.
    var span: ExportedSpan? {
        guard hasIDs.trace, hasIDs.span else { return nil }
        var span = exported
        // SERVER and CLIENT; another kind is no span of the generator's.
        let incoming = kind == 2
        guard incoming || kind == 3 else { return span }
        span.identity = SpanIdentity.ofTimes(
            startMicroseconds: Int64(bitPattern: start / 1_000),
            durationMicroseconds: Int64(bitPattern: (end &- start) / 1_000), thread: Int64(bitPattern: thread),
            clientPort: Int64(bitPattern: incoming ? peerPort : localPort), incoming: incoming)
        return span
    }

    /// An id; false when it has a length that OTLP forbids, or is zero.
    mutating func set(_ tag: UInt64, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        let id = UnsafeRawBufferPointer(rebasing: bytes[range])
        if tag == 0x0A {
            guard id.count == 16, id.contains(where: { $0 != 0 }) else { return false }
            exported.traceHash = id.textHash
            hasIDs.trace = true
            return true
        }
        if tag == 0x22, id.isEmpty { return true }
        guard id.count == 8 else { return false }
        let number = UInt64(bigEndian: id.loadUnaligned(as: UInt64.self))
        if tag == 0x22 {
            exported.parentID = number
        } else {
            exported.spanID = number
            hasIDs.span = true
        }
        return number != 0
    }

    mutating func set(_ key: UnsafeRawBufferPointer, _ number: UInt64) {
        if key.isKey("thread.id") { thread = number }
        if key.isKey("network.local.port") { localPort = number }
        if key.isKey("network.peer.port") { peerPort = number }
    }
}
