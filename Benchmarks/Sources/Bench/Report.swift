import LoadNet

/// All runs of one invocation, and what is made of them.
struct Report {
    var rates: [(rate: Double, runs: [RunFigures])] = []
    var steady: RunFigures?
    var export = ExportCost()
    var store: StoreCost?

    private var all: [RunFigures] {
        let exports = ExportCost.targets.flatMap(exportRuns)
        let paced = (steady.map { [$0] } ?? []) + (store.map { $0.without + $0.with } ?? [])
        return rates.flatMap(\.runs) + exports + paced
    }

    /// The runs of the export alone: one that serves two tables is listed, and its faults are counted, once.
    private func exportRuns(_ target: TargetChoice) -> [RunFigures] {
        export.isShared && target == .dataway ? [] : export.runs[target] ?? []
    }

    /// The figures that `--require` and `--json` know, by name.
    var figures: [(name: String, value: Double)] {
        var figures: [(String, Double)] = []
        for (rate, runs) in rates {
            guard let best = Self.best(runs) else { continue }
            figures.append(("cpu_\(rate)", best.cpuPerMillion))
            figures.append(("spans_per_second_\(rate)", runs.map(\.spansPerSecond).max() ?? 0))
            figures.append(("pss_mb_\(rate)", Double(best.peakBytes) / 1e6))
        }
        if let steady {
            figures.append(("pss_mb", Double(steady.peakBytes) / 1e6))
            figures.append(("cpu_steady", steady.cpuPerMillion))
        }
        figures += export.figures + (store?.figures ?? [])
        figures.append(("wrong", Double(all.reduce(0) { $0 + $1.wrong })))
        figures.append(("failures", Double(all.reduce(0) { $0 + $1.failures })))
        return figures
    }

    /// Everything as a Markdown table, then the stages of the best runs.
    func markdown() -> String {
        var lines = [
            "| run | sampling | spans in | spans out | traces out | wrong | failed | in, spans/s | router | workers "
                + "| **CPU-s per 1e6** | peak PSS, MB |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for (_, runs) in rates {
            for (number, run) in runs.enumerated() { lines.append(Self.row("\(number + 1)", run)) }
        }
        for target in ExportCost.targets { lines += exportRuns(target).map { Self.row(target.rawValue, $0) } }
        if let steady { lines.append(Self.row("steady", steady)) }
        for (without, with) in zip(store?.without ?? [], store?.with ?? []) {
            lines += [Self.row("store off", without), Self.row("store on", with)]
        }
        for (rate, runs) in rates {
            guard let best = Self.best(runs) else { continue }
            lines.append("\nsampling \(rate), best of \(runs.count): **\(fixed(best.cpuPerMillion, 2))** CPU-s per 1e6")
            lines += Self.details(best)
        }
        if let steady {
            lines.append("\nsteady: peak PSS **\(fixed(Double(steady.peakBytes) / 1e6, 0))** MB")
            lines += Self.details(steady)
        }
        if !export.figures.isEmpty { lines += export.markdown() }
        for run in store?.with ?? [] { lines += ["\nstore on"] + Self.details(run) }
        if let store { lines += store.markdown() }
        for run in all where run.wrong + run.failures > 0 { lines += ["\nFAULTS"] + Self.details(run) }
        return lines.joined(separator: "\n")
    }

    private static func best(_ runs: [RunFigures]) -> RunFigures? {
        runs.min { $0.cpuPerMillion < $1.cpuPerMillion }
    }

    private static func row(_ name: String, _ run: RunFigures) -> String {
        let router = run.processes.first?.seconds ?? 0
        let cells = [
            name, "\(run.samplingRate)", "\(run.sent.spans)", "\(run.keptSpans)", "\(run.keptTraces)",
            "\(run.wrong)", "\(run.failures)", fixed(run.spansPerSecond, 0), fixed(run.perMillion(router), 2),
            fixed(run.perMillion(run.cpuSeconds - router), 2), "**\(fixed(run.cpuPerMillion, 2))**",
            fixed(Double(run.peakBytes) / 1e6, 0),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    private static func details(_ run: RunFigures) -> [String] {
        var lines: [String] = []
        for (name, seconds) in run.processes {
            lines.append("- process \(name): \(fixed(run.perMillion(seconds), 3))")
        }
        for (stage, seconds) in run.stages.sorted(by: { $0.key < $1.key }) {
            lines.append("- stage \(stage): \(fixed(run.perMillion(seconds), 3))")
        }
        for (reason, count) in run.dropped.sorted(by: { $0.key < $1.key }) where count > 0 {
            lines.append("- dropped, \(reason): \(fixed(count, 0))")
        }
        lines.append("- slowest answer \(fixed(Double(run.sent.slowestAnswer) / 1e6, 0)) ms, 503s "
            + "\(run.sent.refusals), drained after \(fixed(run.drainSeconds, 1)) s")
        for sink in run.sinks {
            lines.append("- \(sink.form.rawValue): \(sink.received.spans) spans, \(sink.received.requests) bodies, "
                + "\(fixed(Double(sink.received.bytes) / Double(max(1, sink.received.spans)), 0)) bytes a span")
            if sink.truth.wrong > 0 { lines.append("- WRONG, \(sink.form.rawValue): \(sink.truth)") }
        }
        if run.failures > 0 {
            lines.append("- FAILED: bodies \(run.sent.failures), unreadable \(run.unreadable), "
                + "drained \(run.isDrained), stopped cleanly \(run.stoppedCleanly), "
                + "unaccounted \(fixed(run.unaccounted, 0))")
        }
        return lines
    }
}
