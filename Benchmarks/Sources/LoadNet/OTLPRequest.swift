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
        var spans: [UInt8] = []
        var wire = WireCursor(body)
        while wire.at < body.count {
            guard wire.varint() == 0x0A, let end = wire.message(within: body.count),
                let span = point(&wire, until: end)
            else { return nil }
            spans += Self.field(2, span)
        }
        let service = Self.field(1, Self.text("service.name", "bench"))
        return Self.field(1, Self.field(1, service) + Self.field(2, Self.field(1, Self.field(1, [120])) + spans))
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
        var bytes = Self.field(1, Self.bigEndian(0x0123_4567_89AB_CDEF) + Self.bigEndian(trace))
        bytes += Self.field(2, Self.bigEndian(UInt64(index + 1)))
        if truth.parents[index] != Truth.noParent {
            bytes += Self.field(4, Self.bigEndian(UInt64(truth.parents[index]) + 1))
        }
        bytes += Self.field(5, Array((texts["resource"] ?? "").utf8))
        bytes += [6 << 3, incoming == (fault == .kind) ? 3 : 2]
        let begin = UInt64(bitPattern: start + (fault == .start ? 1 : 0)) * 1_000
        bytes += [7 << 3 | 1] + Self.littleEndian(begin)
        bytes += [8 << 3 | 1] + Self.littleEndian(begin + UInt64(bitPattern: duration) * 1_000)
        bytes += Self.field(9, Self.text("url.path", texts["http_route"] ?? ""))
        for (key, value) in [("network.local.port", texts["src_port"]), ("network.peer.port", texts["dst_port"])] {
            bytes += Self.field(9, Self.number(key, UInt64(value ?? "") ?? 0))
        }
        return bytes + Self.field(9, Self.number("thread.id", UInt64(bitPattern: numbers["tid"] ?? 0)))
    }

    // MARK: Protobuf

    private static func text(_ key: String, _ value: String) -> [UInt8] {
        field(1, Array(key.utf8)) + field(2, field(1, Array(value.utf8)))
    }

    private static func number(_ key: String, _ value: UInt64) -> [UInt8] {
        field(1, Array(key.utf8)) + field(2, [3 << 3] + varint(value))
    }

    private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        [number << 3 | 2] + varint(UInt64(content.count)) + content
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    private static func littleEndian(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
