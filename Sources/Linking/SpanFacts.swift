/// What an agent's report says about how a span hangs together with others: the *link facts*.
///
/// Everything linking, sampling and closing need, and nothing of the payload. A missing number is 0.
public struct SpanFacts: Hashable, Sendable {
    /// TCP sequence number of the first byte of the request; 0: none.
    public var requestSequence: UInt64 = 0
    /// TCP sequence number of the first byte of the response; 0: none was seen.
    public var responseSequence: UInt64 = 0
    /// `thread_trace_id`: one incoming request and the calls made for it; 0: none (0 and -1 on the wire).
    public var threadKey: UInt64 = 0
    /// Hash of the scope within which process ids are unique (an agent, a host); 0: none.
    public var scope: UInt64 = 0
    /// Process id (its number, or a hash where it is not a number); 0: none.
    public var processID: UInt64 = 0
    /// `tid_usr` (flag `.userThread`) or else `tid`; 0: none.
    public var threadID: UInt64 = 0
    /// Kernel clock of the request, nanoseconds since the node's boot; 0: none.
    public var kernelTime: Int64 = 0
    /// Wall clock of the request, microseconds since 1970, as the agent stamped it.
    public var start: Int64 = 0
    /// Microseconds; negative: no response was seen.
    public var duration: Int64 = 0
    /// Hash of the unordered pair of ends; meaningful with flag `.hasFlow`.
    public var flow: UInt32 = 0
    /// Hash of the end that opened the request; meaningful with flag `.hasFlow`.
    public var initiator: UInt32 = 0
    /// The `span_id` the sender gave (flag `.givenID`), the hash of the point's bytes (`.passThrough`), or the
    /// computed id.
    public var id = SpanID.none
    public var flags = SpanFlags()
    /// Ids that the application put on the request; all 0 without flag `.hasApplication`.
    public var application = ApplicationIDs()

    public init() {}

    /// The facts without numbers that their flags do not vouch for (a thread id without a pid, an end without a flow).
    @inlinable public var recognised: SpanFacts {
        var facts = self
        if !flags.contains(.hasPID) {
            facts.scope = 0
            facts.processID = 0
            facts.threadID = 0
        }
        if !flags.contains(.hasFlow) {
            facts.flow = 0
            facts.initiator = 0
        }
        if !flags.contains(.hasKernelTime) { facts.kernelTime = 0 }
        if !flags.contains(.hasApplication) { facts.application = ApplicationIDs() }
        return facts
    }

    @inlinable public var isIncoming: Bool { flags.contains(.incoming) }
    @inlinable public var isEntry: Bool { flags.contains(.entry) }

    /// A net key is weak when one of its two sequence numbers is 0 or missing.
    @inlinable public var hasStrongNetKey: Bool { requestSequence != 0 && responseSequence != 0 }

    /// The id made of the facts alone: XXH64 over the little-endian words drawn in docs/wire-format.md; never 0.
    ///
    /// Only facts that travel with a partial graph take part, so whoever holds the graph computes the same id.
    /// The scope does not: a request sent again through another router keeps its ids.
    /// Numbers that no flag vouches for count as 0, as in `recognised`; no copy of the facts is made for that.
    public var computedID: SpanID {
        let words = identityWords
        let hash =
            flags.contains(.hasApplication)
            ? hashWithApplication(words.0, words.1, words.2) : StableHash.of(words.0, words.1, words.2)
        return SpanID(hash == 0 ? 1 : hash)
    }

    /// The nine words of every computed id.
    @inline(__always) private var identityWords: (StableHash.Stripe, StableHash.Stripe, UInt64) {
        let hasFlow = flags.contains(.hasFlow)
        let hasPID = flags.contains(.hasPID)
        return (
            (requestSequence, responseSequence, threadKey, hasPID ? processID : 0),
            (
                hasPID ? threadID : 0, flags.contains(.hasKernelTime) ? UInt64(bitPattern: kernelTime) : 0,
                UInt64(bitPattern: start), hasFlow ? UInt64(flow) | UInt64(initiator) << 32 : 0
            ),
            UInt64(flags.intersection(.identity).rawValue)
        )
    }

