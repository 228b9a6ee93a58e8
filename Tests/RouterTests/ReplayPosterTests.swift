import Foundation
import Shared
import Synchronization
import Testing

@testable import Router

@Suite struct ReplayPosterTests {
    private let folder: ReplayFolder
    private let said = Said()
    init() throws { folder = try ReplayFolder() }

    /// What the command wrote.
    private final class Said: Sendable {
        private let text = Mutex("")
        var all: String { text.withLock { $0 } }
        func add(_ more: String) { text.withLock { $0 += more } }
    }

    /// - Parameter patience: what other tests, which keep both cores busy for minutes, make necessary; short where it
    ///   is to run out.
    private func command(
        _ address: String, _ files: [String], speed: Double? = nil, patience: Duration = .seconds(120)
    ) -> ReplayTo {
        var command = ReplayTo(address: address, speed: speed, files: files)
        let said = said
        command.output = ProgressOutput(isTerminal: false) { said.add($0) }
        command.settings.patience = patience
        return command
    }

    private func file(_ points: Int) throws -> String {
        try folder.write("points.pb", ReplaySamples.protobuf(0..<points))
    }

    private static func failure(of work: () async throws -> PostTally) async -> Failure? {
        do {
            _ = try await work()
            return nil
        } catch {
            return error as? Failure
        }
    }

    @Test func everyPointArrivesOnceInBodiesOf256() async throws {
        let server = try await ReplayPosterServer { _ in .status(200) }
        let tally = try await command(server.address + "/", [try file(1000)]).run()
        try await server.stop()
        #expect(tally.takenSpans == 1000 && tally.takenBodies == 4 && tally.refusedBodies == 0)
        let bodies = Set(server.requests.map(\.body))
        #expect(bodies == Set([0..<256, 256..<512, 512..<768, 768..<1000].map(ReplaySamples.protobuf)))
        #expect(server.requests.allSatisfy { $0.uri == "/v1/bpftracing?input=dketrace" && $0.agent == nil })
        #expect(server.requests.allSatisfy { $0.contentType == "application/protobuf; proto=com.guance.Point" })
        #expect(said.all.contains("sent 1,000 spans in 4 bodies"))
    }

    @Test func bodiesOfOneAgentArriveInOrderWithItsName() async throws {
        let batches = (0..<40).map {
            #"{"node":"n\#($0 % 3)","arrive_us":\#($0),"first":\#($0 * 2),"count":2}"#
        }
        try folder.write("batches.jsonl", batches.joined(separator: "\n"))
        let server = try await ReplayPosterServer { _ in .status(200) }
        let tally = try await command(server.address, [try file(80)]).run()
        try await server.stop()
        #expect(tally.takenSpans == 80)
        for agent in 0..<3 {
            let got = server.requests.filter { $0.agent == "n\(agent)" }.map(\.body)
            let sent = (0..<40).filter { $0 % 3 == agent }.map { ReplaySamples.protobuf(($0 * 2)..<($0 * 2 + 2)) }
            #expect(got == sent)
        }
    }

