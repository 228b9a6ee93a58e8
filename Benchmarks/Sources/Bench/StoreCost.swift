import LoadNet

/// What the router's own store does to the pipeline: the same paced load without and with it, in turn.
struct StoreCost {
    var without: [RunFigures] = []
    var with: [RunFigures] = []

    /// The figures by name; of CPU and time the least of the runs, of faults the sum.
    var figures: [(name: String, value: Double)] {
        guard let cpu = cost else { return [] }
        return [
            ("store_spans_per_second", with.map(\.storedPerSecond).max() ?? 0),
            ("store_lost", with.reduce(0) { $0 + $1.storeLost }),
            ("store_behind", with.reduce(0) { $0 + $1.store.behind }),
            ("store_refused", with.reduce(0) { $0 + $1.store.refused }),
            ("store_cpu", cpu),
            ("store_answer_ms", milliseconds(with.map(\.sent.slowestAnswer).min())),
            ("store_lag_s", with.map(\.lagSeconds).min() ?? 0),
        ]
    }

    /// CPU seconds of all processes that a million stored spans add.
    private var cost: Double? {
        guard let best = with.min(by: { $0.cpuSeconds < $1.cpuSeconds }),
            let base = without.map(\.cpuSeconds).min(), best.keptSpans > 0
        else { return nil }
        return (best.cpuSeconds - base) * 1e6 / Double(best.keptSpans)
    }

    func markdown() -> [String] {
        var lines = [
            "\nthe store beside the pipeline\n",
            "| store | in, spans/s | kept | stored | stored a second | behind | refused | CPU-s | router | workers "
                + "| answers, ms: half | 99 % | slowest | lag, s | verdict after, s | peak PSS, MB |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for (without, with) in zip(without, with) { lines += [Self.row("off", without), Self.row("on", with)] }
        if let cost { lines.append("\nthe store adds **\(fixed(cost, 2))** CPU-s per 1e6 stored spans") }
        return lines
    }

    private static func row(_ name: String, _ run: RunFigures) -> String {
        let answers = run.sent.answers.sorted()
        func share(_ share: Double) -> String {
            fixed(milliseconds(answers.isEmpty ? nil : answers[Int(Double(answers.count - 1) * share)]), 1)
        }
        let cells = [
            name, fixed(run.spansPerSecond, 0), "\(run.keptSpans)", fixed(run.store.spans, 0),
            fixed(run.storedPerSecond, 0), fixed(run.store.behind, 0), fixed(run.store.refused, 0),
            fixed(run.cpuSeconds, 2), fixed(run.cpuSeconds - run.workers, 2), fixed(run.workers, 2), share(0.5),
            share(0.99), share(1), fixed(run.lagSeconds, 2), fixed(run.verdictSeconds, 2),
            fixed(Double(run.peakBytes) / 1e6, 0),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }
}

/// What became of the spans of one run in the router's store.
struct StoreFigures {
    /// Spans that the store wrote.
    var spans = 0.0
    /// Spans that the product did not store because the store was behind.
    var behind = 0.0
    /// Spans that the store was sent and did not take at that time; those that came again are counted again.
    var refused = 0.0

    init() {}

    init(_ page: MetricsPage?) {
        spans = page?.sum("ebpftrace_store_spans_total") ?? 0
        behind = page?.sums("ebpftrace_spans_dropped_total", by: "reason")["store_behind"] ?? 0
        refused = page?.sum("ebpftrace_store_refused_spans_total") ?? 0
    }
}

extension RunFigures {
    /// Kept spans that the store does not have, or has more than once: the two would hide each other, so a span that
    /// was sent twice counts as well.
    fileprivate var storeLost: Double { abs(Double(keptSpans) - store.spans) }

    /// Over the time of sending: the last spans are stored a window later.
    fileprivate var storedPerSecond: Double { store.spans / max(sendSeconds, 1e-9) }
}
