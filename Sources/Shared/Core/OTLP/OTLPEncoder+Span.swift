import Linking

/// The span message: ids, name, kind, times, status, and the attributes that every span has.
///
///     0a 16 BYTES trace_id        39 8 BYTES start (fixed64, ns)    4a LEN attribute …
///     12 8 BYTES  span_id         41 8 BYTES end                    7a LEN Status { 12 LEN message  18 code }
///     22 8 BYTES  parent_span_id  2a LEN name   30 VARINT kind
extension OTLPEncoder {
    /// `Span.kind`
    enum Kind: UInt8 {
        case server = 2
        case client = 3
        case producer = 4
        case consumer = 5

        /// True for the side that was called.
        @inline(__always) var isEntry: Bool { self == .server || self == .consumer }
    }

    /// Longest duration that is believed, µs (30 days).
    static let durationMax: Int64 = 30 * 86_400 * 1_000_000

    /// Writes the span of the point that was read.
    mutating func writeSpan(_ verdict: SpanVerdict) {
        let call = OTLPProtocol(point)
        let side: Kind = isEntry ? .server : .client
        let kind = call == .amqp ? OTLPMessaging.kind(point, side) : side
        let span = ids(verdict)
        writer.reserve(256)
        writeIDs(span)
        writer.byte(0x30)
        writer.byte(kind.rawValue)
        let isOpen = writeTimes()
        writeName(call)
        writeEvidence(verdict, span, isOpen: isOpen)
        writeEnds(kind)
        writeProcess()
        let failure = writeCall(call, kind)
        if failure.isError { writeStatus(failure) }
        if fields != .none { writeFields(kind) }
    }

    /// The direction tells the two sides apart; without it the kind of span does.
    private var isEntry: Bool {
        if point.isText(.direction, "incoming") { return true }
        if point.isText(.direction, "outgoing") { return false }
        return point.isText(.spanType, "entry")
    }

    // MARK: Ids

    /// The ids as exported.
    struct IDs {
        var trace: TraceID
        var span: SpanID
        var parent: SpanID
    }

    private func ids(_ verdict: SpanVerdict) -> IDs {
        var trace = verdict.traceID.isNone ? verdict.ebpfTraceID : verdict.traceID
        if trace.high == 0 {
            if verdict.flags.contains(.applicationTrace) { trace.high = datadogHigh }
            // An id of zeros is refused by every receiver.
            if trace.isNone { trace.low = verdict.spanID.bits }
        }
        return IDs(trace: trace, span: verdict.spanID, parent: applicationParent ?? verdict.parentID)
    }

    /// The high half of a Datadog trace id: hexadecimal text.
    private var datadogHigh: UInt64 {
        guard let value = point.text(.datadogHigh), value.length <= 16 else { return 0 }
        return PointText.hex(point.base, value.start, value.length) ?? 0
    }

    /// As the splicer decides on `parent_id`.
    private var applicationParent: SpanID? {
        guard rules.useApplicationTraceID, point.has(.parentLow) else { return nil }
        if rules.compat {
            guard let parent = point.signed(.parentLow), parent != 0, point.signed(.traceLow) != nil,
                point.signed(.traceHigh) != nil
            else { return nil }
            return SpanID(parent)
        }
        guard let parent = point.integer(.parentLow), parent != 0 else { return nil }
        return SpanID(parent)
    }

    @inline(__always) private mutating func writeIDs(_ ids: IDs) {
        writer.byte(0x0a)
        writer.byte(16)
        writer.bigEndian(ids.trace.high)
        writer.bigEndian(ids.trace.low)
        writer.byte(0x12)
        writer.byte(8)
        writer.bigEndian(ids.span.bits)
        guard ids.parent != .none else { return }
        writer.byte(0x22)
        writer.byte(8)
        writer.bigEndian(ids.parent.bits)
    }

    // MARK: Times

    /// Start and end; true when the end is not known. `start` and `duration` are µs, the point's own time is ns.
    @inline(__always) private mutating func writeTimes() -> Bool {
        let start = startTime
        var end = start
        var isOpen = true
        if let duration = point.integer(.duration).map({ Int64(bitPattern: $0) }), duration >= 0,
            duration <= Self.durationMax
        {
            let (sum, overflow) = start.addingReportingOverflow(UInt64(duration) &* 1000)
            if !overflow {
                end = sum
                isOpen = false
            }
        }
        writer.byte(0x39)
        writer.fixed(start)
        writer.byte(0x41)
        writer.fixed(end)
        return isOpen
    }

    /// Nanoseconds since 1970; 0 when neither the field nor the point's time says it.
    @inline(__always) private var startTime: UInt64 {
        if let start = point.integer(.start), Int64(bitPattern: start) > 0 {
            let (product, overflow) = start.multipliedReportingOverflow(by: 1000)
            if !overflow { return product }
        }
        return point.time > 0 ? UInt64(point.time) : 0
    }

    // MARK: Attributes of every span