    @Test func recordedPaceIsKept() async throws {
        let batches = (0..<3).map { #"{"node":"n","arrive_us":\#($0 * 10_000_000),"first":\#($0),"count":1}"# }
        try folder.write("batches.jsonl", batches.joined(separator: "\n"))
        let server = try await ReplayPosterServer { _ in .status(200) }
        let begin = ContinuousClock.now
        let tally = try await command(server.address, [try file(3)], speed: 50).run()
        try await server.stop()
        #expect(tally.takenSpans == 3)
        #expect(ContinuousClock.now - begin >= .milliseconds(400))
    }

    @Test func fullRouterIsAskedAgainAfterWhatItSays() async throws {
        let server = try await ReplayPosterServer {
            $0 == 0 ? .status(503, headers: ["Retry-After": "1"]) : $0 == 1 ? .status(500) : .status(200)
        }
        let begin = ContinuousClock.now
        let tally = try await command(server.address, [try file(5)]).run()
        try await server.stop()
        #expect(tally.takenSpans == 5 && tally.retries == 2)
        #expect(ContinuousClock.now - begin >= .seconds(1))
        #expect(Set(server.requests.map(\.body)).count == 1)
    }

    @Test func refusedBodyIsCountedAndTheNextGoesOn() async throws {
        let server = try await ReplayPosterServer {
            $0 != 1
                ? .status(200)
                : .status(400, body: "{\"error_code\":\"datakit.noPoints\",\"message\":\"\u{1B}[2J\"}")
        }
        let tally = try await command(server.address, [try file(600)]).run()
        try await server.stop()
        #expect(tally.takenBodies == 2 && tally.refusedBodies == 1)
        #expect(tally.takenSpans + tally.refusedSpans == 600)
        #expect(said.all.contains("datakit.noPoints") && !said.all.contains("\u{1B}"))
    }

    @Test func manyRefusalsAreNotManyLines() async throws {
        let server = try await ReplayPosterServer { _ in .status(400) }
        let tally = try await command(server.address, [try file(256 * 20)]).run()
        try await server.stop()
        #expect(tally.refusedBodies == 20)
        // Ten refusals, that there are more, and the summary's two; on a slow machine progress lines besides.
        let lines = said.all.split(separator: "\n")
        #expect(lines.count { $0.contains("400") } <= 12 && lines.count >= 13)
    }

    @Test func routerThatDiesEndsTheReplayWithItsCode() async throws {
        let server = try await ReplayPosterServer { $0 < 2 ? .status(200) : .hangUp }
        let failure = await Self.failure {
            try await command(server.address, [try file(5000)], patience: .milliseconds(1500)).run()
        }
        try await server.stop()
        #expect(failure?.code.exitStatus == 69)
        #expect(failure?.message.contains("512 spans were sent before") == true, "\(failure?.message ?? "")")
    }

    @Test func routerThatIsAwayEndsTheReplayWithItsCode() async throws {
        let server = try await ReplayPosterServer { _ in .status(200) }
        let address = server.address
        try await server.stop()
        let failure = await Self.failure {
            try await command(address + "?token=secret", [try file(5)], patience: .milliseconds(1500)).run()
        }
        #expect(failure?.code.exitStatus == 69)
        #expect(failure?.message.contains(address) == true)
        #expect(failure?.message.contains("Connection refused") == true, "\(failure?.message ?? "")")
        #expect(failure?.message.contains("secret") == false && !said.all.contains("secret"))
        // Said once; on a machine so slow that the first attempt used up the patience, not at all.
        #expect(said.all.split(separator: "\n").count { $0.contains("trying again") } <= 1)
    }

    @Test func connectionThatBreaksOnceIsNoLoss() async throws {
        let server = try await ReplayPosterServer { $0 == 1 ? .hangUp : .status(200) }
        let tally = try await command(server.address, [try file(1000)]).run()
        try await server.stop()
        #expect(tally.takenSpans == 1000)
        #expect(Set(server.requests.map(\.body)).count == 4)
    }

    @Test(arguments: [404, 401, 301]) func otherAnswersEndTheReplay(_ status: Int) async throws {
        let server = try await ReplayPosterServer { _ in .status(status) }
        let failure = await Self.failure {
            try await command(server.address, [try file(5)], patience: .milliseconds(1500)).run()
        }
        try await server.stop()
        #expect(failure?.code == .unavailable)
        #expect(failure?.message.contains("\(status)") == true)
    }

    @Test func badFileAmongGoodOnesEndsTheReplay() async throws {
        let server = try await ReplayPosterServer { _ in .status(200) }
        let bad = try folder.write("bad.pb", [1, 2, 3])
        let failure = await Self.failure { try await command(server.address, [try file(5), bad]).run() }
        try await server.stop()
        #expect(failure?.code == .badInput)
    }

    @Test func addressKeepsTokenAndPath() throws {
        let target = try ReplayTarget("http://u:p@h:1/x/?token=s&input=i#f")
        #expect(target.url == "http://u:p@h:1/x/v1/bpftracing?token=s&input=i")
        #expect(target.shown == "http://h:1")
        #expect(try ReplayTarget("https://[::1]:9529").shown == "https://[::1]:9529")
        for bad in ["", "localhost:9529", "ftp://h", "http://", "/v1"] {
            #expect(throws: Failure.self) { try ReplayTarget(bad) }
        }
    }

    @Test func speedMustBeASpeed() async throws {
        let failure = await Self.failure { try await command("http://127.0.0.1:1", [try file(5)], speed: 0).run() }
        #expect(failure?.code == .usage)
    }
}
