import Shared
import Testing

@testable import Router

@Suite struct WorkerLifeCycleTests {
    private let second = 1_000_000_000

    @Test func waitsDoubleUpToTheMaximum() {
        var cycle = WorkerLifeCycle(policy: RestartPolicy())
        var waits: [Duration] = []
        var action = cycle.begin()
        for turn in 0..<40 {
            #expect(action == .launch)
            _ = cycle.started(pid: 100, at: turn * second)
            guard case .wait(let delay) = cycle.ended("exited 1", at: turn * second + 1) else { return }
            waits.append(delay)
            action = cycle.waited()
        }
        #expect(
            waits.prefix(8) == [
                .milliseconds(200), .milliseconds(400), .milliseconds(800), .milliseconds(1_600),
                .milliseconds(3_200), .milliseconds(6_400), .seconds(10), .seconds(10),
            ])
        #expect(waits.last == .seconds(10))
        #expect(cycle.restarts == 40 && cycle.lastExit == "exited 1")
    }

    @Test func steadyLifeResetsTheWait() {
        var cycle = WorkerLifeCycle(policy: RestartPolicy())
        _ = cycle.begin()
        for _ in 0..<5 {
            _ = cycle.started(pid: 1, at: 0)
            _ = cycle.ended("x", at: 29 * second)
            _ = cycle.waited()
        }
        _ = cycle.started(pid: 1, at: 0)
        #expect(cycle.ended("x", at: 30 * second) == .wait(.milliseconds(200)))
    }

    @Test func failureToStartCountsAsShortLife() {
        var cycle = WorkerLifeCycle(policy: RestartPolicy())
        _ = cycle.begin()
        #expect(cycle.ended("no such file", at: 0) == .wait(.milliseconds(200)))
        _ = cycle.waited()
        #expect(cycle.ended("no such file", at: 0) == .wait(.milliseconds(400)))
    }

    @Test func stopEndsItFromEveryState() {
        var idle = WorkerLifeCycle(policy: RestartPolicy())
        #expect(idle.stop() == .none && idle.state == .stopped && idle.begin() == .none)

        var starting = WorkerLifeCycle(policy: RestartPolicy())
        _ = starting.begin()
        #expect(starting.stop() == .none)
        #expect(starting.started(pid: 5, at: 0) == .terminate)
        #expect(starting.stop() == .none)
        #expect(starting.ended("killed by signal 15", at: 1) == .none && starting.state == .stopped)

        var running = WorkerLifeCycle(policy: RestartPolicy())
        _ = running.begin()
        _ = running.started(pid: 6, at: 0)
        #expect(running.stop() == .terminate && running.state == .stopping(pid: 6))
        #expect(running.ended("exited 0", at: 1) == .none && running.state == .stopped)

        var waiting = WorkerLifeCycle(policy: RestartPolicy())
        _ = waiting.begin()
        _ = waiting.ended("x", at: 0)
        #expect(waiting.stop() == .wake && waiting.waited() == .none && waiting.state == .stopped)
    }
}

@Suite struct WorkerProgramTests {
    @Test func isFoundBesideTheRouterThenInThePath() throws {
        let environment = ["PATH": "/usr/bin:/opt/e/bin"]
        #expect(
            try WorkerProgram.locate(environment: environment, ownExecutable: "/x/y/ebpftrace-router") { _ in true }
                == "/x/y/ebpftrace-worker")
        #expect(
            try WorkerProgram.locate(environment: environment, ownExecutable: "/x/y/ebpftrace-router") {
                $0.hasPrefix("/opt")
            } == "/opt/e/bin/ebpftrace-worker")
        #expect(
            try WorkerProgram.locate(
                environment: ["EBPFTRACE_WORKER": "/w"], ownExecutable: "/x/y/ebpftrace-router"
            ) { _ in true } == "/w")
    }

    @Test func missingProgramIsNamedWithTheRemedy() {
        let missing = #expect(throws: Failure.self) {
            try WorkerProgram.locate(environment: [:], ownExecutable: "/x/ebpftrace-router") { _ in false }
        }
        #expect(missing?.code == .fileMissing && missing?.code.exitStatus == 66)
        #expect(missing?.message.contains("/x/ebpftrace-worker") == true)
        #expect(missing?.message.contains("EBPFTRACE_WORKER") == true)
        let wrong = #expect(throws: Failure.self) {
            try WorkerProgram.locate(environment: ["EBPFTRACE_WORKER": "/nope"]) { _ in false }
        }
        #expect(wrong?.message.contains("/nope") == true)
    }

    @Test func argumentsNameRouterOrdinalAndListener() {
        let program = WorkerProgram.worker(
            executable: "/w", router: "http://127.0.0.1:9531", workers: 4,
            listen: ListenAddress(host: "127.0.0.1", port: 9540),
            extra: ["--log-level", "debug"])
        #expect(
            program.arguments(2) == [
                "run", "--router", "http://127.0.0.1:9531", "--ordinal", "2", "--workers", "4", "--worker-listen",
                "127.0.0.1:9540", "--log-level", "debug",
            ])
    }

    @Test(arguments: [0, 1, 3]) func workerListensOnThePortOfTheFirstOnePlusItsOrdinal(ordinal: Int) throws {
        let program = WorkerProgram.worker(
            executable: "/w", router: "http://127.0.0.1:9531", workers: 4,
            listen: ListenAddress(host: "127.0.0.1", port: 9540))
        let settings = try WorkerSettings.resolve(
            flags: try WorkerFlags.parse(Array(program.arguments(ordinal).dropFirst())), environment: [:],
            host: .ofThisMachine(), readFile: SettingsDisk.read)
        #expect(settings.listen == ListenAddress(host: "127.0.0.1", port: UInt16(9540 + ordinal)))
    }

    @Test func outputIsRelayedInWholeLines() {
        var relay = LineRelay()
        func take(_ text: String) -> String {
            var bytes = Array(text.utf8)
            return String(
                decoding: bytes.withUnsafeMutableBytes { relay.take(UnsafeRawBufferPointer($0)) }, as: UTF8.self)
        }
        #expect(take("ab") == "")
        #expect(take("c\nde\nf") == "abc\nde\n")
        #expect(take("\n") == "f\n")
        #expect(take("tail") == "" && String(decoding: relay.finish(), as: UTF8.self) == "tail")
        #expect(relay.finish().isEmpty)
    }
}
