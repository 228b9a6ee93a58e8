import Linking

/// Why a point is taken without being linked; the name is the reason in metrics.
public enum PassThroughReason: String, Sendable, CaseIterable {
    /// `direction` is absent or no text.
    case missingDirection = "missing_direction"
    /// `ebpf_span_type` is absent or no text.
    case missingSpanType = "missing_span_type"
    /// No `req_seq`, no thread key and no process key.
    case noLinkFacts = "no_link_facts"
}

/// Why a point was not taken; the name is the reason in metrics.
public enum PointDropReason: String, Sendable, CaseIterable {
    /// It does not parse; the other points of its body do.
    case malformedPoint = "malformed_point"
    /// More fields than `Limits.fieldsPerPoint`.
    case tooManyFields = "too_many_fields"
    /// Larger than `Limits.pointBytes`.
    case pointTooLarge = "point_too_large"
    /// `compat = datakit`: what today's collector needs is absent or of another type.
    case missingField = "missing_field"
}

/// A count per reason.
public struct ReasonCounts<Reason: CaseIterable & Hashable & Sendable>: Hashable, Sendable {
    private var counts: [Reason: Int] = [:]

    public init() {}

    /// The count of one reason; 0 when it never occurred.
    public subscript(reason: Reason) -> Int {
        get { counts[reason, default: 0] }
        set { counts[reason] = newValue == 0 ? nil : newValue }
    }

    /// The sum over all reasons.
    public var total: Int { counts.values.reduce(0, +) }

    /// Every reason that occurred, in the order of declaration.
    public var entries: [(reason: Reason, count: Int)] {
        guard !counts.isEmpty else { return [] }
        return Reason.allCases.compactMap { reason in counts[reason].map { (reason, $0) } }
    }
}

/// The points of a body as link facts, and what happened to those that are none; reused from body to body.
///
/// Points of the body = `rows.count + dropped.total`; the passed through are among the rows.
public struct FactsBatch: Sendable {
    /// One row a point taken, in the order of the body; payload offsets count from the start of the decoded payload.
    public var rows: [FactsRow] = []
    public var passedThrough = ReasonCounts<PassThroughReason>()
    public var dropped = ReasonCounts<PointDropReason>()
    /// Fields that the deny list removed.
    public var deniedFields = 0
    /// A point holds a field of the deny list: the payload must be rewritten (`BodyDecoder` does) before it is stored.
    var holdsDeniedField = false

    public init() {}

    /// Forgets all rows and counts, keeps the memory.
    public mutating func removeAll() {
        rows.removeAll(keepingCapacity: true)
        passedThrough = ReasonCounts()
        dropped = ReasonCounts()
        deniedFields = 0
        holdsDeniedField = false
    }
}
