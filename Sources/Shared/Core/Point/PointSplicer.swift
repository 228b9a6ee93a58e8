import Linking

/// Writes kept spans: the original bytes of a point, minus the fields a verdict replaces, plus what it says.
///
/// The hot path of exporting: 3500 to 4100 instructions a point as protobuf (callgrind, release). Holds scratch memory
/// that is reused, so it belongs to one thread at a time. O(bytes of the point).
public struct PointSplicer {
    public let rules: ExportRules
    /// What stays of the original point, as ranges; reused.
    private var kept: [Range<Int>] = []

    public init(rules: ExportRules) { self.rules = rules }

    /// Appends one element of `PBPoints.arr`: tag, length, point.
    ///
    /// - Parameter point: a `PBPoint` message without tag and length, as a `FactsRow` addresses it.
    /// - Returns: false when the point does not parse; nothing is appended then.
    public mutating func appendProtobuf(
        _ point: UnsafeRawBufferPointer, verdict: SpanVerdict, to output: inout [UInt8]
    ) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: protobufRoom(for: point), alignment: 8) { room in
            let count = writeProtobuf(point, verdict: verdict, to: room)
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[..<count]))
            return count > 0
        }
    }

    /// The bytes of room that `writeProtobuf` needs for a point.
    public func protobufRoom(for point: UnsafeRawBufferPointer) -> Int {
        point.count + VerdictText.protobufRoom + rules.globalTagBytes + 11
    }

    /// Writes what `appendProtobuf` appends to the beginning of `room`, which has at least `protobufRoom` bytes.
    ///
    /// - Returns: the bytes written; 0 when the point does not parse.
    public mutating func writeProtobuf(
        _ point: UnsafeRawBufferPointer, verdict: SpanVerdict, to room: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard let base = point.baseAddress, let start = room.baseAddress else { return 0 }
        precondition(room.count >= protobufRoom(for: point), "too little room for a point")
        var scan = ExportScan(base: base)
        guard readKept(&scan, count: point.count) else { return 0 }
        let ids = VerdictText(verdict, scan, rules)
        var keptBytes = 0
        for range in kept { keptBytes &+= range.count }
        return withUnsafeTemporaryAllocation(byteCount: VerdictText.protobufRoom, alignment: 8) { buffer in
            guard let text = buffer.baseAddress else { return 0 }
            var added = ByteWriter(base: text, capacity: buffer.count)
            ids.writeProtobuf(to: &added)
            var writer = ByteWriter(base: start, capacity: room.count)
            writer.write(Wire.point)
            writer.write(varint: UInt64(truncatingIfNeeded: keptBytes &+ added.count &+ missingTagBytes(scan)))
            for range in kept { writer.write(base + range.lowerBound, range.count) }
            writer.write(text, added.count)
            for (index, tag) in rules.globalTags.enumerated() where scan.globalTags & (1 &<< index) == 0 {
                tag.protobuf.withRawBytes { bytes in
                    if let start = bytes.baseAddress { writer.write(start, bytes.count) }
                }
            }
            return writer.count
        }
    }

    private func missingTagBytes(_ scan: ExportScan) -> Int {
        var bytes = 0
        for (index, tag) in rules.globalTags.enumerated() where scan.globalTags & (1 &<< index) == 0 {
            bytes &+= tag.protobuf.count
        }
        return bytes
    }

    /// Fills `kept` and `scan`; false when the point does not parse.
    private mutating func readKept(_ scan: inout ExportScan, count: Int) -> Bool {
        kept.removeAll(keepingCapacity: true)
        var start = 0
        var position = 0
        var field = RawField()
        while true {
            let at = Self.skipCopied(scan.base, position, count, rules.globalTagLengths)
            guard at < count else { break }
            var reader = WireReader(scan.base, from: at, to: count)
            guard let isField = Self.next(&reader, &field, &scan.time, name: &scan.name) else { return false }
            position = reader.position
            guard isField, !scan.keeps(field, rules) else { continue }
            if at > start { kept.append(start..<at) }
            start = position
        }
        if count > start { kept.append(start..<count) }
        return true
    }

    /// Steps over fields that are just copied; returns where the first other part begins.
    ///
    /// Their values are not looked at: a point was checked when it was taken.
    @inline(never) private static func skipCopied(
        _ base: UnsafeRawPointer, _ position: Int, _ count: Int, _ tagLengths: UInt64
    ) -> Int {
        var position = position
        while let head = FieldHead(base, at: position, limit: count),
            tagLengths & KeyLengths.bit(head.keyLength) == 0,
            ExportKey.match(base, head.keyStart, head.keyLength) == nil
        { position = head.end }
        return position
    }

    /// Reads the next part of a point: true for a field, false for another part, nil when it does not parse.
    @inline(__always) static func next(
        _ reader: inout WireReader, _ field: inout RawField, _ time: inout Int64, name: inout Range<Int>
    ) -> Bool? {
        if let head = FieldHead(reader.base, at: reader.position, limit: reader.end), field.read(reader.base, head) {
            reader.position = head.end
            return true
        }
        guard let tag = reader.varint() else { return nil }
        if tag == UInt64(Wire.field) {
            guard let bytes = reader.lengthDelimited(),
                field.readAny(reader.base, from: bytes.lowerBound, to: bytes.upperBound)
            else { return nil }
            return true
        }
        if tag == UInt64(Wire.name) {
            guard let bytes = reader.lengthDelimited() else { return nil }
            name = bytes
        } else if tag == UInt64(Wire.time) {
            guard let value = reader.varint() else { return nil }
            time = Int64(bitPattern: value)
        } else if !reader.skip(tag: tag) {
            return nil
        }
        return false
    }
}

