import Foundation
import ProductSupport
import Testing

/// What goes wrong at the command line: exit status by sysexits, and a sentence that names the thing.
extension Integration {
    @Suite(.serialized) struct CommandLineTests {
        struct Mistake: Sendable, CustomTestStringConvertible {
            var arguments: [String]
            var status: Int32
            var says: String
            var testDescription: String { arguments.joined(separator: " ") }
        }

        static let mistakes = [
            Mistake(arguments: ["run", "--nonsense"], status: 64, says: "--nonsense"),
            Mistake(arguments: ["replay", "--local", "--out", "-"], status: 64, says: "file"),
            Mistake(
                arguments: ["replay", "--local", "--to", "http://127.0.0.1:1", "x.pb"], status: 64, says: "--local"),
            Mistake(arguments: ["run", "--config", "/nowhere/x.yaml"], status: 66, says: "/nowhere/x.yaml"),
            Mistake(arguments: ["replay", "--local", "--out", "-", "/nowhere.pb"], status: 66, says: "/nowhere.pb"),
            Mistake(arguments: ["run", "--window", "banana"], status: 78, says: "window = banana"),
            Mistake(arguments: ["check", "--sampling-rate", "2"], status: 78, says: "sampling_rate"),
        ]

        @Test("a mistake ends with its status and a sentence", arguments: mistakes)
        func mistake(_ mistake: Mistake) async throws {
            let ended = try await ProductRun.router(mistake.arguments, within: 30)
            #expect(ended.status == mistake.status && !ended.isSignal, "\(ended)")
            #expect((ended.errors + ended.output).contains(mistake.says), "\(ended.errors)")
        }

        @Test("an unknown setting of the file ends with 78 and names the nearest one")
        func unknownSetting() async throws {
            let folder = try TestFolder()
            let file = try folder.write("settings.yaml", "sampling_rat: 0.5\n")
            let ended = try await ProductRun.router(["check", "--config", file])
            #expect(ended.status == 78)
            #expect(ended.errors.contains("sampling_rat") && ended.errors.contains("\"sampling_rate\""))
        }

        @Test("an input that is no recording ends with 65")
        func badInput() async throws {
            let folder = try TestFolder()
            let file = try folder.write("x.pb", "this is no PBPoints message")
            let ended = try await ProductRun.router(["replay", "--local", "--out", "-", file])
            #expect(ended.status == 65, "\(ended)")
            #expect(ended.errors.contains("x.pb"))
        }

        @Test("a taken port ends with 69, a held data directory with 75; the running router is not disturbed")
        func taken() async throws {
            let router = try await LiveRouter()
            let free = ["--console", "127.0.0.1:0", "--peers", "127.0.0.1:0", "--worker-listen", "127.0.0.1:0"]
            let port = try await ProductRun.router(
                ["run", "--listen", router.agents, "--data-dir", router.folder.file("other")] + free, within: 30)
            #expect(port.status == 69, "\(port)")
            #expect(port.errors.contains(router.agents) && port.errors.contains("--listen"))
            let lock = try await ProductRun.router(
                ["run", "--listen", "127.0.0.1:0", "--data-dir", router.folder.file("data")] + free, within: 30)
            #expect(lock.status == 75, "\(lock)")
            #expect(lock.errors.contains(router.folder.file("data")))
            #expect(try RawHTTP.get(router.console, "/readyz").status == 200)
            let stopped = try await router.run.stop()
            #expect(stopped.status == 0 && !stopped.isSignal)
        }
    }
}
