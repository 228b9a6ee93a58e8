/// What a replay did, for people: printed on standard error at its end.
struct ReplaySummary: Sendable, Equatable {
    /// Spans read from the files.
    var spansIn = 0
    /// Spans written.
    var exported = 0
    /// Spans not written, by reason.
    var dropped: [String: Int] = [:]
    /// Traces that were kept.
    var traces = 0
    /// Edges, by evidence.
    var edges: [String: Int] = [:]
    /// From the first byte read to the last written.
    var elapsed = Duration.zero

    /// Spans that are neither written nor counted under a reason; anything but 0 is a bug of ours.
    var unaccounted: Int { spansIn - exported - dropped.values.reduce(0, +) }

    /// The summary as lines, the largest numbers of a group first.
    var text: String {
        var rows = [("spans in", Figures.count(spansIn)), ("exported", Figures.count(exported))]
        rows.append(("dropped", Self.group(dropped)))
        if unaccounted != 0 { rows.append(("unaccounted", Figures.count(unaccounted) + " (a bug; please report it)")) }
        rows.append(("traces", Figures.count(traces)))
        rows.append(("edges", Self.group(edges)))
        rows.append(("time", "\(Figures.time(elapsed)), \(Figures.rate(spansIn, in: elapsed))"))
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.0 + String(repeating: " ", count: width + 2 - $0.0.count) + $0.1 }
            .joined(separator: "\n")
    }

    /// "1,234 (net 1,000, thread 234)".
    private static func group(_ counts: [String: Int]) -> String {
        let parts = counts.filter { $0.value != 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let sum = Figures.count(counts.values.reduce(0, +))
        if parts.isEmpty { return sum }
        return "\(sum) (\(parts.map { "\($0.key) \(Figures.count($0.value))" }.joined(separator: ", ")))"
    }
}
