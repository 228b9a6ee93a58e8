/// Traces of a shop with eight services as OTLP requests, to fill a store with: 12 spans a trace, 602 bytes a span,
/// with 20 attributes such as the product's own target for the store writes. The same for the same numbers.
///
///     request  0a ResourceSpans { 0a Resource { 0a KeyValue … }  12 ScopeSpans { 0a scope  12 Span … } } …
public struct ShopTraces: Sendable {
    public static let spansPerTrace = 12
    /// Between the starts of two traces, nanoseconds: 5 million spans take 23 hours.
    public static let step: UInt64 = 200_000_000
    /// Of the first trace, nanoseconds since 1970.
    public let start: UInt64

    private static let services = ["gw", "cart", "pay", "stock", "user", "mail", "search", "ads"]
    private let resources: [[UInt8]]
    private let names: [[UInt8]]
    /// By service, then by place among five.
    private let addresses: [[[UInt8]]]

    public init(start: UInt64) {
        self.start = start
        resources = Self.services.map { service in
            var resource = MessageBytes()
            for (key, value) in [
                ("service.name", service), ("host.name", "node-\(service.count)"), ("k8s.namespace.name", "shop"),
                ("k8s.pod.name", "\(service)-5d8f6c7b9-x2x4z"),
                ("container.id", String(repeating: "89abcdef", count: 4)),
            ] { resource.attribute(0x0A, key, Array(value.utf8)) }
            return resource.bytes
        }
        names = ["GET /item"].map { Array($0.utf8) } + Self.services.map { Array("GET /\($0)".utf8) }
        addresses = Self.services.indices.map { service in (0..<5).map { Array("10.0.\(service).\($0)".utf8) } }
    }

    /// The trace id as 32 hexadecimal digits.
    public static func id(_ trace: Int) -> String { hex(traceID(trace, 0)) + hex(traceID(trace, 1)) }

    /// The id of a span as 16 hexadecimal digits.
    public static func spanID(_ trace: Int, _ index: Int) -> String { hex(spanBits(trace, index)) }

    /// Start of a trace, nanoseconds since 1970.
    public func begin(of trace: Int) -> UInt64 { start + UInt64(trace) * Self.step }

    /// One request with the spans of some traces.
    public func request(_ traces: Range<Int>) -> [UInt8] {
        var scopes = Self.services.map { _ in MessageBytes() }
        for service in scopes.indices { scopes[service].field(0x0A, [0x0A, 9] + Array("ebpftrace".utf8)) }
        var span = MessageBytes()
        for trace in traces {
            for index in 0..<Self.spansPerTrace {
                let service = index == 0 ? 0 : Int(Self.noise(trace, index, 0) % 8)
                span.bytes.removeAll(keepingCapacity: true)
                write(trace, index, service, &span)
                scopes[service].field(0x12, span.bytes)
            }
        }
        var request = MessageBytes()
        for (resource, scope) in zip(resources, scopes) {
            var both = MessageBytes()
            both.field(0x0A, resource)
            both.field(0x12, scope.bytes)
            request.field(0x0A, both.bytes)
        }
        return request.bytes
    }

    private func write(_ trace: Int, _ index: Int, _ service: Int, _ span: inout MessageBytes) {
        let noise = Self.noise(trace, index, 7)
        let isServer = index % 2 == 0
        let isError = noise % 50 == 0
        let begin = begin(of: trace) + UInt64(index) * 300_000
        let duration = noise % 200_000 == 0 ? 950_000_000 : 1_000_000 + noise % 40_000_000
        span.bytes += [0x0A, 16]
        span.bigEndian(Self.traceID(trace, 0))
        span.bigEndian(Self.traceID(trace, 1))
        span.bytes += [0x12, 8]
        span.bigEndian(Self.spanBits(trace, index))
        if index > 0 {
            span.bytes += [0x22, 8]
            span.bigEndian(Self.spanBits(trace, (index - 1) / 2))
        }
        let name = names[index == 0 ? 0 : service + 1]
        span.field(0x2A, name)
        span.bytes += [0x30, isServer ? 2 : 3, 0x39]
        span.littleEndian(begin)
        span.bytes.append(0x41)
        span.littleEndian(begin + duration)
        let path = index == 0 ? Array("/item/\(trace)".utf8) : Array(name.dropFirst(4))
        writeTexts(service, isServer, path, noise, &span)
        writeNumbers(service, isError, begin, noise, &span)
        if isError { span.bytes += [0x7A, 2, 0x18, 2] }
    }

