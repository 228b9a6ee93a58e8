/// What a metric is: its name, its kind, its labels, and the sentence that explains it.
///
/// Every definition lives in `Metric+Names.swift`; a removed one is a breaking change.
public struct MetricDefinition: Sendable, Hashable {
    /// How the value moves.
    public enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// What one recorded step is; the printed value is in Prometheus' base units.
    public enum Unit: String, Sendable {
        /// Things: printed as recorded.
        case count
        /// Bytes: printed as recorded.
        case bytes
        /// Recorded in nanoseconds, printed in seconds.
        case seconds
    }

    /// Full name, with the prefix `ebpftrace_`.
    public let name: String
    public let kind: Kind
    public let unit: Unit
    /// Names of the labels, in the order in which their values are given.
    public let labels: [String]
    /// One sentence for the HELP line and the reference page.
    public let help: String
    /// Upper bounds of the buckets of a histogram, ascending, in recorded steps (nanoseconds for seconds).
    public let buckets: [UInt64]

    /// - Parameters:
    ///   - name: without the prefix, which is put before it.
    ///   - prefix: another one only where users of dashboards expect a name that is not ours.
    public init(
        _ name: String, _ kind: Kind, unit: Unit = .count, labels: [String] = [], buckets: [UInt64] = [],
        prefix: String = "ebpftrace_", _ help: String
    ) {
        precondition((kind == .histogram) == !buckets.isEmpty, "a histogram has buckets, nothing else has")
        self.name = prefix + name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.buckets = buckets
        self.help = help
    }
}
