import Linking

/// The point's own fields under the prefix `ebpf.`, numbers as numbers.
extension OTLPEncoder {
    mutating func writeFields(_ kind: Kind) {
        if fields == .all { writeAllFields() } else { writeLinkFields(kind) }
    }

    /// What an attribute says already is left out (docs/otlp.md): ten fields of most spans.
    private mutating func writeLinkFields(_ kind: Kind) {
        writeField("ebpf.req_seq", .requestSequence)
        writeField("ebpf.resp_seq", .responseSequence)
        writeField("ebpf.thread_trace_id", .threadTraceID)
        if !point.isText(.direction, kind.isEntry ? "incoming" : "outgoing") {
            writeField("ebpf.direction", .direction)
        }
        if !point.isText(.spanType, kind.isEntry ? "entry" : "exit") {
            writeField("ebpf.ebpf_span_type", .spanType)
        }
        if point.integer(.processID) == nil { writeField("ebpf.pid", .processID) }
        if point.integer(.threadID) == nil { writeField("ebpf.tid", .threadID) }
        writeField("ebpf.tid_usr", .userThreadID)
        writeField("ebpf.ktime", .kernelTime)
        writeEnd("ebpf.src_ip", .sourceAddress, "ebpf.src_port", .sourcePort, isTold: true)
        writeEnd("ebpf.dst_ip", .destinationAddress, "ebpf.dst_port", .destinationPort, isTold: true)
        writeEnd(
            "ebpf.dst_nat_ip", .natAddress, "ebpf.dst_nat_port", .natPort, isTold: point.text(.natAddress) != nil)
        writeField("ebpf.app_trace_id", .traceText)
        writeField("ebpf.app_parent_id", .parentText)
    }

    /// - Parameter isTold: whether the attributes of the connection hold this end, as far as they can.
    @inline(__always) private mutating func writeEnd(
        _ addressKey: StaticString, _ address: OTLPField, _ portKey: StaticString, _ port: OTLPField, isTold: Bool
    ) {
        if !isTold || point.text(address) == nil { writeField(addressKey, address) }
        if !isTold || point.integer(port) == nil { writeField(portKey, port) }
    }

    @inline(__always) private mutating func writeField(_ key: StaticString, _ field: OTLPField) {
        guard point.has(field) else { return }
        let value = point[field]
        if value.kind == FieldKind.signed.rawValue { return writer.attribute(key, Int64(bitPattern: value.bits)) }
        if value.kind == FieldKind.text.rawValue {
            return writer.attribute(key, point.base + value.start, value.length)
        }
        writeOther(OTLPKey(text: key), value)
    }

    private mutating func writeAllFields() {
        let (base, count, rules) = (point.base, point.bytes.count, rules)
        var reader = WireReader(base, from: 0, to: count)
        var field = RawField()
        var time: Int64 = 0
        var name = 0..<0
        while !reader.isAtEnd {
            // What does not parse was passed over as an unknown field, and is left out here.
            guard let isField = PointSplicer.next(&reader, &field, &time, name: &name) else { return }
            guard isField, field.keyLength > 0, !isReplaced(field, base, rules) else { continue }
            let value = OTLPPoint.Value(bits: field.bits, length: field.length, kind: field.kind)
            writeOther(OTLPKey(start: base + field.keyStart, length: field.keyLength), value)
        }
    }

    /// Fields that the verdict says anew.
    private func isReplaced(_ field: RawField, _ base: UnsafeRawPointer, _ rules: ExportRules) -> Bool {
        guard let key = ExportKey.match(base, field.keyStart, field.keyLength) else { return false }
        return key.isReplaced || !rules.compat && key.isMark
    }

    private mutating func writeOther(_ key: OTLPKey, _ value: OTLPPoint.Value) {
        let start = point.base
        switch FieldKind(rawValue: value.kind) {
        case .signed: writer.attribute(key, integer: value.bits)
        case .unsigned where value.bits >> 63 == 0: writer.attribute(key, integer: value.bits)
        case .unsigned: writer.attribute(key, text: IDText.decimal(value.bits))
        case .double: writer.attribute(key, double: value.bits)
        case .bool: writer.attribute(key, bool: value.bits != 0)
        case .text: writer.attribute(key, text: start + value.start, value.length)
        case .bytes, .any: writer.attribute(key, bytes: start + value.start, value.length)
        case nil: break
        }
    }
}

