import ArgumentParser
import Foundation
import Linking
import Logging
import NIOPosix
import ServiceLifecycle
import Shared

/// `demo`: a router with two workers on this machine, real recorded spans posted to it, and what comes out.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Shows recorded spans become traces, in a router with workers on this machine.",
        discussion: "Window 2 s, sampling 1, everything in a temporary directory. `make demo` runs it.")

    @Option(help: "Times faster than recorded.") var speed = 40.0
    @Option(help: "Agents' listener.") var listen = "127.0.0.1:9529"
    @Option(help: "Console listener.") var console = "127.0.0.1:9530"
    @Argument(help: ArgumentHelp("Recorded spans, with their timeline.", valueName: "file")) var files: [String]

    func run() async throws {
        try await RouterMain.reporting {
            let demo = try Demo(speed: speed, listen: listen, console: console, files: files)
            try await demo.run()
        }
    }
}

/// One demonstration from start to end.
struct Demo {
    /// Longest wait for the last trace after the last body was posted.
    private static let patience = Duration.seconds(60)

    private let settings: RouterSettings
    private let folder: String
    private let speed: Double
    private let files: [String]
    private let logger: Logger

    init(speed: Double, listen: String, console: String, files: [String]) throws {
        folder = NSTemporaryDirectory() + "/ebpftrace-demo-\(getpid())"
        self.speed = speed
        self.files = files
        var flags = try RouterFlags.parse([])
        flags.listen = listen
        flags.console = console
        flags.peers = "127.0.0.1:0"
        flags.common.workerListen = "127.0.0.1:0"
        flags.common.dataDir = folder + "/data"
        flags.common.logLevel = "warning"
        flags.linking.workers = "2"
        flags.linking.window = "2s"
        flags.linking.samplingRate = "1"
        flags.output.target = ["file:\(folder)/traces"]
        settings = try RouterSettings.resolve(
            flags: flags, environment: [:], host: .ofThisMachine(), readFile: SettingsDisk.read)
        Logs.bootstrap(level: settings.logLevel)
        logger = Logger(label: "demo")
    }

    func run() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: RunCommand.loops)
        let core = try RouterCore(
            settings: settings, clock: EpochClock(window: Int(settings.linking.window.exactNanoseconds)), group: group,
            logger: logger)
        let process = try RouterProcess(core: core, group: group, logger: logger)
        let services = process.serviceGroup()
        let running = Task { try await services.run() }
        let showing = Task {
            guard let addresses = await process.listeners.everything() else { return }
            try await show(core, addresses)
        }
        let watching = Task {
            _ = await running.result
            showing.cancel()
        }
        let shown = await showing.result
        watching.cancel()
        await services.triggerGracefulShutdown()
        if case .failure(let failure) = await running.result { throw failure }
        if case .failure(let failure) = shown, !(failure is CancellationError) { throw failure }
    }

    private func show(_ core: RouterCore, _ addresses: [String: ListenAddress]) async throws {
        guard let agents = addresses["agents"], let console = addresses["console"] else { return }
        print("router with \(core.map.workers) workers: agents post to http://\(agents)/v1/bpftracing, "
            + "the console is at http://\(console)/")
        print("posting recorded spans at \(speed.formatted()) times their speed …")
        let started = ContinuousClock.now
        _ = try await ReplayTo(address: "http://\(agents)", speed: speed, files: files).run()
        try await waitForTraces(core)
        print("")
        print(DemoSummary.text(core, elapsed: started.duration(to: .now)))
        try printTraces()
        try await showConsole(core, console)
        guard isatty(STDOUT_FILENO) == 1 else {
            return print("This is no terminal, so the demo ends here; on a terminal the console stays until Ctrl-C.")
        }
        print(
            """

            The router keeps running. Send it spans of your own:
              curl -X POST 'http://\(agents)/v1/bpftracing?input=dketrace' \\
                -H 'Content-Type: application/protobuf; proto=com.guance.Point' --data-binary @body.pb
              ebpftrace-router replay --to http://\(agents) FILE…
            Traces as JSON lines: \(folder)/traces     Stop: Ctrl-C
            """)
        try await Task.sleep(for: .seconds(86_400 * 365))
    }

    /// Says where the traces can be looked at, once they are there.
    private func showConsole(_ core: RouterCore, _ console: ListenAddress) async throws {
        guard let store = core.store else { return }
        var search = TraceSearch()
        search.limit = Limits().searchTraces
        let found = try await store.search(search).traces
        print("")
        print("\(found.count) traces are in the console: open http://\(console)/ in a browser")
        if let largest = found.max(by: { $0.summary.spanCount < $1.summary.spanCount })?.summary {
            print("  the largest one: http://\(console)/#/trace/\(TraceIDText.hex(largest.id))")
        }
    }

    private func waitForTraces(_ core: RouterCore) async throws {
        let deadline = ContinuousClock.now + Self.patience
        while core.accounts.held > 0 {
            guard ContinuousClock.now < deadline else {
                throw Failure(
                    .ended, "\(core.accounts.held) spans have not ended after \(Self.patience); please report this")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func printTraces() throws {
        let joined = folder + "/joined.jsonl"
        try DemoTraces.join(folder + "/traces", to: joined)
        print("")
        print(TraceTreePrinter(descriptor: STDOUT_FILENO).text(of: try TraceForest(path: joined)))
    }
}

/// The exported lines of a file target that runs: its hour files, and parts not joined yet.
enum DemoTraces {
    static func join(_ folder: String, to output: String) throws {
        try FileParts.join(folder, to: output)
        guard let file = FileHandle(forWritingAtPath: output) else {
            throw Failure(.disk, "cannot write \(output); free some space in TMPDIR")
        }
        defer { try? file.close() }
        try file.seekToEnd()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        for name in names.sorted() where name.hasPrefix("traces-") && name.hasSuffix(".jsonl") {
            guard let lines = FileManager.default.contents(atPath: folder + "/" + name) else { continue }
            try file.write(contentsOf: lines)
        }
    }
}

/// The figures of a demo, for people.
enum DemoSummary {
    static func text(_ core: RouterCore, elapsed: Duration) -> String {
        var summary = ReplaySummary(spansIn: Int(clamping: core.accounts.accepted))
        for line in core.accounts.lines where line.target != StoreSettings.targetLabel {
            if let reason = line.reason {
                summary.dropped[reason, default: 0] += Int(clamping: line.count)
            } else {
                summary.exported += Int(clamping: line.count)
            }
        }
        let statistics = core.merge.progress.statistics
        summary.traces = Int(clamping: statistics.tracesKept)
        for evidence in LinkEvidence.allCases where evidence != .none {
            summary.edges[evidence.name] = Int(clamping: statistics.edges[Int(evidence.rawValue)])
        }
        summary.elapsed = elapsed
        return summary.text
    }
}
