import Glibc
import LoadModel
import LoadNet

/// One run of the whole pipeline: generator → sender → product → sink → check.
struct PipelineRun {
    var options: Options
    var samplingRate: Double
    var window: String
    /// Whether the lag of the workers is looked at while the load runs.
    var watchesLag = false

    /// Runs it; every wait inside is bounded.
    func measure() -> Result<RunFigures, UsageProblem> {
        let sinks = options.target.forms.compactMap { SpanSink($0) }
        guard sinks.count == options.target.forms.count else {
            return .failure(UsageProblem(text: "no socket on 127.0.0.1"))
        }
        defer { for sink in sinks { sink.stop() } }
        let router: RouterProcess
        switch RouterProcess.start(options, samplingRate: samplingRate, window: window, sinks: sinks) {
        case .success(let started): router = started
        case .failure(let problem): return .failure(problem)
        }
        var figures = RunFigures(samplingRate: samplingRate)
        let before = Usage(router, atEnd: false)
        let memory = PeakSampler.memory(of: router.processID)
        let lag = watchesLag ? PeakSampler.lag(of: router) : nil
        let truth = send(to: router, &figures)
        drain(router, sinks, &figures)
        let after = Usage(router, atEnd: true)
        figures.peakBytes = Int(memory.stop())
        figures.lagSeconds = lag?.stop() ?? 0
        after.subtract(before, into: &figures)
        figures.stoppedCleanly = router.stop()
        figures.sinks = sinks.map { sink in
            SinkFigures(
                form: sink.form, received: sink.soFar(), truth: sink.check(truth, samplingRate: samplingRate))
        }
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

    /// Waits until no span is held any more. Without that figure: until nothing came for a quiet time.
    ///
    /// Asking costs the product something that no user causes. So while spans come nobody asks, then once a second;
    /// only when every sink has all that was sent, and the end is a matter of moments, four times a second.
    private func drain(_ router: RouterProcess, _ sinks: [SpanSink], _ figures: inout RunFigures) {
        let begin = monotonicNanoseconds()
        let limit = Int64(options.timeoutSeconds * 1e9)
        var quietSince = begin
        var asked = begin
        var seen = -1
        while monotonicNanoseconds() - begin < limit {
            sleepNanoseconds(Self.look)
            let received = sinks.map { $0.soFar().spans }
            let now = monotonicNanoseconds()
            if received.reduce(0, +) != seen { quietSince = now }
            seen = received.reduce(0, +)
            let isComplete = !received.isEmpty && received.allSatisfy { $0 >= figures.sent.spans }
            let isDue = now - quietSince >= 2 * Self.look && now - asked >= Self.pause
            guard isComplete || isDue else { continue }
            asked = now
            guard let holdings = router.holdings() else {
                figures.isDrained = now - quietSince > 20_000_000_000
                if figures.isDrained { break }
                continue
            }
            if holdings.held == 0, holdings.accepted >= Double(figures.sent.spans) {
                figures.isDrained = true
                break
            }
        }
        figures.drainSeconds = Double(monotonicNanoseconds() - begin) / 1e9
    }

    /// Between two looks at the sinks, nanoseconds.
    private static let look: Int64 = 250_000_000
    /// Between two questions to the product, nanoseconds.
    private static let pause: Int64 = 1_000_000_000
}
