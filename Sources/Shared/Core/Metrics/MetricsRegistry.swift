import Synchronization

/// Holds the metrics of one process and prints them as Prometheus text.
///
/// Handles are fetched once, under a lock, when a component starts; recording through a handle takes no lock and
/// looks nothing up. Values that live elsewhere are read at scrape time by closures (`onScrape`).
public final class MetricsRegistry: Sendable {
    /// Gives one series of a metric to the page: label values in the order of the definition, and the printed value.
    public typealias Emit = (_ labels: [String], _ value: Double) -> Void

    private enum Cell {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    private struct Family {
        var definition: MetricDefinition
        var order: [[String]] = []
        var cells: [[String]: Cell] = [:]
        var samplers: [@Sendable (Emit) -> Void] = []
    }

    private struct State {
        var order: [String] = []
        var families: [String: Family] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// The counter with these label values; made on first use. The same labels give the same counter.
    public func counter(_ definition: MetricDefinition, _ labels: String...) -> Counter {
        precondition(definition.kind == .counter, "\(definition.name) is no counter")
        guard case .counter(let counter) = cell(definition, labels, { .counter(Counter()) }) else {
            preconditionFailure("\(definition.name) was registered with two kinds")
        }
        return counter
    }

    /// The gauge with these label values; made on first use.
    public func gauge(_ definition: MetricDefinition, _ labels: String...) -> Gauge {
        precondition(definition.kind == .gauge, "\(definition.name) is no gauge")
        guard case .gauge(let gauge) = cell(definition, labels, { .gauge(Gauge()) }) else {
            preconditionFailure("\(definition.name) was registered with two kinds")
        }
        return gauge
    }

    /// The histogram with these label values; made on first use.
    public func histogram(_ definition: MetricDefinition, _ labels: String...) -> Histogram {
        precondition(definition.kind == .histogram, "\(definition.name) is no histogram")
        guard
            case .histogram(let histogram) = cell(
                definition, labels, { .histogram(Histogram(bounds: definition.buckets)) })
        else { preconditionFailure("\(definition.name) was registered with two kinds") }
        return histogram
    }

    /// Has a closure give series of a counter or gauge at every scrape. It must not call back into the registry.
    ///
    /// The values are in the printed unit (seconds, bytes, things).
    public func onScrape(_ definition: MetricDefinition, _ sample: @escaping @Sendable (Emit) -> Void) {
        precondition(definition.kind != .histogram, "a histogram cannot be sampled")
        state.withLock { state in
            Self.withFamily(definition, &state) { $0.samplers.append(sample) }
        }
    }

    /// The page in Prometheus text format. O(series).
    public func render() -> String {
        let families = state.withLock { state in state.order.compactMap { state.families[$0] } }
        var writer = PrometheusWriter()
        for family in families { Self.write(family, to: &writer) }
        return writer.text
    }

    private func cell(_ definition: MetricDefinition, _ labels: [String], _ make: () -> Cell) -> Cell {
        precondition(labels.count == definition.labels.count, "\(definition.name) has labels \(definition.labels)")
        return state.withLock { state in
            Self.withFamily(definition, &state) { family in
                if let cell = family.cells[labels] { return cell }
                let cell = make()
                family.order.append(labels)
                family.cells[labels] = cell
                return cell
            }
        }
    }

    private static func withFamily<Result>(
        _ definition: MetricDefinition, _ state: inout State, _ body: (inout Family) -> Result
    ) -> Result {
        if state.families[definition.name] == nil { state.order.append(definition.name) }
        return body(&state.families[definition.name, default: Family(definition: definition)])
    }

    private static func write(_ family: Family, to writer: inout PrometheusWriter) {
        let definition = family.definition
        writer.header(name: definition.name, help: definition.help, type: definition.kind.rawValue)
        for labels in family.order {
            guard let cell = family.cells[labels] else { continue }
            let pairs = Array(zip(definition.labels, labels))
            switch cell {
            case .counter(let counter): writer.sample(definition.name, pairs, definition.print(counter.value))
            case .gauge(let gauge): writer.sample(definition.name, pairs, definition.print(gauge.value))
            case .histogram(let histogram): write(histogram, definition, pairs, to: &writer)
            }
        }
        for sample in family.samplers {
            var series: [([String], Double)] = []
            sample { series.append(($0, $1)) }
            for (labels, value) in series where labels.count == definition.labels.count {
                writer.sample(definition.name, Array(zip(definition.labels, labels)), PrometheusWriter.number(value))
            }
        }
    }

    private static func write(
        _ histogram: Histogram, _ definition: MetricDefinition, _ pairs: [(String, String)],
        to writer: inout PrometheusWriter
    ) {
        let (counts, sum) = histogram.snapshot
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total &+= count
            let bound = index < histogram.bounds.count ? definition.print(histogram.bounds[index]) : "+Inf"
            writer.sample(definition.name + "_bucket", pairs + [("le", bound)], String(total))
        }
        writer.sample(definition.name + "_sum", pairs, definition.print(sum))
        writer.sample(definition.name + "_count", pairs, String(total))
    }
}

extension MetricDefinition {
    /// A recorded value as printed: nanoseconds become seconds.
    func print(_ steps: some BinaryInteger) -> String {
        unit == .seconds ? PrometheusWriter.number(Double(steps) / 1e9) : String(steps)
    }
}
