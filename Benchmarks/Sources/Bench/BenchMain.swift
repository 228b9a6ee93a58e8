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
        case "all", "run", "steady": return measure(options)
        default: fail("\(options.command): no such command; see --help", code: 64)
        }
    }

    /// Every rate in turn, several times over, so that a slow spell of the machine does not fall on one of them.
    private static func measure(_ options: Options) -> Int32 {
        var report = Report(rates: options.command == "steady" ? [] : options.samplingRates.map { ($0, []) })
        for number in 0..<(report.rates.isEmpty ? 0 : options.runs) {
            for index in report.rates.indices {
                note("run \(number + 1) of \(options.runs), sampling \(report.rates[index].rate)")
                let run = PipelineRun(options: options, samplingRate: report.rates[index].rate, window: options.window)
                report.rates[index].runs.append(result(run))
            }
        }
        if options.command != "run" {
            note("steady: 1e6 spans a minute for \(fixed(options.steadySeconds, 0)) s, window 20 s")
            report.steady = result(steady(options))
        }
        print(report.markdown())
        if let path = options.jsonPath, !writeFile(path, report.json()) { fail("\(path) cannot be written", code: 73) }
        let breaches = report.breaches(options.requirements)
        for breach in breaches { note("does not hold: \(breach)") }
        return breaches.isEmpty ? 0 : 1
    }

    private static func steady(_ options: Options) -> PipelineRun {
        var options = options
        if options.pace == 0 { options.pace = 1e6 / 60 }
        if options.agentFlush == 0 { options.agentFlush = 10 }
        options.load.spanCount = Int(options.pace * options.steadySeconds)
        return PipelineRun(options: options, samplingRate: options.samplingRates[0], window: "20s")
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
        let generator = LoadGenerator(settings: options.load, makeBuffer: { queue.buffer() })
        while generator.step(write) {}
        generator.finish(write)
        guard fclose(file) == 0, isWritten else { fail("\(path) could not be written whole", code: 73) }
        note("\(generator.truth.count) spans, \(generator.truth.traceCount) traces in \(path)")
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
