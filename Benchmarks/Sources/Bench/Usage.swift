/// What the processes of the product had used at one moment, and what its ledger said.
struct Usage {
    private let processes: [ProcessUsage]
    private let threads: [String: Double]
    private let stages: [String: Double]
    private let dropped: [String: Double]
    private let accepted: Double?
    private let exported: [String: Double]
    private let held: Double
    private let verdictSeconds: Double
    private let store: StoreFigures

    /// - Parameter atEnd: reads the clocks of the processes before the page, so that making the page is not counted;
    ///   at the beginning it is the other way round.
    init(_ router: RouterProcess, atEnd: Bool) {
        let first = atEnd ? nil : router.metrics()
        processes = ProcessUsage.family(of: router.processID)
        threads = ProcessUsage.threads(of: processes)
        let page = atEnd ? router.metrics() : first
        stages = page?.sumsOfAllProcesses("ebpftrace_stage_cpu_seconds_total", by: "stage") ?? [:]
        // The router's own store is a target beside those that are measured: its spans have ended there already.
        dropped = (page?.sums("ebpftrace_spans_dropped_total", by: "reason") ?? [:]).filter { $0.key != "store_behind" }
        accepted = page?.sum("ebpftrace_spans_accepted_total")
        exported = page?.sums("ebpftrace_spans_exported_total", by: "target") ?? [:]
        held = page?.sum("ebpftrace_spans_held") ?? 0
        verdictSeconds = (page?.sum("ebpftrace_verdict_latency_seconds_sum") ?? 0)
            / max(1, page?.sum("ebpftrace_verdict_latency_seconds_count") ?? 0)
        store = StoreFigures(page)
    }

    func subtract(_ before: Usage, into figures: inout RunFigures) {
        figures.processes = processes.map { process in
            let earlier = before.processes.first { $0.processID == process.processID }
            return (process.name, process.cpuSeconds - (earlier?.cpuSeconds ?? 0))
        }
        figures.threads = threads.merging(before.threads) { $0 - $1 }
        figures.stages = stages.merging(before.stages) { $0 - $1 }
        figures.dropped = dropped
        figures.exported = exported
        figures.verdictSeconds = verdictSeconds
        figures.store = store
        // Every accepted span ends in each target.
        let ended = held + dropped.values.reduce(0, +)
        let missing = exported.filter { $0.key != "store" }.values.map { (accepted ?? 0) - $0 - ended }
        figures.unaccounted = missing.max { abs($0) < abs($1) } ?? 0
    }
}
