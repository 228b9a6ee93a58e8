/// What exporting with sending costs: the same load at sampling 1.0, in alternating runs to no target at all, to a
/// Dataway and to an OTLP receiver.
///
/// Cost = CPU of the workers with the target less that with `none`, the least of each, per million kept spans.
/// Everything that a target causes happens in the workers: encoding, queues, compression, HTTP client and the kernel's
/// work on its sockets. Reading the payload of kept spans is not in it: it is done for `none`, too (stage `apply`).
/// The router does the same work whatever the target; its difference is shown, and is noise.
struct ExportCost {
    /// The runs of each target, as far as they were made.
    var runs: [TargetChoice: [RunFigures]] = [:]
    /// Whether the runs to a Dataway are those of the sampling rate 1.0.
    var isShared = false

    static let targets: [TargetChoice] = [.none, .dataway, .otlp]
    /// The targets that are measured, by the name of their figure.
    static let names: [(target: TargetChoice, name: String)] = [(.dataway, "export_points"), (.otlp, "export_otlp")]

    /// CPU seconds per million kept spans; nil when a target did not run.
    private struct Parts {
        var sum: Double
        /// Of it: stage `encode`.
        var encode: Double
        /// Of it: the event loops of the HTTP client, with the kernel's work for their sockets.
        var eventLoops: Double
        /// Difference of all processes.
        var allProcesses: Double
        var runs: Int
    }

    private func parts(_ target: TargetChoice) -> Parts? {
        guard let with = runs[target], let without = runs[.none], let best = with.min(by: { $0.workers < $1.workers }),
            let base = without.min(by: { $0.workers < $1.workers }), best.keptSpans > 0
        else { return nil }
        func perMillion(_ seconds: Double) -> Double { seconds * 1e6 / Double(best.keptSpans) }
        let all = (with.map(\.cpuSeconds).min() ?? 0) - (without.map(\.cpuSeconds).min() ?? 0)
        return Parts(
            sum: perMillion(best.workers - base.workers),
            encode: perMillion((best.stages["encode"] ?? 0) - (base.stages["encode"] ?? 0)),
            eventLoops: perMillion(best.eventLoops - base.eventLoops), allProcesses: perMillion(all), runs: with.count)
    }

    var figures: [(name: String, value: Double)] {
        Self.names.compactMap { target, name in parts(target).map { (name, $0.sum) } }
    }

    func markdown() -> [String] {
        var lines = [
            "\nexport with sending, CPU-s per 1e6 kept spans at sampling 1.0 (workers with the target less those with "
                + "`none`, the least of each)\n",
            "| target | runs | **cost** | encoding | event loops | rest | all processes, difference |",
            "|---|---|---|---|---|---|---|",
        ]
        for (target, _) in Self.names {
            guard let parts = parts(target) else { continue }
            let cells = [
                target.rawValue, "\(parts.runs)", "**\(fixed(parts.sum, 2))**", fixed(parts.encode, 2),
                fixed(parts.eventLoops, 2), fixed(parts.sum - parts.encode - parts.eventLoops, 2),
                fixed(parts.allProcesses, 2),
            ]
            lines.append("| " + cells.joined(separator: " | ") + " |")
        }
        for target in Self.targets {
            let workers = (runs[target] ?? []).map { fixed($0.perMillion($0.workers), 2) }
            if !workers.isEmpty { lines.append("- workers, \(target.rawValue): \(workers.joined(separator: ", "))") }
        }
        return lines
    }
}

extension RunFigures {
    /// CPU seconds of everything but the router.
    var workers: Double { processes.dropFirst().reduce(0) { $0 + $1.seconds } }

    /// CPU seconds of the workers' event loop threads.
    fileprivate var eventLoops: Double {
        let router = (processes.first?.name ?? "") + " "
        return threads.filter { $0.key.contains(" NIO") && !$0.key.hasPrefix(router) }.values.reduce(0, +)
    }
}
