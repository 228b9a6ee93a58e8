import Linking

/// What a span's condition looks at.
enum AttributeScope: Hashable, Sendable {
    /// `resource.x`
    case resource
    /// `span.x`
    case span
    /// `.x`: either.
    case any
    /// `name`, `status`, `kind`, `duration`, `traceDuration`, `rootName`, `rootServiceName`, `statusMessage`,
    /// `instrumentation:name`, `span:id`, `span:parentID`, `trace:id`
    case intrinsic
}

/// How a value is compared.
enum AttributeOperator: Hashable, Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    /// Regular expression that the whole value must match (as in TraceQL).
    case matches, notMatches
    /// The attribute is there, whatever its value; the value given is ignored.
    case exists
    /// The attribute is not there; the value given is ignored.
    case absent
}

/// A condition on one span.
///
/// Comparing says no where the attribute is missing or of another type, except `absent`; `notEqual` and `notMatches`
/// need the attribute too. Numbers compare as numbers, whatever their OTLP type.
///
/// Values of intrinsics: `status` and `kind` are `.string` ("error", "ok", "unset"; "server", "client", "internal",
/// "producer", "consumer", "unspecified"); durations are `.int` nanoseconds; ids are `.string` hex.
indirect enum SpanCondition: Sendable, Hashable {
    /// Every span: `{}`.
    case all
    case compare(AttributeScope, key: String, AttributeOperator, AttributeValue)
    case and([SpanCondition])
    case or([SpanCondition])
    case not(SpanCondition)
}

/// What traces are asked for. Newest traces come first.
struct TraceSearch: Sendable {
    /// Nanoseconds since 1970: traces that have a span's time within [from, to]; 0 and `.max` for no bound.
    var from: UInt64 = 0
    var to: UInt64 = .max
    /// Nanoseconds, of the whole trace.
    var minDuration: UInt64 = 0
    var maxDuration: UInt64 = .max
    /// Most traces in the answer, 1 ... 10,000.
    var limit = 20
    /// A trace is found when one of its spans fulfils this.
    var condition = SpanCondition.all
    /// Most matched spans that are given back of a trace.
    var spansPerSet = 3
    /// For what a condition on one span cannot say (`{a} && {b}`, `{a} >> {b}`, `count() > 3`): called with each trace
    /// that `condition` and the bounds found; the indices of its matched spans, or nil when the trace is no hit. So
    /// `condition` must hold for at least one span of every trace that is to be found.
    var verify: (@Sendable (StoredTrace) throws -> [Int]?)?
}

/// A search's answer.
struct SearchResult: Sendable {
    /// Newest first.
    var traces: [FoundTrace]
    /// False when the search stopped at its time or work limit before it had seen everything.
    var isComplete: Bool
    /// Traces whose index was looked at.
    var inspectedTraces: Int
    /// Bytes of spans that had to be read.
    var inspectedBytes: Int
}
