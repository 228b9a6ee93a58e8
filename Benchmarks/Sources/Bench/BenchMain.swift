import Glibc
import LoadModel
import LoadNet

/// The end-to-end benchmark: see `Options.help` and docs/benchmarks.md.
@main
struct BenchMain {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.contains("--help") || arguments.contains("-h") {
            print(Options.help)
            return
        }
        switch Options.parse(arguments) {
        case .failure(let problem): fail(problem.text, code: 64)
        case .success(let options): exit(run(options))
        }
    }

    private static func run(_ options: Options) -> Int32 {
        switch options.command {
        case "self-test": return SelfTest.run(options) ? 0 : 1
        case "generate": return generate(options)
        case "search": return search(options)
        case "all", "run", "steady", "export", "store": return measure(options)
        default: fail("\(options.command): no such command; see --help", code: 64)
        }
    }

    private static func measure(_ options: Options) -> Int32 {
        var report = Report()
        switch options.command {
        case "steady": report.steady = steady(options)
        case "store": report.store = store(options)
        default:
            alternate(options, &report)
            if options.command == "all" { report.steady = steady(options) }
        }
        return conclude(report.markdown(), Figures(named: report.figures), options)
    }

    /// Prints what was measured; 1 when a requirement does not hold.
    private static func conclude(_ text: String, _ figures: Figures, _ options: Options) -> Int32 {
        print(text)
        if let path = options.jsonPath, !writeFile(path, figures.json()) { fail("\(path) cannot be written", code: 73) }
        let breaches = figures.breaches(options.requirements)
        for breach in breaches { note("does not hold: \(breach)") }
        return breaches.isEmpty ? 0 : 1
    }

    private static func search(_ options: Options) -> Int32 {
        note("filling a store with \(options.load.spanCount) spans")
        switch StoreSearch.measure(options) {
        case .success(let search): return conclude(search.markdown(), Figures(named: search.figures), options)
        case .failure(let problem): fail(problem.text, code: 69)
        }
    }

    /// Every kind of run in turn, several times over, so that a slow spell of the machine does not fall on one of them.
    private static func alternate(_ options: Options, _ report: inout Report) {
        let rates = options.command == "export" ? [] : options.samplingRates
        report.rates = rates.map { ($0, []) }
        var targets = options.command == "run" ? [] : ExportCost.targets
        // At sampling 1.0 a run to a Dataway serves both tables.
        report.export.isShared = options.command == "all" && rates.contains(1) && options.target == .dataway
            && !options.hasStore
        if report.export.isShared { targets.removeAll { $0 == .dataway } }
        let runs = options.runs ?? 3
        for number in 1...runs {
            for index in rates.indices {
                note("run \(number) of \(runs), sampling \(rates[index])")
                let figures = result(PipelineRun(options: options, samplingRate: rates[index], window: options.window))
                report.rates[index].runs.append(figures)
                if report.export.isShared, rates[index] == 1 {
                    report.export.runs[.dataway, default: []].append(figures)
                }
            }
            for target in targets {
                note("run \(number) of \(runs), sampling 1.0, target \(target.rawValue)")
                var options = options
                options.target = target
                options.hasStore = false
                let run = PipelineRun(options: options, samplingRate: 1, window: options.window)
                report.export.runs[target, default: []].append(result(run))
            }
        }
    }

    private static func store(_ options: Options) -> StoreCost {
        var cost = StoreCost()
        var options = options
        if options.pace == 0 { options.pace = 50_000 }
        let seconds = options.seconds ?? 60
        options.load.spanCount = Int(options.pace * seconds)
        for number in 1...(options.runs ?? 1) {
            for hasStore in [false, true] {
                note("run \(number): \(fixed(options.pace, 0)) spans a second for \(fixed(seconds, 0)) s, "
                    + "sampling \(options.samplingRates[0]), store \(hasStore ? "on" : "off")")
                options.hasStore = hasStore
                let figures = result(PipelineRun(
                    options: options, samplingRate: options.samplingRates[0], window: options.window, watchesLag: true))
                if hasStore { cost.with.append(figures) } else { cost.without.append(figures) }
            }
        }
        return cost
    }

    private static func steady(_ options: Options) -> RunFigures {
        var options = options
        let seconds = options.seconds ?? 90
        note("steady: 1e6 spans a minute for \(fixed(seconds, 0)) s, window 20 s")
        if options.pace == 0 { options.pace = 1e6 / 60 }
        if options.agentFlush == 0 { options.agentFlush = 10 }
        options.load.spanCount = Int(options.pace * seconds)
        return result(PipelineRun(options: options, samplingRate: options.samplingRates[0], window: "20s"))
    }

    private static func result(_ run: PipelineRun) -> RunFigures {
        switch run.measure() {
        case .success(let figures): return figures
        case .failure(let problem): fail(problem.text, code: 69)
        }
    }

    private static func generate(_ options: Options) -> Int32 {
        guard let path = options.outPath, let file = fopen(path, "w") else {
            fail("generate needs --out FILE in a directory that can be written", code: 73)
        }
        let queue = BodyQueue(capacity: 1)
        var isWritten = true
        func write(_ body: BodyBuffer) {
            if fwrite(body.body.baseAddress, 1, body.count, file) != body.count { isWritten = false }
            queue.release(body)
        }
        let settings = options.load
        var traces = "\(settings.spanCount) spans of one shape"
        if let shape = options.shape {
            ShapeGenerator(shape, settings: settings).run(
                { queue.buffer() }, pointsPerBody: settings.pointsPerBody, write)
        } else {
            let generator = LoadGenerator(settings: settings, makeBuffer: { queue.buffer() })
            while generator.step(write) {}
            generator.finish(write)
            traces = "\(generator.truth.count) spans, \(generator.truth.traceCount) traces"
        }
        guard fclose(file) == 0, isWritten else { fail("\(path) could not be written whole", code: 73) }
        note("\(traces) in \(path)")
        return 0
    }

    private static func note(_ text: String) {
        let line = Array("bench: \(text)\n".utf8)
        _ = write(2, line, line.count)
    }

    private static func fail(_ text: String, code: Int32) -> Never {
        note(text)
        exit(code)
    }
}
