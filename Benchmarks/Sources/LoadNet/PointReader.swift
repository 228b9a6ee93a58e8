import LoadModel

/// What the check needs of an exported span: 32 bytes.
struct ExportedSpan {
    /// `SpanIdentity` of it: by `of` from points, by `ofTimes` from OTLP.
    var identity: UInt64 = 0
    var spanID: UInt64 = 0
    /// `parent_id`; 0 for a root.
    var parentID: UInt64 = 0
    /// Hash of `trace_id`: its text in points, its bytes in OTLP.
    var traceHash: UInt64 = 0
}

/// Walks a `PBPoints` body and picks the fields that the check needs; builds nothing per field.
struct PointReader {
    private var wire: WireCursor

    init(_ bytes: UnsafeRawBufferPointer) { wire = WireCursor(bytes) }

    /// Calls `body` for each point; false when the bytes are no `PBPoints`.
    mutating func forEach(_ body: (ExportedSpan) -> Void) -> Bool {
        while wire.at < wire.bytes.count {
            guard wire.varint() == 0x0A, let end = wire.message(within: wire.bytes.count), let span = point(until: end)
            else { return false }
            body(span)
        }
        return true
    }

    private mutating func point(until end: Int) -> ExportedSpan? {
        var fields = Fields()
        while wire.at < end {
            guard let tag = wire.varint() else { return nil }
            if tag == 0x12 {
                guard let fieldEnd = wire.message(within: end), field(until: fieldEnd, &fields) else { return nil }
            } else if !wire.skip(tag) {
                return nil
            }
        }
        return wire.at == end ? fields.span : nil
    }

    private mutating func field(until end: Int, _ fields: inout Fields) -> Bool {
        var key = 0..<0
        while wire.at < end {
            guard let tag = wire.varint() else { return false }
            switch tag {
            case 0x0A:
                guard let range = wire.text(within: end) else { return false }
                key = range
            case 0x10, 0x18:
                guard let number = wire.varint() else { return false }
                fields.set(wire.bytes, key, number)
            case 0x5A, 0x32:
                guard let value = wire.text(within: end) else { return false }
                fields.set(wire.bytes, key, UnsafeRawBufferPointer(rebasing: wire.bytes[value]))
            default:
                guard wire.skip(tag) else { return false }
            }
        }
        return wire.at == end
    }
}

/// The fields of one point as they come by.
private struct Fields {
    private var requestSequence: UInt64 = 0
    private var responseSequence: UInt64 = 0
    private var kernelTime: Int64 = 0
    private var incoming = false
    private var exported = ExportedSpan()

    var span: ExportedSpan {
        var span = exported
        span.identity = SpanIdentity.of(
            requestSequence: requestSequence, responseSequence: responseSequence, kernelTime: kernelTime,
            incoming: incoming)
        return span
    }

    mutating func set(_ bytes: UnsafeRawBufferPointer, _ key: Range<Int>, _ number: UInt64) {
        let key = UnsafeRawBufferPointer(rebasing: bytes[key])
        if key.isKey("req_seq") { requestSequence = number }
        if key.isKey("resp_seq") { responseSequence = number }
        if key.isKey("ktime") { kernelTime = Int64(bitPattern: number) }
    }

    mutating func set(_ bytes: UnsafeRawBufferPointer, _ key: Range<Int>, _ value: UnsafeRawBufferPointer) {
        let key = UnsafeRawBufferPointer(rebasing: bytes[key])
        if key.isKey("direction") { incoming = value.isKey("incoming") }
        if key.isKey("span_id") { exported.spanID = value.hexadecimal }
        if key.isKey("parent_id") { exported.parentID = value.hexadecimal }
        if key.isKey("trace_id") { exported.traceHash = value.textHash }
    }
}

extension UnsafeRawBufferPointer {
    /// The number that up to 16 hex digits name; anything else counts as the hash of the text.
    fileprivate var hexadecimal: UInt64 {
        guard count <= 16 else { return textHash }
        var value: UInt64 = 0
        for byte in self {
            switch byte {
            case 48...57: value = value << 4 | UInt64(byte - 48)
            case 97...102: value = value << 4 | UInt64(byte - 87)
            default: return textHash
            }
        }
        return value
    }
}
