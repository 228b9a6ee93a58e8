import Foundation
import Testing

@testable import Shared

@Suite("What check prints")
struct ConfigCheckTests {
    @Test("no secret is printed by check, by a message or by a dump")
    func secretsStayHidden() throws {
        let secrets = ["tkn_one", "tkn_two", "tkn_three", "h3ader", "passw0rd", "extra9"]
        let router = ConfigCase(
            arguments: ["--config", "e.yaml"], environment: ["ENV_DATAWAY": "https://z?token=unused"],
            files: [
                "e.yaml": """
                target:
                  - dataway:https://user:passw0rd@a.example.com?token=tkn_one&key=extra9
                  - {dataway: "https://b.example.com", token: tkn_two}
                  - {otlp: "https://c.example.com?apikey=tkn_three", headers: {authorization: h3ader}}
                """
            ]
        )
        // The file's targets: without the variable.
        var fromFile = router
        fromFile.environment = [:]
        let settings = try fromFile.router()
        var dumped = ""
        dump(settings, to: &dumped)
        let texts = [
            ConfigCheck.text(settings), settings.output.targets.map(\.description).joined(), dumped,
            settings.notices.map(\.description).joined(),
        ]
        for secret in secrets {
            for text in texts { #expect(!text.contains(secret), "\(secret)") }
        }
        #expect(!ConfigCheck.text(try router.router()).contains("unused"))
        for bad in [
            "target: [\"dataway:htp://u:passw0rd@h?token=tkn_one\"]",
            "target: [{dataway: \"htp://h?token=tkn_one\", token: tkn_two}]",
            "target: [{dataway: \"https://h\", token: {a: tkn_two}}]", "target: dataway:https://h?token=tkn_one x",
            "router_wait: https://h?token=tkn_one", "target: [{dataway: \"https://h?token=tkn_one\"", "a: @tkn_one",
        ] {
            let message = try ConfigCase.yaml(bad).message()
            for secret in secrets { #expect(!message.contains(secret), "\(message)") }
        }
    }

    @Test("check lists every setting of the process once, with its source")
    func listsAll() throws {
        let router = try ConfigCase(arguments: ["--window", "5s"]).router()
        let lines = ConfigCheck.text(router).split(separator: "\n").map(String.init)
        let names = SettingKey.all.filter { $0.process != .worker }.map(\.name)
        #expect(router.effective.map(\.name) == names)
        #expect(lines.first?.split(separator: " ") == ["setting", "value", "source"])
        let window = try #require(lines.first { $0.hasPrefix("window ") })
        #expect(window.split(separator: " ") == ["window", "5s", "--window"])
        let worker = try ConfigCase().worker()
        #expect(worker.effective.map(\.name) == SettingKey.all.filter { $0.process != .router }.map(\.name))
    }

    @Test(
        "warnings",
        arguments: [
            (["--sampling-rate", "0"], "sampling_rate = 0 drops every trace unless an application asked to keep it"),
            (
                ["--window", "500ms"],
                "window = 500ms is below 1s: agents report the two ends of a call seconds apart"
            ),
            (["--open-wait", "5s"], "open_wait = 5s is below window = 20s: no effect"),
            (["--max-trace-age", "10s"], "max_trace_age = 10s is below window = 20s: every trace closes early"),
            (
                ["--late-window", "1m"],
                "late_window = 1m is shorter than max_trace_age = 2m:"
                    + " repeats and late spans of long traces may come out as traces of their own"
            ),
            (
                ["--console", "0.0.0.0:9530"],
                "console = 0.0.0.0:9530 can be reached from other machines, without TLS and without a password;"
                    + " keep it inside a trusted network"
            ),
            (
                [],
                "trust_app_sampled = true: today's agents mark every W3C trace (traceparent) as kept, so sampling_rate"
                    + " does not thin those out; set trust_app_sampled to false if it should"
            ),
        ])
    func warnings(arguments: [String], sentence: String) throws {
        let notices = try ConfigCase(arguments: arguments).router().notices
        #expect(notices.contains(SettingsNotice(severity: .warning, sentence: sentence)))
    }

    @Test("sound settings give no warning")
    func noWarnings() throws {
        let router = try ConfigCase(arguments: ["--trust-app-sampled", "false", "--target", "stdout"]).router()
        #expect(router.notices.isEmpty)
        let all = try ConfigCase(arguments: ["--sampling-rate", "1", "--target", "stdout"]).router()
        #expect(all.notices.isEmpty)
    }

    @Test("a worker gets the router's settings through its environment, secrets included")
    func workerEnvironment() throws {
        let router = try ConfigCase(
            arguments: [
                "--workers", "3", "--window", "1500ms", "--compat", "datakit", "--sampling-rate", "1", "--config",
                "e.yaml", "--trust-app-sampled", "false", "--spans-per-trace", "77", "--depth", "7",
                "--worker-listen", "127.0.0.1:0", "--data-dir", "/d", "--log-level", "debug", "--cluster-name", "c",
            ],
            environment: ["ENV_CLUSTER_NAME_K8S": "other"],
            files: [
                "e.yaml": """
                global_tags: {a: "x,y=z", q: "say \\"hi\\"\\tnow"}
                target:
                  - {dataway: "https://b.example.com?x=1", token: tkn_two, gzip: false}
                  - {otlp: "https://c.example.com?apikey=k", headers: {authorization: h}}
                  - "file:/srv/a b,c"
                  - stdout
                """
            ]
        ).router()
        var environment = router.workerEnvironment(routers: ["http://127.0.0.1:9531"])
        environment["ENV_CLUSTER_NAME_K8S"] = "other"
        let worker = try ConfigCase(arguments: ["--ordinal", "2"], environment: environment).worker()
        #expect(worker.output.targets == router.output.targets)
        #expect(worker.output.globalTags == router.output.globalTags)
        #expect(worker.dataDirectory == "/d" && worker.logLevel == .debug)
        #expect(worker.routers == ["http://127.0.0.1:9531"])
        let both = SettingKey.all.filter { $0.process == .both && $0.name != "config" }.map(\.name)
        for name in both {
            #expect(
                worker.effective.first { $0.name == name }?.value == router.effective.first { $0.name == name }?.value,
                "\(name)")
        }
    }

    @Test("help names the default and the variables of every flag")
    func help() {
        let text = RouterFlags.helpMessage(columns: 1000) + WorkerFlags.helpMessage(columns: 1000)
        for key in SettingKey.all {
            #expect(text.contains("--\(key.flag) <"), "\(key.name)")
            let names = ([key.environmentName] + key.datakitNames).joined(separator: ", ")
            #expect(text.contains("(default: \(key.shownDefault); env: \(names))"), "\(key.name)")
        }
    }

    @Test("docs/configuration.md is the table's page")
    func referencePage() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/configuration.md")
        if ProcessInfo.processInfo.environment["WRITE_CONFIGURATION_PAGE"] == "1" {
            try ConfigurationReference.markdown().write(to: page, atomically: true, encoding: .utf8)
        }
        let committed = try String(contentsOf: page, encoding: .utf8)
        #expect(
            committed == ConfigurationReference.markdown(),
            "docs/configuration.md is not what the table of settings gives; run `make docs` and commit the page")
    }

    @Test("the shell's readers: this machine has a name, a file on disk is read, a missing one is named")
    func machine() throws {
        #expect(!HostFacts.ofThisMachine().name.isEmpty)
        let path = NSTemporaryDirectory() + "/ebpftrace-settings-\(UUID().uuidString).yaml"
        try "window: 7s\n".write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let router = try RouterSettings.resolve(
            flags: try RouterFlags.parse(["--config", path]), environment: [:],
            host: HostFacts(name: "h", address: nil, isRoot: true), readFile: SettingsDisk.read)
        #expect(router.linking.window == .seconds(7))
        let failure = #expect(throws: Failure.self) { try SettingsDisk.read(path + ".gone") }
        #expect(failure?.code == .fileMissing)
        #expect(
            failure?.message
                == "settings file \(path).gone cannot be opened: No such file or directory; check --config")
    }

    @Test("the table is sound: keys are unique, snake_case, and their defaults can be used")
    func table() throws {
        let names = SettingKey.all.map(\.name)
        #expect(Set(names).count == names.count)
        for key in SettingKey.all {
            #expect(key.name.allSatisfy { ("a"..."z").contains($0) || $0 == "_" })
            #expect(key.meaning.hasSuffix("."))
        }
        _ = try ConfigCase().router()
        _ = try ConfigCase().worker()
        let datakit = SettingKey.all.flatMap(\.datakitNames)
        #expect(Set(datakit).count == datakit.count)
    }
}