    private func writeTexts(
        _ service: Int, _ isServer: Bool, _ path: [UInt8], _ noise: UInt64, _ span: inout MessageBytes
    ) {
        let own = addresses[service][0]
        let peer = addresses[service][Int(noise % 5)]
        span.attribute(0x4A, "http.request.method", Array("GET".utf8))
        span.attribute(0x4A, "url.path", path)
        span.attribute(0x4A, "network.peer.address", peer)
        span.attribute(0x4A, "network.local.address", own)
        span.attribute(0x4A, "server.address", own)
        span.attribute(0x4A, "ebpftrace.evidence", Array((isServer ? "net" : "thread").utf8))
        span.attribute(0x4A, "ebpf.direction", Array((isServer ? "incoming" : "outgoing").utf8))
        span.attribute(0x4A, "ebpf.src_ip", own)
        span.attribute(0x4A, "ebpf.dst_ip", peer)
    }

    private func writeNumbers(
        _ service: Int, _ isError: Bool, _ begin: UInt64, _ noise: UInt64, _ span: inout MessageBytes
    ) {
        let process = 1_000 + UInt64(service)
        let thread = 1_000 + noise % 16
        let sequence = noise & 0xFFFF_FFFF
        span.attribute(0x4A, "http.response.status_code", isError ? 503 : 200)
        span.attribute(0x4A, "network.peer.port", 32_768 + (noise >> 20) % 28_000)
        span.attribute(0x4A, "server.port", 8_080)
        span.attribute(0x4A, "process.pid", process)
        span.attribute(0x4A, "thread.id", thread)
        span.attribute(0x4A, "ebpf.req_seq", sequence)
        span.attribute(0x4A, "ebpf.resp_seq", sequence ^ 0x5555)
        span.attribute(0x4A, "ebpf.thread_trace_id", noise >> 12)
        span.attribute(0x4A, "ebpf.pid", process)
        span.attribute(0x4A, "ebpf.tid", thread)
        span.attribute(0x4A, "ebpf.ktime", begin & 0xFFFF_FFFF_FFFF)
    }

    // MARK: Numbers

    private static func noise(_ trace: Int, _ index: Int, _ use: UInt64) -> UInt64 {
        RandomSource.mix(RandomSource.mix(UInt64(trace) << 8 | UInt64(index)) ^ use)
    }

    private static func traceID(_ trace: Int, _ half: UInt64) -> UInt64 { noise(trace, 0, 100 + half) | 1 }
    private static func spanBits(_ trace: Int, _ index: Int) -> UInt64 { noise(trace, index, 3) | 1 }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// A protobuf message in the making.
public struct MessageBytes: Sendable {
    public var bytes: [UInt8] = []

    public init() {}

    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A field of a length.
    public mutating func field(_ tag: UInt8, _ content: some Collection<UInt8>) {
        bytes.append(tag)
        varint(UInt64(content.count))
        bytes += content
    }

    /// A `KeyValue` with a text.
    public mutating func attribute(_ tag: UInt8, _ key: String, _ value: [UInt8]) {
        // Keys and texts are shorter than 60 bytes here, so each length takes one byte.
        precondition(key.utf8.count + value.count < 120, "an attribute of the load is too long")
        bytes += [tag, UInt8(key.utf8.count + value.count + 6)]
        field(0x0A, key.utf8)
        bytes += [0x12, UInt8(value.count + 2)]
        field(0x0A, value)
    }

    /// A `KeyValue` with a number.
    public mutating func attribute(_ tag: UInt8, _ key: String, _ value: UInt64) {
        let width = UInt8((70 - UInt64(value | 1).leadingZeroBitCount) / 7)
        bytes += [tag, UInt8(key.utf8.count) + width + 5]
        field(0x0A, key.utf8)
        bytes += [0x12, width + 1, 0x18]
        varint(value)
    }

    public mutating func bigEndian(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
    public mutating func littleEndian(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
}
