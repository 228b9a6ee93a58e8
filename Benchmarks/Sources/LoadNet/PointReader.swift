import LoadModel

/// What the check needs of an exported span: 32 bytes.
struct ExportedSpan {
    /// `SpanIdentity` of it.
    var identity: UInt64 = 0
    var spanID: UInt64 = 0
    /// `parent_id`; 0 for a root.
    var parentID: UInt64 = 0
    /// Hash of the text of `trace_id`.
    var traceHash: UInt64 = 0
}

/// Walks a `PBPoints` body and picks the fields that the check needs; builds nothing per field.
struct PointReader {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Calls `body` for each point; false when the bytes are no `PBPoints`.
    mutating func forEach(_ body: (ExportedSpan) -> Void) -> Bool {
        while at < bytes.count {
            guard let tag = varint(), let length = varint(), tag == 0x0A, let end = limit(length),
                let span = point(until: end)
            else { return false }
            body(span)
        }
        return true
    }

    private mutating func point(until end: Int) -> ExportedSpan? {
        var fields = Fields()
        while at < end {
            guard let tag = varint() else { return nil }
            if tag == 0x12 {
                guard let length = varint(), let fieldEnd = limit(length), fieldEnd <= end,
                    field(until: fieldEnd, &fields)
                else { return nil }
            } else if !skip(tag) {
                return nil
            }
        }
        return at == end ? fields.span : nil
    }

    private mutating func field(until end: Int, _ fields: inout Fields) -> Bool {
        var key = 0..<0
        while at < end {
            guard let tag = varint() else { return false }
            switch tag {
            case 0x0A:
                guard let range = text(end) else { return false }
                key = range
            case 0x10, 0x18:
                guard let number = varint() else { return false }
                fields.set(bytes, key, number)
            case 0x5A, 0x32:
                guard let value = text(end) else { return false }
                fields.set(bytes, key, UnsafeRawBufferPointer(rebasing: bytes[value]))
            default:
                guard skip(tag) else { return false }
            }
        }
        return at == end
    }

    private mutating func text(_ end: Int) -> Range<Int>? {
        guard let length = varint(), let textEnd = limit(length), textEnd <= end else { return nil }
        defer { at = textEnd }
        return at..<textEnd
    }

    private mutating func skip(_ tag: UInt64) -> Bool {
        switch tag & 7 {
        case 0: return varint() != nil
        case 1: return move(8)
        case 2:
            guard let length = varint(), let end = limit(length) else { return false }
            at = end
            return true
        case 5: return move(4)
        default: return false
        }
    }

    private mutating func move(_ count: Int) -> Bool {
        guard bytes.count - at >= count else { return false }
        at += count
        return true
    }

    private func limit(_ length: UInt64) -> Int? {
        length <= UInt64(bytes.count - at) ? at + Int(length) : nil
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count, shift < 64 {
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
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
    @inline(__always)
    fileprivate func isKey(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for place in 0..<count where self[place] != text.utf8Start[place] { return false }
        return true
    }

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

    /// FNV-1a.
    fileprivate var textHash: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in self { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}