/// A key of an attribute: `ebpf.` and the name of a field.
struct OTLPKey {
    private static let prefix: StaticString = "ebpf."
    let start: UnsafeRawPointer
    let length: Int
    private let isWhole: Bool

    init(start: UnsafeRawPointer, length: Int) {
        self.start = start
        self.length = length
        isWhole = false
    }

    /// A whole key with its prefix.
    init(text: StaticString) {
        start = UnsafeRawPointer(text.utf8Start)
        length = text.utf8CodeUnitCount
        isWhole = true
    }

    var wireLength: Int { isWhole ? length : length &+ Self.prefix.utf8CodeUnitCount }

    /// Needs room for `wireLength`.
    func write(to writer: inout OTLPWriter) {
        if !isWhole { writer.text(Self.prefix) }
        writer.bytes(start, length)
    }
}

extension OTLPWriter {
    private mutating func begin(_ key: OTLPKey, value: Int) {
        let length = key.wireLength
        reserve(length &+ value &+ 64)
        byte(Self.spanAttribute)
        self.length(Self.lengthDelimited(length) &+ Self.lengthDelimited(value))
        byte(0x0a)
        self.length(length)
        key.write(to: &self)
        byte(0x12)
        self.length(value)
    }

    fileprivate mutating func attribute(_ key: OTLPKey, integer bits: UInt64) {
        repairing(key) { writer, key in
            writer.begin(key, value: Wire.varintLength(bits) &+ 1)
            writer.byte(0x18)
            writer.varint(bits)
        }
    }

    fileprivate mutating func attribute(_ key: OTLPKey, double bits: UInt64) {
        repairing(key) { writer, key in
            writer.begin(key, value: 9)
            writer.byte(0x21)
            writer.fixed(bits)
        }
    }

    fileprivate mutating func attribute(_ key: OTLPKey, bool: Bool) {
        repairing(key) { writer, key in
            writer.begin(key, value: 2)
            writer.byte(0x10)
            writer.byte(bool ? 1 : 0)
        }
    }

    fileprivate mutating func attribute(_ key: OTLPKey, text: IDText) {
        repairing(key) { writer, key in
            writer.begin(key, value: Self.lengthDelimited(text.length))
            writer.byte(0x0a)
            writer.length(text.length)
            writer.text(text)
        }
    }

    fileprivate mutating func attribute(_ key: OTLPKey, bytes: UnsafeRawPointer, _ count: Int) {
        repairing(key) { writer, key in writer.delimited(key, 0x3a, bytes, count) }
    }

    fileprivate mutating func attribute(_ key: OTLPKey, text: UnsafeRawPointer, _ count: Int) {
        repairing(key) { writer, key in
            if UTF8Text.isASCII(text, count) { return writer.delimited(key, 0x0a, text, count) }
            var repaired = UTF8Text.repaired(text, count)
            repaired.withUTF8 { bytes in
                if let start = bytes.baseAddress { writer.delimited(key, 0x0a, UnsafeRawPointer(start), bytes.count) }
            }
        }
    }

    private mutating func delimited(_ key: OTLPKey, _ tag: UInt8, _ start: UnsafeRawPointer, _ count: Int) {
        begin(key, value: Self.lengthDelimited(count))
        byte(tag)
        length(count)
        bytes(start, count)
    }

    /// Calls `body` with the key as valid UTF-8.
    private mutating func repairing(_ key: OTLPKey, _ body: (inout OTLPWriter, OTLPKey) -> Void) {
        if UTF8Text.isASCII(key.start, key.length) { return body(&self, key) }
        var repaired = UTF8Text.repaired(key.start, key.length)
        repaired.withUTF8 { bytes in
            guard let start = bytes.baseAddress else { return }
            body(&self, OTLPKey(start: UnsafeRawPointer(start), length: bytes.count))
        }
    }
}
