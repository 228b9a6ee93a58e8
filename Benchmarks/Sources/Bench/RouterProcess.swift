import Glibc
import LoadNet

/// The product under measurement: one router with its workers, in a data directory of its own.
struct RouterProcess {
    var processID: pid_t
    var dataDirectory: String
    /// Port of the agents' listener.
    var agents: UInt16
    /// Port of the console; the agents' port when there is none.
    var console: UInt16

    private static let startSeconds = 60

    /// Starts it and waits until it listens.
    static func start(
        _ options: Options, samplingRate: Double, window: String, sinks: [SpanSink]
    ) -> Result<Self, UsageProblem> {
        guard let directory = makeTemporaryDirectory() else {
            return .failure(UsageProblem(text: "no temporary directory can be made: set TMPDIR"))
        }
        let arguments = [
            options.router, "run", "--workers", "\(options.workers)", "--window", window,
            "--sampling-rate", "\(samplingRate)", "--data-dir", directory + "/data",
            "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--peers", "127.0.0.1:0",
            "--worker-listen", "127.0.0.1:0", "--store", options.hasStore ? "on" : "off",
            "--config", directory + "/settings.yaml",
        ] + options.routerArguments
        guard mkdir(directory + "/data", 0o700) == 0,
            writeFile(directory + "/settings.yaml", settings(options, sinks)),
            let processID = spawn(arguments, output: directory)
        else {
            return .failure(UsageProblem(text: "\(options.router) cannot be started: build it, or name it by --router"))
        }
        for _ in 0..<(startSeconds * 20) {
            sleepNanoseconds(50_000_000)
            guard ProcessUsage(processID) != nil else { break }
            let text = readFile(directory + "/data/listeners.json") ?? readFile(directory + "/stdout") ?? ""
            guard let agents = port("agents", in: text) else { continue }
            return .success(RouterProcess(
                processID: processID, dataDirectory: directory, agents: agents,
                console: port("console", in: text) ?? agents))
        }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
        let complaint = readFile(directory + "/stderr")?.split(separator: "\n").suffix(5).joined(separator: "\n") ?? ""
        return .failure(UsageProblem(text: "the router did not come up (\(directory)/stderr):\n\(complaint)"))
    }

    /// The target setting for the sinks, as a settings file.
    private static func settings(_ options: Options, _ sinks: [SpanSink]) -> String {
        let targets = sinks.map { sink in
            switch sink.form {
            case .dataway:
                """
                  - dataway: "http://127.0.0.1:\(sink.port)?\(options.targetQuery)"
                    gzip: \(options.isGzip)

                """
            case .otlp:
                """
                  - otlp: "http://127.0.0.1:\(sink.port)"
                    compression: \(options.isGzip ? "gzip" : "none")
                    fields: \(options.fields)

                """
            }
        }
        return targets.isEmpty ? "target: none\n" : "target:\n" + targets.joined()
    }

    /// Spans accepted and held, by the status page: a sixth of the cost of the metrics. nil when it does not say.
    func holdings() -> (accepted: Double, held: Double)? {
        if let page = fetch(port: console, path: "/status"), let accepted = Self.number("spansAccepted", in: page),
            let held = Self.number("spansHeld", in: page) {
            return (accepted, held)
        }
        guard let page = metrics(), let held = page.sum("ebpftrace_spans_held") else { return nil }
        return (page.sum("ebpftrace_spans_accepted_total") ?? 0, held)
    }

    /// The page of metrics; nil when nobody answers.
    func metrics() -> MetricsPage? {
        (fetch(port: agents, path: "/metrics") ?? fetch(port: console, path: "/metrics")).map { MetricsPage($0) }
    }

    /// Asks it to stop, and kills it after 30 s; true when it stopped by itself with 0.
    func stop() -> Bool {
        kill(processID, SIGTERM)
        var status: Int32 = 0
        for _ in 0..<300 {
            if waitpid(processID, &status, WNOHANG) == processID { return status == 0 }
            sleepNanoseconds(100_000_000)
        }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
        return false
    }

    private static func spawn(_ arguments: [String], output directory: String) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 1, directory + "/stdout", flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, directory + "/stderr", flags, 0o600)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var processID = pid_t()
        return posix_spawn(&processID, arguments[0], &actions, nil, &words, environ) == 0 ? processID : nil
    }

    /// The port in `"name":"address:port"`.
    private static func port(_ name: String, in text: String) -> UInt16? {
        let words = text.split(whereSeparator: { "\"{}, \n".contains($0) })
        guard let place = words.firstIndex(where: { $0 == name[...] }) else { return nil }
        let value = words[place...].dropFirst().first { $0 != ":" }
        return value.flatMap { UInt16($0.split(separator: ":").last ?? "") }
    }

    /// The number in `"name":number`.
    private static func number(_ name: String, in text: String) -> Double? {
        let words = text.split(whereSeparator: { "\"{}[],: \n".contains($0) })
        return words.firstIndex { $0 == name[...] }.flatMap { words[$0...].dropFirst().first }.flatMap { Double($0) }
    }
}