/// What the fields of one point mean for its export.
struct ExportScan {
    let base: UnsafeRawPointer
    /// `measurement`.
    var name = 0..<0
    /// Nanoseconds since 1970.
    var time: Int64 = 0
    /// Bit n: the point has a field of the name of global tag n.
    var globalTags: UInt64 = 0
    /// `app_trace_encode` is "hex".
    var isEncodedHex = false
    var hasTraceLow = false
    var hasTraceHigh = false
    /// `app_parent_id_l`.
    var parent: UInt64 = 0
    /// Text of `app_parent_id`.
    var parentText = 0..<0

    init(base: UnsafeRawPointer) { self.base = base }

    /// Takes note of a field; true when it stays in the exported point.
    @inline(__always) mutating func keeps(_ field: RawField, _ rules: ExportRules) -> Bool {
        if rules.globalTagLengths & KeyLengths.bit(field.keyLength) != 0 { noteGlobalTag(field, rules) }
        guard let key = ExportKey.match(base, field.keyStart, field.keyLength) else { return true }
        note(key, field, strict: rules.compat)
        return !key.isReplaced && (rules.compat || !key.isMark)
    }

    private mutating func noteGlobalTag(_ field: RawField, _ rules: ExportRules) {
        let key = UnsafeRawBufferPointer(start: base + field.keyStart, count: field.keyLength)
        for (index, tag) in rules.globalTags.enumerated() where key.elementsEqual(tag.key) {
            globalTags |= 1 &<< UInt64(index)
        }
    }

    private mutating func note(_ key: ExportKey, _ field: RawField, strict: Bool) {
        switch key {
        case .traceLow: hasTraceLow = integer(field, strict: strict) != nil
        case .traceHigh: hasTraceHigh = integer(field, strict: strict) != nil
        case .parentLow: parent = integer(field, strict: strict) ?? 0
        case .parentText:
            parentText = field.isText ? field.valueStart..<(field.valueStart + field.length) : 0..<0
        case .encoding:
            isEncodedHex = field.isText && PointText.equals(base, field.valueStart, field.length, "hex")
        default: break
        }
    }

    /// As the walker reads integers, so that both see the same ids.
    private func integer(_ field: RawField, strict: Bool) -> UInt64? {
        switch FieldKind(rawValue: field.kind) {
        case .signed: field.bits
        case _ where strict: nil
        case .unsigned: field.bits
        case .text, .bytes: PointText.decimal(base, field.valueStart, field.length)
        case .double: Int64(exactly: Double(bitPattern: field.bits)).map { UInt64(bitPattern: $0) }
        case .bool, .any, nil: nil
        }
    }
}
