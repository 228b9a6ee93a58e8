import LoadModel

/// Makes of the generator's points what a perfect product would send to an OTLP receiver. For the self-test only:
/// from the points' own bytes, so that reading times and ports is tested, too.
struct OTLPRequest {
    /// What is false about the spans, for a test that must notice it.
    enum Fault { case none, kind, start, traceID }

    private let truth: Truth
    private let fault: Fault
    private var indices: [UInt64: Int] = [:]

    init(_ truth: Truth, fault: Fault = .none) {
        self.truth = truth
        self.fault = fault
        for (index, identity) in truth.identities.enumerated() { indices[identity] = index }
    }

    /// The request for a body of points; nil when a point is not in the truth.
    func bytes(of body: UnsafeRawBufferPointer) -> [UInt8]? {
        var scope = MessageBytes()
        var wire = WireCursor(body)
        while wire.at < body.count {
            guard wire.varint() == 0x0A, let end = wire.message(within: body.count),
                let span = point(&wire, until: end)
            else { return nil }
            scope.field(0x12, span)
        }
        var service = MessageBytes()
        service.attribute(0x0A, "service.name", Array("bench".utf8))
        var both = MessageBytes()
        both.field(0x0A, service.bytes)
        both.field(0x12, scope.bytes)
        var request = MessageBytes()
        request.field(0x0A, both.bytes)
        return request.bytes
    }

    private func point(_ wire: inout WireCursor, until end: Int) -> [UInt8]? {
        var numbers: [String: Int64] = [:]
        var texts: [String: String] = [:]
        while wire.at < end {
            guard let tag = wire.varint() else { return nil }
            guard tag == 0x12 else {
                guard wire.skip(tag) else { return nil }
                continue
            }
            guard let fieldEnd = wire.message(within: end) else { return nil }
            var key = ""
            while wire.at < fieldEnd {
                guard let tag = wire.varint() else { return nil }
                switch tag {
                case 0x0A: key = wire.text(within: fieldEnd).map { text(wire, $0) } ?? ""
                case 0x10, 0x18: numbers[key] = wire.varint().map { Int64(bitPattern: $0) }
                case 0x5A, 0x32: texts[key] = wire.text(within: fieldEnd).map { text(wire, $0) }
                default: guard wire.skip(tag) else { return nil }
                }
            }
        }
        return span(numbers, texts)
    }

    private func text(_ wire: WireCursor, _ range: Range<Int>) -> String {
        String(decoding: wire.bytes[range], as: UTF8.self)
    }

    private func span(_ numbers: [String: Int64], _ texts: [String: String]) -> [UInt8]? {
        let incoming = texts["direction"] == "incoming"
        let identity = SpanIdentity.of(
            requestSequence: UInt64(bitPattern: numbers["req_seq"] ?? 0),
            responseSequence: UInt64(bitPattern: numbers["resp_seq"] ?? 0), kernelTime: numbers["ktime"] ?? 0,
            incoming: incoming)
        guard let index = indices[identity], let start = numbers["start"], let duration = numbers["duration"] else {
            return nil
        }
        let trace = UInt64(truth.traces[index]) + (fault == .traceID ? UInt64(index) << 32 : 0)
        var span = MessageBytes()
        span.bytes += [0x0A, 16]
        span.bigEndian(0x0123_4567_89AB_CDEF)
        span.bigEndian(trace)
        span.bytes += [0x12, 8]
        span.bigEndian(UInt64(index + 1))
        if truth.parents[index] != Truth.noParent {
            span.bytes += [0x22, 8]
            span.bigEndian(UInt64(truth.parents[index]) + 1)
        }
        span.field(0x2A, (texts["resource"] ?? "").utf8)
        let begin = UInt64(bitPattern: start + (fault == .start ? 1 : 0)) * 1_000
        span.bytes += [0x30, incoming == (fault == .kind) ? 3 : 2, 0x39]
        span.littleEndian(begin)
        span.bytes.append(0x41)
        span.littleEndian(begin + UInt64(bitPattern: duration) * 1_000)
        span.attribute(0x4A, "url.path", Array((texts["http_route"] ?? "").utf8))
        for (key, value) in [("network.local.port", texts["src_port"]), ("network.peer.port", texts["dst_port"])] {
            span.attribute(0x4A, key, UInt64(value ?? "") ?? 0)
        }
        span.attribute(0x4A, "thread.id", UInt64(bitPattern: numbers["tid"] ?? 0))
        return span.bytes
    }
}
