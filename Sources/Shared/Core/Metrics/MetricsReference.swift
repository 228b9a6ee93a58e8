/// Makes `docs/metrics.md` from the definitions, so that the page cannot fall behind the program.
public enum MetricsReference {
    /// The whole page as Markdown. A test compares it with the file.
    public static var page: String {
        var page = """
            # Metrics

            <!-- Generated from Sources/Shared/Core/Metrics/Metric+Names.swift; do not edit by hand. -->

            `/metrics` on the agents' listener, on the console and on each worker's admin listener, in Prometheus text.
            The router's page also carries the series of its workers, with the label `worker`. A series appears when
            its component has started. For every span: accepted = exported + dropped + held, per target.

            | metric | kind | labels | meaning |
            |---|---|---|---|

            """
        for definition in Metric.all {
            let labels = definition.labels.map { "`\($0)`" }.joined(separator: ", ")
            page += "| `\(definition.name)` | \(definition.kind.rawValue) | \(labels) | \(definition.help) |\n"
        }
        return page
    }
}
