import Linking

/// One exported point as a flat JSON object on a line of its own:
///
///     {"measurement":"dketrace","time":1760967818176049377,"bytes_read":688,…,"span_id":"9731f5990f9788e3",…}
///
/// int64 and uint64 print as exact numbers, doubles in their shortest form (NaN and infinities as null), bytes and Any
/// as base64, text as UTF-8 with U+FFFD for what is none, a field without value as null. The point's own `time` and
/// `measurement` become `field_time` and `field_measurement`.
extension PointSplicer {
    /// Appends the object and a line feed.
    ///
    /// - Parameter point: a `PBPoint` message without tag and length, as a `FactsRow` addresses it.
    /// - Returns: false when the point does not parse; nothing is appended then.
    public func appendJSONLine(
        _ point: UnsafeRawBufferPointer, verdict: SpanVerdict, to output: inout [UInt8]
    ) -> Bool {
        guard let base = point.baseAddress else { return false }
        // A byte of the point gives at most six characters (an escaped control character), a field at most 16 more.
        let (room, overflow) = point.count.multipliedReportingOverflow(by: 10)
        let fixed = VerdictText.jsonRoom + 128 + rules.globalTags.reduce(0) { $0 + $1.json.count + 1 }
        guard !overflow, room < Int(UInt32.max) * 16 else { return false }
        return withUnsafeTemporaryAllocation(byteCount: room + fixed, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return false }
            var writer = ByteWriter(base: start, capacity: buffer.count)
            guard writeLine(base, point.count, verdict, to: &writer) else { return false }
            output.append(contentsOf: UnsafeRawBufferPointer(start: start, count: writer.count))
            return true
        }
    }

    private func writeLine(
        _ base: UnsafeRawPointer, _ count: Int, _ verdict: SpanVerdict, to writer: inout ByteWriter
    ) -> Bool {
        var scan = ExportScan(base: base)
        guard readHead(&scan, count: count) else { return false }
        writer.write("{\"measurement\":")
        writer.write(string: UnsafeRawBufferPointer(start: base + scan.name.lowerBound, count: scan.name.count))
        writer.write(",\"time\":")
        writer.expectRoom(32)
        writer.write(decimal: scan.time)
        guard writeFields(&scan, count: count, to: &writer) else { return false }
        VerdictText(verdict, scan, rules).writeJSON(to: &writer)
        for (index, tag) in rules.globalTags.enumerated() where scan.globalTags & (1 &<< index) == 0 {
            writer.expectRoom(tag.json.count + 1)
            writer.write(UInt8(ascii: ","))
            tag.json.withRawBytes { bytes in
                if let start = bytes.baseAddress { writer.write(start, bytes.count) }
            }
        }
        writer.expectRoom(2)
        writer.write("}\n")
        return true
    }

    /// Name and time, which agents write before and after the fields.
    private func readHead(_ scan: inout ExportScan, count: Int) -> Bool {
        var reader = WireReader(scan.base, from: 0, to: count)
        while !reader.isAtEnd {
            guard let tag = reader.varint() else { return false }
            switch tag {
            case UInt64(Wire.name):
                guard let range = reader.lengthDelimited() else { return false }
                scan.name = range
            case UInt64(Wire.time):
                guard let value = reader.varint() else { return false }
                scan.time = Int64(bitPattern: value)
            default:
                guard reader.skip(tag: tag) else { return false }
            }
        }
        return true
    }

    private func writeFields(_ scan: inout ExportScan, count: Int, to writer: inout ByteWriter) -> Bool {
        var reader = WireReader(scan.base, from: 0, to: count)
        var field = RawField()
        while !reader.isAtEnd {
            guard let isField = Self.next(&reader, &field, &scan.time, name: &scan.name) else { return false }
            guard isField, scan.keeps(field, rules) else { continue }
            writer.expectRoom(16)
            writer.write(UInt8(ascii: ","))
            writeKey(field, scan.base, to: &writer)
            writer.write(UInt8(ascii: ":"))
            writeValue(field, scan.base, to: &writer)
        }
        return true
    }

    @inline(__always) private func writeKey(
        _ field: RawField, _ base: UnsafeRawPointer, to writer: inout ByteWriter
    ) {
        if field.keyLength == 4 || field.keyLength == 11 {
            switch ExportKey.match(base, field.keyStart, field.keyLength) {
            case .time: return writer.write("\"field_time\"")
            case .measurement: return writer.write("\"field_measurement\"")
            default: break
            }
        }
        writer.write(string: UnsafeRawBufferPointer(start: base + field.keyStart, count: field.keyLength))
    }

    @inline(__always) private func writeValue(
        _ field: RawField, _ base: UnsafeRawPointer, to writer: inout ByteWriter
    ) {
        if field.kind == FieldKind.text.rawValue {
            return writer.write(
                string: UnsafeRawBufferPointer(start: base + field.valueStart, count: field.length))
        }
        writer.expectRoom(32)
        if field.kind == FieldKind.signed.rawValue {
            return writer.write(decimal: Int64(bitPattern: field.bits))
        }
        writeOther(field, base, to: &writer)
    }

    private func writeOther(_ field: RawField, _ base: UnsafeRawPointer, to writer: inout ByteWriter) {
        switch FieldKind(rawValue: field.kind) {
        case .unsigned: writer.write(decimal: field.bits)
        case .double: writer.write(double: Double(bitPattern: field.bits))
        case .bool: writer.write(field.bits != 0 ? "true" : "false")
        case .bytes, .any:
            writer.write(base64: UnsafeRawBufferPointer(start: base + field.valueStart, count: field.length))
        case .text, .signed, nil: writer.write("null")
        }
    }
}

extension ByteWriter {
    /// The shortest text that reads back as the same number, at most 24 characters; null for NaN and infinities.
    fileprivate mutating func write(double value: Double) {
        guard value.isFinite else { return write("null") }
        var text = value.description
        text.withUTF8 { bytes in
            expectRoom(bytes.count)
            if let start = bytes.baseAddress { write(UnsafeRawPointer(start), bytes.count) }
        }
    }

    fileprivate mutating func write(base64 bytes: UnsafeRawBufferPointer) {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        Base64.append(bytes, to: &text)
        text.append(UInt8(ascii: "\""))
        expectRoom(text.count)
        text.withRawBytes { encoded in
            if let start = encoded.baseAddress { write(start, encoded.count) }
        }
    }
}