    @inline(__always) private mutating func writeEvidence(_ verdict: SpanVerdict, _ ids: IDs, isOpen: Bool) {
        if !rules.compat {
            if verdict.evidence != .none { writer.attribute("ebpftrace.evidence", verdict.evidence.text) }
            if verdict.flags.contains(.late) { writer.attribute(isTrue: "ebpftrace.late") }
            if verdict.flags.contains(.rootMissing) { writer.attribute(isTrue: "ebpftrace.root_missing") }
            if verdict.flags.contains(.truncated) { writer.attribute(isTrue: "ebpftrace.truncated") }
        }
        if isOpen { writer.attribute(isTrue: "ebpftrace.open") }
        if verdict.ebpfTraceID != ids.trace, !verdict.ebpfTraceID.isNone {
            writer.attribute("ebpftrace.trace_id", IDText.hex(verdict.ebpfTraceID))
        }
        if verdict.parentID != ids.parent, verdict.parentID != .none {
            writer.attribute("ebpftrace.parent_id", IDText.hex(verdict.parentID.bits))
        }
    }

    /// `src_*` is the process's own end of the connection, `dst_*` the other one, `dst_nat_*` the other one behind NAT.
    @inline(__always) private mutating func writeEnds(_ kind: Kind) {
        let isTranslated = point.text(.natAddress) != nil
        writeText("network.local.address", .sourceAddress)
        writeInteger("network.local.port", .sourcePort)
        writeText("network.peer.address", isTranslated ? .natAddress : .destinationAddress)
        writeInteger("network.peer.port", isTranslated ? .natPort : .destinationPort)
        if kind.isEntry {
            writeText("server.address", .sourceAddress)
            writeInteger("server.port", .sourcePort)
            writeText("client.address", .destinationAddress)
            writeInteger("client.port", .destinationPort)
        } else {
            writeText("server.address", .destinationAddress)
            writeInteger("server.port", .destinationPort)
        }
    }

    @inline(__always) private mutating func writeProcess() {
        writeInteger("process.pid", .processID)
        writeText("process.executable.name", .processName)
        writeInteger("thread.id", .threadID)
        writeText("thread.name", .threadName)
    }

    /// A text that is not empty, or a number as text.
    @inline(__always) mutating func writeText(_ key: StaticString, _ field: OTLPField) {
        guard point.has(field) else { return }
        let value = point[field]
        guard value.isText else { return writeNumberAsText(key, field) }
        if value.length > 0 { writer.attribute(key, point.base + value.start, value.length) }
    }

    @inline(never) mutating func writeNumberAsText(_ key: StaticString, _ field: OTLPField) {
        guard let number = point.integer(field) else { return }
        let isNegative = point[field].kind != FieldKind.unsigned.rawValue && Int64(bitPattern: number) < 0
        writer.attribute(key, isNegative ? IDText.decimal(signed: Int64(bitPattern: number)) : .decimal(number))
    }

    /// An integer, also one that came as text.
    @inline(__always) mutating func writeInteger(_ key: StaticString, _ field: OTLPField) {
        if let number = point.integer(field) { writer.attribute(key, Int64(bitPattern: number)) }
    }

    // MARK: Name and status

    /// `Span.name`
    @inline(__always) mutating func writeName(_ start: UnsafeRawPointer, _ length: Int) {
        guard UTF8Text.isASCII(start, length) else { return writeRepairedName(start, length) }
        writer.reserve(length &+ 16)
        writer.byte(0x2a)
        writer.length(length)
        writer.bytes(start, length)
    }

    @inline(never) private mutating func writeRepairedName(_ start: UnsafeRawPointer, _ length: Int) {
        var text = UTF8Text.repaired(start, length)
        text.withUTF8 { bytes in
            writer.reserve(bytes.count &+ 16)
            writer.byte(0x2a)
            writer.length(bytes.count)
            if let start = bytes.baseAddress { writer.bytes(UnsafeRawPointer(start), bytes.count) }
        }
    }

    /// `Span.status` with code 2 (error), and the receiver's words where it sent some.
    private mutating func writeStatus(_ failure: OTLPFailure) {
        guard let message = failure.message.flatMap({ point.text($0) }) else {
            writer.reserve(16)
            writer.byte(0x7a)
            writer.byte(2)
            return writeErrorCode()
        }
        var text = UTF8Text.repaired(point.base + message.start, message.length)
        text.withUTF8 { bytes in
            writer.reserve(bytes.count &+ 32)
            writer.byte(0x7a)
            writer.length(OTLPWriter.lengthDelimited(bytes.count) &+ 2)
            writer.byte(0x12)
            writer.length(bytes.count)
            if let start = bytes.baseAddress { writer.bytes(UnsafeRawPointer(start), bytes.count) }
        }
        writeErrorCode()
    }

    @inline(__always) private mutating func writeErrorCode() {
        writer.byte(0x18)
        writer.byte(2)
    }
}

extension IDText {
    /// Up to 20 characters.
    static func decimal(signed value: Int64) -> IDText {
        var text = IDText()
        withUnsafeMutableBytes(of: &text.words) { buffer in
            guard let base = buffer.baseAddress else { return }
            var writer = ByteWriter(base: base, capacity: buffer.count)
            writer.write(decimal: value)
            text.length = writer.count
        }
        return text
    }
}
