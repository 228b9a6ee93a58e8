import Linking
import Testing

@testable import Shared

@Suite("Precedence and provenance of settings")
struct ConfigPrecedenceTests {
    @Test("flags win over our variables, those over DataKit's, those over the file, that over the default")
    func precedence() throws {
        var settings = ConfigCase()
        #expect(try settings.router().origin("window") == "20s < default")
        settings.environment["EBPFTRACE_CONFIG"] = "e.yaml"
        settings.files["e.yaml"] = "window: 21s\n"
        #expect(try settings.router().origin("window") == "21s < e.yaml:window")
        settings.environment["ENV_INPUT_EBPFTRACE_WINDOW"] = "22s"
        #expect(try settings.router().origin("window") == "22s < ENV_INPUT_EBPFTRACE_WINDOW")
        settings.environment["EBPFTRACE_WINDOW"] = "23s"
        #expect(try settings.router().origin("window") == "23s < EBPFTRACE_WINDOW")
        settings.arguments = ["--window", "24s"]
        let router = try settings.router()
        #expect(router.origin("window") == "24s < --window")
        #expect(router.linking.window == .seconds(24))
        #expect(router.origin("open_wait") == "1m12s < default (3 × window)")
        #expect(router.origin("max_trace_age") == "2m24s < default (6 × window)")
    }

    @Test("an empty variable counts as not set")
    func emptyVariable() throws {
        let names = SettingKey.all.flatMap { [$0.environmentName] + $0.datakitNames }
            .filter { $0 != "ENV_INPUT_EBPFTRACE_USE_APP_TRACE_ID" }
        let empty = Dictionary(uniqueKeysWithValues: names.map { ($0, "") })
        let router = try ConfigCase(environment: empty).router()
        #expect(router.effective == (try ConfigCase().router().effective))
    }

