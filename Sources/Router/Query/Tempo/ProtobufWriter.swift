/// Writes protobuf messages: tag, length, value. For answers, not for the span path.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func tag(_ field: UInt64, _ wireType: UInt64) { varint(field << 3 | wireType) }

    /// 0 is left out, as proto3 has it.
    mutating func number(_ field: UInt64, _ value: UInt64) {
        guard value != 0 else { return }
        tag(field, 0)
        varint(value)
    }

    /// A member of a `oneof`, which is written even when it is 0.
    mutating func choice(_ field: UInt64, _ value: UInt64) {
        tag(field, 0)
        varint(value)
    }

    /// Eight bytes, written even when 0.
    mutating func fixed(_ field: UInt64, _ value: UInt64) {
        tag(field, 1)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func text(_ field: UInt64, _ text: String) {
        guard !text.isEmpty else { return }
        element(field, text)
    }

    /// An element of a `repeated string`, or a member of a `oneof`: written even when it is empty.
    mutating func element(_ field: UInt64, _ text: String) {
        tag(field, 2)
        let utf8 = text.utf8
        varint(UInt64(utf8.count))
        bytes.append(contentsOf: utf8)
    }

    mutating func data(_ field: UInt64, _ data: [UInt8]) {
        guard !data.isEmpty else { return }
        tag(field, 2)
        varint(UInt64(data.count))
        bytes.append(contentsOf: data)
    }

    /// A message, written even when it is empty.
    mutating func message(_ field: UInt64, _ body: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        body(&inner)
        tag(field, 2)
        varint(UInt64(inner.bytes.count))
        bytes.append(contentsOf: inner.bytes)
    }

    /// Fields that are encoded already.
    mutating func raw(_ fields: [UInt8]) { bytes.append(contentsOf: fields) }
}

/// Steps over the fields of a protobuf message; ends at the first byte that is no message.
struct ProtobufFields: Sequence, IteratorProtocol {
    enum Value {
        case number(UInt64)
        case fixed(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) { rest = Array(bytes)[...] }

    mutating func next() -> (field: UInt64, value: Value)? {
        guard let tag = varint() else { return nil }
        switch tag & 7 {
        case 0: return varint().map { (tag >> 3, .number($0)) }
        case 1: return fixed(8).map { (tag >> 3, .fixed($0)) }
        case 2:
            guard let length = varint(), length <= UInt64(rest.count) else { return nil }
            let value = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            return (tag >> 3, .bytes(value))
        case 5: return fixed(4).map { (tag >> 3, .fixed($0)) }
        default: return nil
        }
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func fixed(_ count: Int) -> UInt64? {
        guard rest.count >= count else { return nil }
        var value: UInt64 = 0
        for (place, byte) in rest.prefix(count).enumerated() { value |= UInt64(byte) << UInt64(place * 8) }
        rest = rest.dropFirst(count)
        return value
    }
}
