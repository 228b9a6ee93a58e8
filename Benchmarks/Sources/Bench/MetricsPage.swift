/// A page of metrics in Prometheus text, as far as the harness reads it.
struct MetricsPage {
    private struct Sample {
        var name: Substring
        var labels: Substring
        var value: Double
    }

    private let samples: [Sample]

    init(_ text: String) {
        samples = text.split(separator: "\n").compactMap { line in
            guard !line.hasPrefix("#"), let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { return nil }
            let series = line[..<space]
            guard let brace = series.firstIndex(of: "{") else { return Sample(name: series, labels: "", value: value) }
            return Sample(name: series[..<brace], labels: series[brace...], value: value)
        }
    }

    /// Sum of a metric's series; nil when there is none. Where the router itself has the metric, the series it only
    /// relays from its workers (label `worker`) do not count.
    func sum(_ name: String) -> Double? {
        let counted = own(name)
        return counted.isEmpty ? nil : counted.reduce(0) { $0 + $1.value }
    }

    /// The same by the value of a label.
    func sums(_ name: String, by label: String) -> [String: Double] { Self.sums(own(name), by: label) }

    /// Sums of all series of a metric, the relayed ones too, by the value of a label.
    func sumsOfAllProcesses(_ name: String, by label: String) -> [String: Double] {
        Self.sums(samples.filter { $0.name == name }, by: label)
    }

    /// The largest series of a metric, relayed or not; nil when there is none.
    func largest(_ name: String) -> Double? { samples.lazy.filter { $0.name == name }.map(\.value).max() }

    private func own(_ name: String) -> [Sample] {
        let series = samples.filter { $0.name == name }
        let own = series.filter { !$0.labels.contains("worker=") }
        return own.isEmpty ? series : own
    }

    private static func sums(_ samples: [Sample], by label: String) -> [String: Double] {
        var sums: [String: Double] = [:]
        for sample in samples {
            guard let start = sample.labels.range(of: "\(label)=\"") else { continue }
            sums[String(sample.labels[start...].prefix { $0 != "\"" }), default: 0] += sample.value
        }
        return sums
    }
}

extension Substring {
    /// The place after the first occurrence of `text`.
    fileprivate func range(of text: String) -> Index? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
