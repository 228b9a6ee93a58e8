import Glibc
import LoadModel
import LoadNet

/// The figures of one run.
struct RunFigures {
    var samplingRate: Double
    var sent = SendCounts()
    var received = SinkCounts()
    var truth = TruthReport()
    /// CPU seconds by process, in the order of their process ids: the router first.
    var processes: [(name: String, seconds: Double)] = []
    /// CPU seconds by stage, as the product itself counts them.
    var stages: [String: Double] = [:]
    var dropped: [String: Double] = [:]
    /// Spans accepted that are neither exported, dropped nor held, by the product's own metrics; should be 0.
    var unaccounted = 0.0
    var sendSeconds = 0.0
    var drainSeconds = 0.0
    var peakBytes = 0
    /// False when spans were still held at the end of the waiting time.
    var isDrained = false
    var stoppedCleanly = false

    var cpuSeconds: Double { processes.reduce(0) { $0 + $1.seconds } }
    /// CPU seconds per million spans sent.
    func perMillion(_ seconds: Double) -> Double { seconds * 1e6 / Double(max(1, sent.spans)) }
    var cpuPerMillion: Double { perMillion(cpuSeconds) }
    var spansPerSecond: Double { Double(sent.spans) / max(sendSeconds, 1e-9) }
    /// Everything that went wrong apart from the content of the spans.
    var failures: Int {
        let broken = [!isDrained, !stoppedCleanly, unaccounted != 0].filter { $0 }.count
        return sent.failures + received.unreadable + broken
    }
}

/// One run of the whole pipeline: generator → sender → product → sink → check.
struct PipelineRun {
    var options: Options
    var samplingRate: Double
    var window: String

    /// Runs it; every wait inside is bounded.
    func measure() -> Result<RunFigures, UsageProblem> {
        guard let sink = DatawaySink() else { return .failure(UsageProblem(text: "no socket on 127.0.0.1")) }
        defer { sink.stop() }
        let router: RouterProcess
        switch RouterProcess.start(options, samplingRate: samplingRate, window: window, sink: sink.port) {
        case .success(let started): router = started
        case .failure(let problem): return .failure(problem)
        }
        var figures = RunFigures(samplingRate: samplingRate)
        let before = Usage(router)
        let sampler = MemorySampler(root: router.processID)
        let truth = send(to: router, &figures)
        drain(router, sink, &figures)
        let after = Usage(router)
        figures.peakBytes = sampler.stop()
        after.subtract(before, into: &figures)
        figures.stoppedCleanly = router.stop()
        figures.received = sink.soFar()
        figures.truth = sink.check(truth, samplingRate: samplingRate)
        if !options.keepsData { removeTree(router.dataDirectory) }
        return .success(figures)
    }

    private func send(to router: RouterProcess, _ figures: inout RunFigures) -> Truth {
        let queue = BodyQueue(capacity: options.agentFlush > 0 ? 1 << 20 : 64)
        var settings = options.load
        settings.firstWallTime = wallNanoseconds()
        if options.pace > 0 { settings.modelledRate = options.pace }
        let begin = monotonicNanoseconds()
        let sender = LoadSender(port: router.agents, connections: options.connections, queue: queue)
        let truth = Producer(
            settings: settings, pace: options.pace, agentFlush: options.agentFlush, queue: queue
        ).run()
        figures.sent = sender.finish()
        figures.sendSeconds = Double(monotonicNanoseconds() - begin) / 1e9
        return truth
    }

    /// Waits until no span is held any more. Without that metric: until nothing came for a quiet time.
    private func drain(_ router: RouterProcess, _ sink: DatawaySink, _ figures: inout RunFigures) {
        let begin = monotonicNanoseconds()
        let limit = Int64(options.timeoutSeconds * 1e9)
        var quietSince = begin
        var seen = sink.soFar().spans
        while monotonicNanoseconds() - begin < limit {
            sleepNanoseconds(500_000_000)
            let now = sink.soFar().spans
            if now != seen { quietSince = monotonicNanoseconds() }
            seen = now
            guard let page = router.metrics(), let held = page.sum("ebpftrace_spans_held") else {
                figures.isDrained = monotonicNanoseconds() - quietSince > 20_000_000_000
                if figures.isDrained { break }
                continue
            }
            let accepted = page.sum("ebpftrace_spans_accepted_total") ?? 0
            if held == 0, accepted >= Double(figures.sent.spans) {
                figures.isDrained = true
                break
            }
        }
        figures.drainSeconds = Double(monotonicNanoseconds() - begin) / 1e9
    }
}

/// What the processes had used at one moment.
private struct Usage {
    private let processes: [ProcessUsage]
    private let stages: [String: Double]
    private let dropped: [String: Double]
    private let accepted: Double?
    private let exported: Double
    private let held: Double

    init(_ router: RouterProcess) {
        let page = router.metrics()
        processes = ProcessUsage.family(of: router.processID)
        stages = page?.sumsOfAllProcesses("ebpftrace_stage_cpu_seconds_total", by: "stage") ?? [:]
        // The router's own store is a target beside the one that is measured: its spans have ended there already.
        dropped = (page?.sums("ebpftrace_spans_dropped_total", by: "reason") ?? [:]).filter { $0.key != "store_behind" }
        accepted = page?.sum("ebpftrace_spans_accepted_total")
        exported = (page?.sums("ebpftrace_spans_exported_total", by: "target") ?? [:])
            .filter { $0.key != "store" }.values.reduce(0, +)
        held = page?.sum("ebpftrace_spans_held") ?? 0
    }

    func subtract(_ before: Usage, into figures: inout RunFigures) {
        figures.processes = processes.map { process in
            let earlier = before.processes.first { $0.processID == process.processID }
            return (process.name, process.cpuSeconds - (earlier?.cpuSeconds ?? 0))
        }
        figures.stages = stages.merging(before.stages) { $0 - $1 }
        figures.dropped = dropped
        let ended = exported + held + dropped.values.reduce(0, +)
        figures.unaccounted = accepted.map { $0 - ended } ?? 0
    }
}
