import Linking

/// A verdict in print: the texts of the fields that every exported point gets.
struct VerdictText {
    let spanID: IDText
    let parentID: IDText
    let traceID: IDText
    let ebpfTraceID: IDText
    let ebpfParentID: IDText
    /// `.none` under `compat`.
    let evidence: LinkEvidence
    /// Empty under `compat`.
    let flags: VerdictFlags

    init(_ verdict: SpanVerdict, _ scan: ExportScan, _ rules: ExportRules) {
        spanID = .hex(verdict.spanID.bits)
        ebpfTraceID = .hex(verdict.ebpfTraceID)
        ebpfParentID = .hex(verdict.parentID.bits)
        traceID = Self.trace(verdict, scan, rules, ebpf: ebpfTraceID)
        parentID =
            rules.useApplicationTraceID && scan.parent != 0
                && (!rules.compat || scan.hasTraceLow && scan.hasTraceHigh)
            ? Self.applicationParent(verdict, scan, rules) : ebpfParentID
        evidence = rules.compat ? .none : verdict.evidence
        flags = rules.compat ? [] : verdict.flags
    }

    private static func trace(
        _ verdict: SpanVerdict, _ scan: ExportScan, _ rules: ExportRules, ebpf: IDText
    ) -> IDText {
        switch rules.idEncoding {
        case .auto:
            guard verdict.flags.contains(.applicationTrace) else { return ebpf }
            return verdict.flags.contains(.applicationHex)
                ? .hex(verdict.traceID) : .decimal(verdict.traceID.low)
        case .datakit:
            return scan.isEncodedHex && scan.hasTraceLow && scan.hasTraceHigh
                ? .hex(verdict.traceID) : .decimal(verdict.traceID.low)
        }
    }

    /// The application's parent in the form of its own text, which is the one that reads back as the same number.
    private static func applicationParent(
        _ verdict: SpanVerdict, _ scan: ExportScan, _ rules: ExportRules
    ) -> IDText {
        if rules.idEncoding == .datakit { return scan.isEncodedHex ? .hex(scan.parent) : .decimal(scan.parent) }
        let text = scan.parentText
        if PointText.decimal(scan.base, text.lowerBound, text.count) == scan.parent { return .decimal(scan.parent) }
        if PointText.hex(scan.base, text.lowerBound, text.count) == scan.parent { return .hex(scan.parent) }
        let isHex = scan.isEncodedHex || verdict.flags.contains(.applicationHex)
        return isHex ? .hex(scan.parent) : .decimal(scan.parent)
    }

    /// Room for five ids (at most 54 bytes each), `link_evidence` (30) and three marks (20 each), plus slack for
    /// whole-word stores.
    static let protobufRoom = 512

    /// Writes elements of `PBPoint.fields`; needs `protobufRoom`.
    func writeProtobuf(to writer: inout ByteWriter) {
        writer.expectRoom(Self.protobufRoom)
        Self.write("span_id", spanID, to: &writer)
        Self.write("ebpf_trace_id", ebpfTraceID, to: &writer)
        Self.write("ebpf_parent_id", ebpfParentID, to: &writer)
        Self.write("trace_id", traceID, to: &writer)
        Self.write("parent_id", parentID, to: &writer)
        if evidence != .none { Self.write("link_evidence", evidence.text, to: &writer) }
        if flags.contains(.late) { Self.writeTrue("late", to: &writer) }
        if flags.contains(.rootMissing) { Self.writeTrue("root_missing", to: &writer) }
        if flags.contains(.truncated) { Self.writeTrue("truncated", to: &writer) }
    }

    @inline(__always) private static func write(_ key: StaticString, _ text: IDText, to writer: inout ByteWriter) {
        begin(key, valueBytes: text.length &+ 2, to: &writer)
        writer.write(FieldKind.text.rawValue)
        writer.write(UInt8(truncatingIfNeeded: text.length))
        writer.write(text)
    }

    private static func write(_ key: StaticString, _ text: StaticString, to writer: inout ByteWriter) {
        begin(key, valueBytes: text.utf8CodeUnitCount &+ 2, to: &writer)
        writer.write(FieldKind.text.rawValue)
        writer.write(UInt8(truncatingIfNeeded: text.utf8CodeUnitCount))
        writer.write(text)
    }

    private static func writeTrue(_ key: StaticString, to writer: inout ByteWriter) {
        begin(key, valueBytes: 2, to: &writer)
        writer.write(FieldKind.bool.rawValue)
        writer.write(1)
    }

    /// Tag, length and key of a field; all lengths are below 128, one byte each.
    @inline(__always) private static func begin(
        _ key: StaticString, valueBytes: Int, to writer: inout ByteWriter
    ) {
        writer.write(Wire.field)
        writer.write(UInt8(truncatingIfNeeded: 2 &+ key.utf8CodeUnitCount &+ valueBytes))
        writer.write(Wire.key)
        writer.write(UInt8(truncatingIfNeeded: key.utf8CodeUnitCount))
        writer.write(key)
    }

    /// Room for what `writeJSON` writes.
    static let jsonRoom = 512

    /// Writes JSON members, each with a comma before it; needs `jsonRoom`.
    func writeJSON(to writer: inout ByteWriter) {
        writer.expectRoom(Self.jsonRoom)
        Self.writeMember(",\"span_id\":\"", spanID, to: &writer)
        Self.writeMember(",\"ebpf_trace_id\":\"", ebpfTraceID, to: &writer)
        Self.writeMember(",\"ebpf_parent_id\":\"", ebpfParentID, to: &writer)
        Self.writeMember(",\"trace_id\":\"", traceID, to: &writer)
        Self.writeMember(",\"parent_id\":\"", parentID, to: &writer)
        if evidence != .none {
            writer.write(",\"link_evidence\":\"")
            writer.write(evidence.text)
            writer.write(UInt8(ascii: "\""))
        }
        if flags.contains(.late) { writer.write(",\"late\":true") }
        if flags.contains(.rootMissing) { writer.write(",\"root_missing\":true") }
        if flags.contains(.truncated) { writer.write(",\"truncated\":true") }
    }

    @inline(__always) private static func writeMember(
        _ start: StaticString, _ text: IDText, to writer: inout ByteWriter
    ) {
        writer.write(start)
        writer.write(text)
        writer.write(UInt8(ascii: "\""))
    }
}

extension LinkEvidence {
    /// `name` without a `String`; a test holds the two together.
    var text: StaticString {
        switch self {
        case .none: "none"
        case .net: "net"
        case .netKey: "net_key"
        case .netWeak: "net_weak"
        case .thread: "thread"
        case .process: "process"
        }
    }
}