    @Test("every setting of the router can be given by flag, by variable and by file, and says so")
    func everyWay() throws {
        let keys = SettingKey.all.filter { $0.process != .worker && $0.name != "config" }
        let flag = try ConfigCase(arguments: keys.flatMap { ["--\($0.flag)", sample($0)] }).router()
        for key in keys {
            let value = sample(key)
            #expect(flag.effective.first { $0.name == key.name }?.source == .flag("--" + key.flag))
            let variable = try ConfigCase(environment: [key.environmentName: value]).router()
            #expect(variable.effective.first { $0.name == key.name }?.source == .environment(key.environmentName))
            let file = try ConfigCase.yaml("\(key.name): \"\(value)\"").router()
            #expect(
                file.effective.first { $0.name == key.name }?.source == .file(path: "e.yaml", key: key.name))
            let shown = [flag, variable, file].map { router in router.effective.first { $0.name == key.name }?.value }
            // The flags name a cluster, which is a tag too.
            #expect(Set(shown).count == (key.name == "global_tags" ? 2 : 1), "\(key.name)")
        }
    }

    @Test("every setting of the worker has a flag and a variable")
    func everyWorkerSetting() throws {
        let keys = SettingKey.all.filter { $0.process != .router && $0.name != "config" }
        let flag = try ConfigCase(arguments: keys.flatMap { ["--\($0.flag)", sample($0)] }).worker()
        for key in keys {
            let value = sample(key)
            #expect(flag.effective.first { $0.name == key.name }?.source == .flag("--" + key.flag))
            let variable = try ConfigCase(environment: [key.environmentName: value]).worker()
            #expect(variable.effective.first { $0.name == key.name }?.source == .environment(key.environmentName))
        }
    }

    private func sample(_ key: SettingKey) -> String {
        switch key.kind {
        case .duration: key.name == "store_age" ? "2m" : "30s"
        case .rate: "0.5"
        case .boolean: "true"
        case .count: ["ordinal": "0", "spans_per_trace": "2000"][key.name] ?? "40"
        case .bytes: ["log_bytes": "1GiB", "store_bytes": "1GiB"][key.name] ?? "8MiB"
        case .choice(let choices): choices[1]
        case .address: "127.0.0.1:7000"
        case .path: "/srv/x"
        case .text: "blue"
        case .names: "a,b"
        case .tags: "a=b,c=d"
        case .targets: "file:/srv/out"
        case .urls: "http://10.0.0.1:9531"
        }
    }

    @Test("the defaults are those of the design")
    func defaults() throws {
        let router = try ConfigCase().router()
        #expect(router.listen.description == "127.0.0.1:9529")
        #expect(router.console.description == "127.0.0.1:9530")
        #expect(router.peers.description == "127.0.0.1:9531")
        #expect(router.workerListen.description == "127.0.0.1:9540")
        #expect(router.dataDirectory == "/var/lib/ebpftrace")
        #expect(router.linking.workers == 1 && router.linking.partitions == 256)
        #expect(router.linking.window == .seconds(20) && router.linking.openWait == .seconds(60))
        #expect(router.linking.maxTraceAge == .seconds(120) && router.linking.lateWindow == .seconds(120))
        #expect(router.linking.samplingRate == 0.1)
        #expect(router.linking.useApplicationTraceID && router.linking.trustApplicationSampled)
        #expect(router.linking.inferLinks == .unique && router.linking.idEncoding == .auto)
        #expect(router.fsync == .interval && router.fsyncInterval == .seconds(1))
        #expect(router.denyFields == ["authorization", "cookie"])
        #expect(router.output.targets == [.file(path: "/var/lib/ebpftrace/traces")])
        #expect(router.limits == Limits())
        #expect(router.notices.contains { $0.sentence.hasPrefix("no target is set: finished traces go to file:") })
    }

    @Test("the data directory of a user lies in the user's state directory")
    func dataDirectory() throws {
        let user = HostFacts(name: "h", address: nil, isRoot: false)
        let home = ConfigCase(environment: ["HOME": "/home/ann"], host: user)
        #expect(try home.router().dataDirectory == "/home/ann/.local/state/ebpftrace")
        let state = ConfigCase(environment: ["HOME": "/home/ann", "XDG_STATE_HOME": "/st"], host: user)
        #expect(try state.router().dataDirectory == "/st/ebpftrace")
        #expect(
            try ConfigCase(host: user).message()
                == "data_dir is not set, and neither XDG_STATE_HOME nor HOME is; set data_dir to a directory")
        #expect(try ConfigCase.yaml("db_path: /data/x").router().origin("data_dir") == "/data/x < e.yaml:db_path")
    }

    @Test("compat = datakit changes two defaults, and gives way to what is set")
    func compat() throws {
        let compat = try ConfigCase(arguments: ["--compat", "datakit"]).router()
        #expect(compat.origin("id_encoding") == "datakit < default (compat = datakit)")
        #expect(compat.origin("infer_links") == "off < default (compat = datakit)")
        let set = try ConfigCase(
            arguments: ["--compat", "datakit"], environment: ["EBPFTRACE_ID_ENCODING": "auto"]
        ).router()
        #expect(set.linking.idEncoding == .auto && set.linking.compatibility == .datakit)
    }

    @Test("unknown keys end the start with the nearest known name")
    func unknownKeys() throws {
        #expect(
            try ConfigCase.yaml("windwo: 20s").message()
                == "unknown setting \"windwo\" in e.yaml; the nearest known setting is \"window\"")
        #expect(
            try ConfigCase.yaml("config: x").message()
                == "unknown setting \"config\" in e.yaml; the nearest known setting is \"console\"")
        #expect(
            try ConfigCase(environment: ["EBPFTRACE_SAMPLE_RATE": "1"]).message()
                == "unknown environment variable EBPFTRACE_SAMPLE_RATE;"
                + " the nearest known setting is EBPFTRACE_SAMPLING_RATE")
        #expect(throws: (any Error).self) { try RouterFlags.parse(["--windwo", "20s"]) }
    }

    @Test("variables that Kubernetes makes for a Service are no settings")
    func serviceVariables() throws {
        let variables = [
            "EBPFTRACE_ROUTER_SERVICE_HOST": "10.0.0.1", "EBPFTRACE_ROUTER_SERVICE_PORT": "9529",
            "EBPFTRACE_ROUTER_SERVICE_PORT_AGENTS": "9529", "EBPFTRACE_ROUTER_PORT": "tcp://10.0.0.1:9529",
            "EBPFTRACE_ROUTER_PORT_9529_TCP_ADDR": "10.0.0.1",
        ]
        #expect(try ConfigCase(environment: variables).router().listen.port == 9529)
    }

    @Test(
        "a value that cannot be used is named with key, source and what is allowed",
        arguments: [
            ("window", "20", "a duration such as 20s, 2m or 500ms, from 100ms to 1h"),
            ("window", "10ms", "a duration such as 20s, 2m or 500ms, from 100ms to 1h"),
            ("sampling_rate", "1.01", "a number from 0 to 1"), ("sampling_rate", "nan", "a number from 0 to 1"),
            ("workers", "65", "a whole number from 1 to 64"), ("workers", "two", "a whole number from 1 to 64"),
            ("partitions", "0", "a whole number from 1 to 4096"),
            ("flow_key", "Tuple", "one of tuple, initiator, seq"),
            ("use_app_trace_id", "maybe", "true or false"),
            ("log_bytes", "1MiB", "a size such as 64MiB or 16GiB, from 256MiB to 1024TiB"),
            ("listen", "9529", "an address HOST:PORT such as 127.0.0.1:9529; port 0 takes any free port"),
            ("global_tags", "a", "pairs NAME=VALUE separated by commas"),
            (
                "log_level", "loud", "one of trace, debug, info, notice, warning, error, critical"
            ),
        ])
    func badValues(key: String, value: String, allowed: String) throws {
        let flag = String(key.map { $0 == "_" ? "-" : $0 })
        #expect(
            try ConfigCase(arguments: ["--\(flag)", value]).message()
                == "\(key) = \(value) (from --\(flag)) cannot be used: expected \(allowed)")
        #expect(
            try ConfigCase.yaml("\(key): \(value)").message()
                == "\(key) = \(value) (from e.yaml:\(key)) cannot be used: expected \(allowed)")
    }

    @Test("values of a file that have the wrong shape are refused")
    func badShapes() throws {
        #expect(
            try ConfigCase.yaml("window: [1s, 2s]").message()
                == "window = [1s, 2s] (from e.yaml:window) cannot be used:"
                + " expected a duration such as 20s, 2m or 500ms, from 100ms to 1h")
        #expect(
            try ConfigCase.yaml("window: {a: 1s}").message().hasPrefix("window = {a: …} (from e.yaml:window)"))
        #expect(
            try ConfigCase.yaml("- window").message()
                == "e.yaml must hold one map of settings, such as \"window: 20s\"")
        #expect(try ConfigCase.yaml("a: {b: [").message().hasPrefix("e.yaml is not valid YAML"))
        #expect(
            try ConfigCase.yaml("db_path: /a\ndata_dir: /b").message()
                == "e.yaml sets data_dir twice (as \"data_dir\" too); keep one")
        #expect(
            try ConfigCase.yaml("target: [[[[[[a]]]]]]").message()
                == "e.yaml nests values too deeply; settings are flat")
        let missing = ConfigCase(arguments: ["--config", "gone.yaml"])
        #expect(try missing.message(code: .fileMissing) == "no gone.yaml")
        let large = ConfigCase.yaml("# " + String(repeating: "x", count: 1 << 20))
        #expect(try large.message() == "e.yaml is larger than 1MiB, too large for a settings file")
    }

    @Test("an empty file and a key without a value change nothing")
    func emptyFile() throws {
        for text in ["", "# nothing\n", "window:\n", "window: ~\ntarget:\n"] {
            #expect(try ConfigCase.yaml(text).router().origin("window") == "20s < default", "\(text)")
        }
    }

    @Test("limits that contradict each other are refused")
    func contradictions() throws {
        #expect(
            try ConfigCase(arguments: ["--depth", "10000"]).message()
                == "depth = 10000 must be smaller than spans_per_trace = 10000; change one of them")
        let limits = try ConfigCase(
            arguments: ["--body-bytes", "1MiB", "--spans-per-trace", "50", "--depth", "9", "--log-bytes", "1GiB"]
        ).router().limits
        #expect(limits.bodyBytes == 1 << 20 && limits.spansPerTrace == 50)
        #expect(limits.depth == 9 && limits.logBytes == 1 << 30)
    }

    @Test("a worker's address and ordinal")
    func worker() throws {
        let worker = try ConfigCase(
            arguments: ["--router", "http://a:1", "--router", "http://b:2", "--ordinal", "2", "--workers", "3"]
        ).worker()
        #expect(worker.routers == ["http://a:1", "http://b:2"])
        #expect(worker.listen.port == 9542 && worker.ordinal.number == 2)
        let anyPort = ConfigCase(
            arguments: ["--worker-listen", "127.0.0.1:0", "--ordinal", "1", "--workers", "2"])
        #expect(try anyPort.worker().listen.port == 0)
        let failure = #expect(throws: Failure.self) { try ConfigCase(arguments: ["--ordinal", "1"]).worker() }
        #expect(failure?.message == "ordinal = 1 must be smaller than workers = 1; ordinals count from 0")
        let noURL = #expect(throws: Failure.self) { try ConfigCase(arguments: ["--router", "a:1"]).worker() }
        #expect(
            noURL?.message
                == "router = [a:1] (from --router) cannot be used: expected a URL such as http://127.0.0.1:9531")
        // One file serves both programs.
        let shared = ConfigCase(
            arguments: ["--config", "e.yaml"], files: ["e.yaml": "listen: 0.0.0.0:1\nordinal: 0\nworkers: 2"])
        #expect(try shared.worker().linking.workers == 2)
        #expect(try shared.router().listen.port == 1)
    }
}
