/// Why a span has the parent it has.
public enum LinkEvidence: UInt8, Sendable, CaseIterable {
    /// Root, or no evidence.
    case none = 0
    /// R1a: equal net key and mirrored flow.
    case net = 1
    /// R1b: equal net key, but the two ends see different 4-tuples (NAT).
    case netKey = 2
    /// R2: equal `req_seq` on the same connection, `resp_seq` missing or different.
    case netWeak = 3
    /// R3: equal thread key.
    case thread = 4
    /// R4: the one request open on the same process key.
    case process = 5

    /// The value of the field `link_evidence`, of metric labels and of pages.
    public var name: String {
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

/// Marks that go with a span's verdict.
public struct VerdictFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The span is exported.
    public static let keep = VerdictFlags(rawValue: 1 << 0)
    /// It came after its trace was closed.
    public static let late = VerdictFlags(rawValue: 1 << 1)
    /// An exit whose own entry never came (R5).
    public static let rootMissing = VerdictFlags(rawValue: 1 << 2)
    /// Its edge was not made because the trace reached a limit.
    public static let truncated = VerdictFlags(rawValue: 1 << 3)
    /// The application trace id is printed in hexadecimal.
    public static let applicationHex = VerdictFlags(rawValue: 1 << 4)
    /// The trace id in effect is an application's, not the eBPF one.
    public static let applicationTrace = VerdictFlags(rawValue: 1 << 5)
}

/// The merge's final answer for one span that is kept: its ids, its parent and why.
public struct SpanVerdict: Hashable, Sendable {
    public var flags: VerdictFlags
    public var evidence: LinkEvidence
    public var spanID: SpanID
    /// The eBPF parent; none for a root.
    public var parentID: SpanID
    /// Id of the whole eBPF trace.
    public var ebpfTraceID: TraceID
    /// The trace id in effect: an application's (own or inherited), else equal to `ebpfTraceID`.
    public var traceID: TraceID

    public init(
        flags: VerdictFlags, evidence: LinkEvidence, spanID: SpanID, parentID: SpanID, ebpfTraceID: TraceID,
        traceID: TraceID
    ) {
        self.flags = flags
        self.evidence = evidence
        self.spanID = spanID
        self.parentID = parentID
        self.ebpfTraceID = ebpfTraceID
        self.traceID = traceID
    }
}