    @inline(never) private func hashWithApplication(
        _ first: StableHash.Stripe, _ second: StableHash.Stripe, _ flags: UInt64
    ) -> UInt64 {
        let last = (flags.littleEndian, application.traceLow.littleEndian, application.traceHigh.littleEndian)
        let words = (
            first.0.littleEndian, first.1.littleEndian, first.2.littleEndian, first.3.littleEndian,
            second.0.littleEndian, second.1.littleEndian, second.2.littleEndian, second.3.littleEndian,
            last.0, last.1, last.2, application.parent.littleEndian
        )
        return withUnsafeBytes(of: words) { StableHash.of($0) }
    }
}

/// What is true or false of a span. 16 bits; the raw value is part of the log and of the partial graph.
public struct SpanFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `direction` is "incoming"; any other direction counts as outgoing.
    public static let incoming = SpanFlags(rawValue: 1 << 0)
    /// `ebpf_span_type` is "entry".
    public static let entry = SpanFlags(rawValue: 1 << 1)
    /// `threadID` is a `tid_usr`.
    public static let userThread = SpanFlags(rawValue: 1 << 2)
    /// The point names both ends of its connection.
    public static let hasFlow = SpanFlags(rawValue: 1 << 3)
    /// The sender gave a `span_id`.
    public static let givenID = SpanFlags(rawValue: 1 << 4)
    /// The point lacks what linking needs: it becomes a trace of its own.
    public static let passThrough = SpanFlags(rawValue: 1 << 5)
    /// A non-zero application trace id or parent id is there.
    public static let hasApplication = SpanFlags(rawValue: 1 << 6)
    /// The application prints its trace id in hexadecimal (W3C), not decimal (Datadog).
    public static let applicationHex = SpanFlags(rawValue: 1 << 7)
    /// `app_trace_encode` itself says "hex" (what `id_encoding = datakit` goes by).
    public static let encodeHex = SpanFlags(rawValue: 1 << 8)
    /// `app_span_sampled` > 0 beside both application trace id fields.
    public static let sampledKeep = SpanFlags(rawValue: 1 << 9)
    /// `app_span_sampled` < 0 beside both application trace id fields.
    public static let sampledReject = SpanFlags(rawValue: 1 << 10)
    /// `status` is "error".
    public static let error = SpanFlags(rawValue: 1 << 11)
    /// `ktime` was sent.
    public static let hasKernelTime = SpanFlags(rawValue: 1 << 12)
    /// `pid` and (`tid` or `tid_usr`) were sent: the span has a process key.
    public static let hasProcess = SpanFlags(rawValue: 1 << 13)
    /// `pid` was sent.
    public static let hasPID = SpanFlags(rawValue: 1 << 14)

    /// The flags that take part in the computed id.
    public static let identity: SpanFlags = [
        .incoming, .entry, .userThread, .hasFlow, .hasKernelTime, .hasProcess, .hasPID,
    ]
}

/// The ids that a tracing library in the application put on a request.
public struct ApplicationIDs: Hashable, Sendable {
    public var traceLow: UInt64 = 0
    public var traceHigh: UInt64 = 0
    /// `app_parent_id_l`; 0: none.
    public var parent: UInt64 = 0
    @inlinable public init(traceLow: UInt64 = 0, traceHigh: UInt64 = 0, parent: UInt64 = 0) {
        self.traceLow = traceLow
        self.traceHigh = traceHigh
        self.parent = parent
    }
    /// A span carries an application trace id when one half of it is not 0.
    @inlinable public var hasTrace: Bool { traceLow != 0 || traceHigh != 0 }
}
