/// How the merge links, closes and samples: the settings of the pure core, in epochs instead of seconds.
public struct LinkingOptions: Hashable, Sendable {
    /// What to do with an exit whose thread key has no entry (rule R4).
    public enum InferredLinks: String, Sendable, CaseIterable {
        /// An edge when exactly one entry of the process key is open.
        case unique
        /// An edge to the entry that opened last.
        case latest
        /// No edge.
        case off
    }

    /// R1 and R3 by key alone, R2, R4 and R5 off: what the collector of today gives on clean input.
    public var datakitCompatible = false
    public var useApplicationTraceID = true
    public var trustApplicationSampled = true
    public var inferredLinks = InferredLinks.unique
    /// Share of the traces without a vote that are kept, 0 ... 1.
    public var samplingRate = 0.1
    /// A component closes after this many epochs without a new span: the window.
    public var windowEpochs: UInt64 = 4
    /// The same while its root waits for its own entry: `open_wait`.
    public var openWaitEpochs: UInt64 = 12
    /// A component closes this many epochs after its first span: `max_trace_age`.
    public var maxTraceAgeEpochs: UInt64 = 24
    /// Closed traces leave their keys for this many epochs: `late_window`.
    public var lateWindowEpochs: UInt64 = 24
    /// False: nothing closes before `flush` (a replay without `--timed`).
    public var closesByTime = true

    public init() {}
}

/// What the merge counted; every number only grows.
public struct LinkingStatistics: Hashable, Sendable {
    /// Edges of closed traces by evidence (index: `LinkEvidence.rawValue`).
    public var edges = [UInt64](repeating: 0, count: LinkEvidence.allCases.count)
    /// Edges that a rule proposed and that were not made.
    public var refused: [Refusal: UInt64] = [:]
    public var tracesKept: UInt64 = 0
    public var tracesDropped: UInt64 = 0
    public var spansKept: UInt64 = 0
    public var spansDropped: UInt64 = 0
    /// Spans that took the id and decision of a trace closed before they came.
    public var lateSpans: UInt64 = 0
    /// Sampling votes that came after the decision.
    public var lateVotes: UInt64 = 0
    /// Spans whose given `span_id` was taken in their trace, so that they got the computed one.
    public var spanIDConflicts: UInt64 = 0
    /// Truths about the data that did not hold; each must stay 0.
    public var violations: [String: UInt64] = [:]

    /// A rule and the reason why its edge was not made.
    public struct Refusal: Hashable, Sendable {
        public var rule: String
        public var reason: String
    }

    public init() {}

    mutating func countEdges(net: UInt64, netKey: UInt64, thread: UInt64) {
        edges[Int(LinkEvidence.net.rawValue)] += net
        edges[Int(LinkEvidence.netKey.rawValue)] += netKey
        edges[Int(LinkEvidence.thread.rawValue)] += thread
    }

    mutating func count(_ refusals: [Refusal]) {
        for refusal in refusals { refused[refusal, default: 0] += 1 }
    }

    /// Counts a broken invariant instead of stopping the process: one bad trace must not end the service.
    mutating func check(_ holds: Bool, _ name: String) {
        if !holds { violations[name, default: 0] += 1 }
    }
}
