/// The work table of one closing group: columns by *local* place, the canonical order (start, computed id).
///
/// Kept between groups so that closing allocates nothing for groups of ordinary size.
struct Assembly: ~Copyable {
    static let none = UInt32.max

    struct Member {
        var start: Int64
        var span: UInt32
    }

    /// One span of a thread key, as rules R3 and R5 see it.
    struct ThreadEnd {
        var threadKey: UInt64
        var kernelTime: Int64
        var local: UInt32
        var isEntry: Bool
        var hasKernelTime: Bool
    }

    var members = Column<Member>()
    /// Parent's local place as the rules propose it, then as the forest took it.
    var parents = Column<UInt32>()
    var evidence = Column<LinkEvidence>()
    var flags = Column<VerdictFlags>()
    /// The closed span that is the parent (index, or `ClosedTraces.dropped`); meaningful where `hasClosedParent`.
    var closedParents = Column<ClosedParent>()
    /// Whether the other end of the request was found in the group.
    var isNetMatched = Column<Bool>()
    /// Exits (and incoming spans that are no entry) whose thread key has no entry.
    var hasNoEntry = Column<Bool>()
    var netEnds = Column<NetEnd>()
    var threadEnds = Column<ThreadEnd>()
    /// Pairs of locals that are one trace without an edge (R5).
    var siblings = Column<(UInt32, UInt32)>()
    var matcher = NetMatcher()
    var forest = TraceForest()
    /// Trace number of each local; members of each trace in canonical order.
    var traceOf = Column<UInt32>()
    var traces = Column<Trace>()
    var order = Column<UInt32>()
    var applicationTraces = Column<ApplicationTrace>()
    /// Edges that the rules did not make; counted when the group is decided.
    var refusals: [LinkingStatistics.Refusal] = []
    var walk = Column<UInt32>()
    /// Rows of a trace that is dropped the short way.
    var droppedRows = Column<VerdictBuilder.Row>()

    struct ClosedParent {
        enum Kind { case none, kept, dropped }
        var kind = Kind.none
        var span: UInt32 = 0
        var evidence = LinkEvidence.none
    }

    struct Trace {
        var representative: UInt32
        var firstRoot: UInt32
        var from: Int
        var count: Int
    }

    /// The application trace id in effect at a span.
    struct ApplicationTrace {
        var id = TraceID.none
        var isHex = false
        var isKnown = false
    }

    mutating func reset() {
        let count = members.count
        parents.fill(Self.none, count: count)
        evidence.fill(.none, count: count)
        flags.fill([], count: count)
        closedParents.fill(ClosedParent(), count: count)
        isNetMatched.fill(false, count: count)
        hasNoEntry.fill(false, count: count)
        netEnds.removeAll()
        threadEnds.removeAll()
        siblings.removeAll()
        refusals.removeAll(keepingCapacity: true)
    }

    mutating func refuse(_ rule: String, _ reason: String) {
        refusals.append(LinkingStatistics.Refusal(rule: rule, reason: reason))
    }
}
