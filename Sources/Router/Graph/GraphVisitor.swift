import Glibc
import Linking
import Shared

/// Reads from the spans of an OTLP request what the service graph looks at: ebpftrace's own spans, clients and servers.
///
/// Spans of SDKs are left out: they are about the same requests, and would count them twice. It can ride along with
/// another visitor, which then walks the attributes once for both: `begin`, `take` for each attribute, `end`.
struct GraphVisitor: OTLPVisitor {
    private(set) var spans: [GraphSpan] = []
    private var service = ""
    private var isOwnScope = false
    private var side = GraphSpan.Side.client
    private var peer = Peer(trace: .none, parent: .none)

    /// The spans of a request; those before a malformed part when it is malformed.
    static func spans(of request: UnsafeRawBufferPointer) -> [GraphSpan] {
        var visitor = GraphVisitor()
        // The store tells the sender what is wrong with the request.
        try? OTLPWalker.walk(request, visitor: &visitor)
        return visitor.spans
    }

    mutating func resource(_ message: UnsafeRawBufferPointer) throws(Failure) {
        var name: String?
        OTLPKeyValues.forEachOfResource(message) { key, value in
            if key.isText("service.name") { name = Self.text(value) }
        }
        service = name ?? "unknown_service"
    }

    mutating func scope(_ name: UnsafeRawBufferPointer) throws(Failure) {
        isOwnScope = name.isText("ebpftrace")
    }

    mutating func span(_ span: borrowing OTLPSpanBytes) throws(Failure) {
        guard begin(span) else { return }
        span.forEachAttribute { key, value in take(key, value) }
        end(span)
    }

    mutating func unreadableSpan() throws(Failure) {}

    /// False: the graph does not look at this span.
    mutating func begin(_ span: borrowing OTLPSpanBytes) -> Bool {
        guard isOwnScope, !span.traceID.isNone, span.id != .none, let side = Self.side(span.kind) else { return false }
        self.side = side
        peer = Peer(trace: span.traceID, parent: span.parent)
        return true
    }

    @inline(__always) mutating func take(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        peer.take(key, value)
    }

    mutating func end(_ span: borrowing OTLPSpanBytes) {
        spans.append(
            GraphSpan(
                traceID: peer.trace, id: span.id, parent: peer.parent == .none ? nil : peer.parent, side: side,
                service: service, peer: side == .client ? peer.value : nil, start: span.start,
                duration: span.end > span.start ? span.end - span.start : 0, isError: span.statusCode == 2))
    }

    private static func side(_ kind: UInt64) -> GraphSpan.Side? {
        switch kind {
        case 2, 5: .server
        case 3, 4: .client
        default: nil
        }
    }

    fileprivate static func text(_ value: UnsafeRawBufferPointer) -> String? {
        guard case .string(let bytes) = OTLPValue(value), bytes.count > 0 else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What a span's attributes say of the other end, and of the parent that eBPF saw.
    private struct Peer {
        private(set) var trace: TraceID
        private(set) var parent: SpanID
        private var database: String?
        private var messaging: String?
        private var address: String?

        init(trace: TraceID, parent: SpanID) {
            self.trace = trace
            self.parent = parent
        }

        var value: GraphSpan.Peer? {
            if let database { return .database(database) }
            if let messaging { return .messaging(messaging) }
            return address.map { .external($0) }
        }

        @inline(__always) mutating func take(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
            // Few keys have one of these lengths: most are passed over without a comparison.
            switch key.count {
            case 14 where key.isText("db.system.name"): database = GraphVisitor.text(value)
            case 16 where key.isText("messaging.system"): messaging = GraphVisitor.text(value)
            case 14 where key.isText("server.address"): address = GraphVisitor.text(value)
            case 19 where key.isText("ebpftrace.parent_id"):
                parent = GraphVisitor.text(value).flatMap { UInt64($0, radix: 16) }.map { SpanID($0) } ?? parent
            case 18 where key.isText("ebpftrace.trace_id"):
                trace = GraphVisitor.text(value).flatMap(Self.traceID) ?? trace
            default: break
            }
        }

        private static func traceID(_ text: String) -> TraceID? {
            guard text.count == 32, let high = UInt64(text.prefix(16), radix: 16),
                let low = UInt64(text.suffix(16), radix: 16) else { return nil }
            return TraceID(high: high, low: low)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes are an ASCII text. (`elementsEqual` with a String's view goes byte by byte.)
    @inline(__always) fileprivate func isText(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount, let base = baseAddress else { return false }
        return memcmp(base, text.utf8Start, count) == 0
    }
}
