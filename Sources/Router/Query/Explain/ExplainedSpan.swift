import Linking

/// A stored span with its link facts: the attributes `ebpf.*` that the store keeps, and what other attributes say.
struct ExplainedSpan: Sendable {
    let span: StoredSpan
    let resource: [Attribute]

    /// `req_seq`; nil when 0 or not told.
    let requestSequence: UInt64?
    /// `resp_seq`; nil when 0 or not told.
    let responseSequence: UInt64?
    /// `thread_trace_id`; nil when 0, -1 or not told.
    let threadKey: Int64?
    let processID: String?
    /// `tid_usr`, or else `tid`.
    let threadID: String?
    let isUserThread: Bool
    /// Kernel clock, nanoseconds since the node's boot.
    let kernelTime: Int64?
    let isIncoming: Bool
    let isEntry: Bool
    /// The two ends as the process saw them, "address port".
    let source: String?
    let destination: String?
    let host: String?

    init(_ span: StoredSpan, resource: [Attribute]) {
        self.span = span
        self.resource = resource
        func fact(_ name: String) -> AttributeValue? { Self.fact(name, of: span)?.value }
        func number(_ name: String) -> Int64? {
            switch fact(name) {
            case .int(let number): number
            case .string(let text): Int64(text) ?? UInt64(text).map { Int64(bitPattern: $0) }
            default: nil
            }
        }
        func text(_ name: String) -> String? { fact(name).map(\.text).flatMap { $0.isEmpty ? nil : $0 } }
        func sequence(_ name: String) -> UInt64? { number(name).flatMap { $0 == 0 ? nil : UInt64(bitPattern: $0) } }
        requestSequence = sequence("req_seq")
        responseSequence = sequence("resp_seq")
        threadKey = number("thread_trace_id").flatMap { $0 == 0 || $0 == -1 ? nil : $0 }
        processID = text("pid")
        let userThread = text("tid_usr").flatMap { $0 == "0" ? nil : $0 }
        isUserThread = userThread != nil
        threadID = userThread ?? text("tid")
        kernelTime = number("ktime").flatMap { $0 == 0 ? nil : $0 }
        let direction = text("direction")
        isIncoming = direction.map { $0 == "incoming" } ?? (span.kind == 2 || span.kind == 5)
        isEntry = text("ebpf_span_type").map { $0 == "entry" } ?? (span.kind == 2 || span.kind == 5)
        source = Self.end(text("src_ip"), text("src_port"))
        let translated = text("dst_nat_port").flatMap { $0 == "0" ? nil : $0 }
        destination = Self.end(text("dst_nat_ip") ?? text("dst_ip"), translated ?? text("dst_port"))
        host = text("host") ?? resource["host.name"]?.text
    }

    /// A link fact by the name of the agents' field, and the attribute that tells it.
    ///
    /// The store keeps `ebpf.NAME` only where no attribute says the same, see docs/otlp.md.
    static func fact(_ name: String, of span: StoredSpan) -> (key: String, value: AttributeValue)? {
        let own = "ebpf." + name
        if let value = span.attributes[own] { return (own, value) }
        // An SDK's attributes of these names are about other ends, or none that linking saw.
        guard !span.isApplication, let key = attribute(for: name, isEntry: span.kind == 2 || span.kind == 5),
            let value = span.attributes[key]
        else { return nil }
        return (key, value)
    }

    private static func attribute(for name: String, isEntry: Bool) -> String? {
        switch name {
        case "pid": "process.pid"
        case "tid": "thread.id"
        case "src_ip": "network.local.address"
        case "src_port": "network.local.port"
        case "dst_ip": isEntry ? "client.address" : "server.address"
        case "dst_port": isEntry ? "client.port" : "server.port"
        // Equal to `dst_*` where nothing was translated.
        case "dst_nat_ip": "network.peer.address"
        case "dst_nat_port": "network.peer.port"
        default: nil
        }
    }

    private static func end(_ address: String?, _ port: String?) -> String? {
        guard var address, let port else { return nil }
        if address.hasPrefix("::ffff:"), address.contains(".") { address.removeFirst(7) }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// An outgoing span that takes its parent by R3 or R4.
    var isExit: Bool { !isIncoming && !isEntry }

    /// True when the store has no link facts of it: a span of an SDK, or one that came without them.
    var lacksFacts: Bool { requestSequence == nil && threadKey == nil && processID == nil && source == nil }

    /// A response was seen.
    var hasResponse: Bool { span.attributes["ebpftrace.open"] != .bool(true) }

    /// The last kernel time at which the request was open, as rule R4 has it.
    var closedAt: Int64? {
        guard let kernelTime else { return nil }
        let length = hasResponse ? Int64(clamping: span.duration / 1_000 * 1_000 + 999) : 1_000_000_000
        let (sum, overflow) = kernelTime.addingReportingOverflow(length)
        return overflow ? .max : sum
    }

    /// The end that asks.
    var initiator: String? { isIncoming ? destination : source }

    /// "10.0.0.1:40000 → 10.0.0.2:80", from who asks to who answers.
    var connection: String? {
        guard let source, let destination else { return nil }
        return isIncoming ? "\(destination) → \(source)" : "\(source) → \(destination)"
    }

    var evidence: LinkEvidence {
        guard let name = span.attributes["ebpftrace.evidence"]?.text else { return .none }
        return LinkEvidence.allCases.first { $0.name == name } ?? .none
    }

    /// The parent that ebpftrace gave it, whatever parent the view shows.
    var linkedParent: SpanID? {
        for key in ["ebpftrace.parent_id", "ebpftrace.original_parent_id"] {
            if let id = span.attributes[key].flatMap({ SpanID(hex: $0.text) }) { return id }
        }
        return evidence == .none ? nil : span.parent
    }

    func isMarked(_ mark: String) -> Bool { span.attributes["ebpftrace." + mark] == .bool(true) }

    var service: String { resource["service.name"]?.text ?? "unknown_service" }

    /// As a reader recognises it.
    var told: Explanation.Span {
        Explanation.Span(id: span.id.hex, traceID: span.traceID.hex, service: service, name: span.name)
    }

    /// "gw (GET /home)"
    var title: String { span.name.isEmpty ? service : "\(service) (\(span.name))" }
}
