import Foundation
import Logging
import Shared
import Synchronization
import Testing

@testable import Router

/// Real processes: shell scripts in place of the worker.
@Suite(.serialized, .timeLimit(.minutes(1))) struct WorkerSupervisorTests {
    private final class Output: Sendable {
        let text = Mutex<[Int: String]>([:])
        func add(_ ordinal: Int, _ lines: [UInt8]) {
            text.withLock { $0[ordinal, default: ""] += String(decoding: lines, as: UTF8.self) }
        }
        subscript(ordinal: Int) -> String { text.withLock { $0[ordinal] ?? "" } }
    }

    private func supervisor(
        _ script: String, count: Int = 1, stopBound: Duration = .seconds(5),
        metrics: MetricsRegistry = MetricsRegistry(),
        output: Output = Output()
    ) -> WorkerSupervisor {
        let policy = RestartPolicy(initialDelay: .milliseconds(10), maximumDelay: .milliseconds(40))
        return WorkerSupervisor(
            program: WorkerProgram(executable: "/bin/sh") { ["-c", script, "worker", String($0)] }, count: count,
            policy: policy, stopBound: stopBound, logger: quiet, metrics: metrics, relay: { output.add($0, $1) })
    }

    @Test func workersRunAndStopOnRequest() async throws {
        let output = Output()
        let supervisor = supervisor("echo up $1; exec sleep 60", count: 2, output: output)
        async let run: Void = supervisor.run()
        try await eventually { supervisor.statuses.allSatisfy { $0.state == "running" } }
        try await eventually { output[0] == "up 0\n" && output[1] == "up 1\n" }
        let pids = supervisor.statuses.compactMap(\.pid)
        #expect(Set(pids).count == 2 && pids.allSatisfy { kill($0, 0) == 0 })
        supervisor.stop()
        try await run
        #expect(supervisor.statuses.allSatisfy { $0.state == "stopped" && $0.lastExit == "killed by signal 15" })
        #expect(pids.allSatisfy { kill($0, 0) != 0 })
    }

    @Test func endedWorkerStartsAgain() async throws {
        let metrics = MetricsRegistry()
        let supervisor = supervisor("exit 7", metrics: metrics)
        async let run: Void = supervisor.run()
        // Asked before the stop, which may hit a process before it has ended by itself.
        try await eventually {
            let status = supervisor.statuses[0]
            return status.restarts >= 3 && status.lastExit == "exited 7"
        }
        supervisor.stop()
        try await run
        #expect(metrics.counter(Metric.workerRestarts, "0").value >= 3)
    }

    @Test func killedWorkerStartsAgain() async throws {
        let supervisor = supervisor("exec sleep 60")
        async let run: Void = supervisor.run()
        try await eventually { supervisor.statuses[0].pid != nil }
        let first = try #require(supervisor.statuses[0].pid)
        kill(first, SIGKILL)
        try await eventually { supervisor.statuses[0].pid.map { $0 != first } ?? false }
        #expect(supervisor.statuses[0].lastExit == "killed by signal 9" && supervisor.statuses[0].restarts == 1)
        supervisor.stop()
        try await run
    }

    @Test func workerThatIgnoresTheRequestIsKilled() async throws {
        let output = Output()
        let supervisor = supervisor(
            "trap '' TERM; echo deaf; while :; do read x || sleep 0.05; done", stopBound: .milliseconds(200),
            output: output)
        async let run: Void = supervisor.run()
        try await eventually { output[0] == "deaf\n" }
        supervisor.stop()
        try await run
        #expect(supervisor.statuses[0].lastExit == "killed by signal 9")
    }

    @Test func standardInputStaysOpenUntilTheProcessHasGone() async throws {
        // `read` returns only when the pipe closes: as long as the router holds its end, the worker waits.
        let output = Output()
        let supervisor = supervisor("echo up; read line; echo closed", output: output)
        async let run: Void = supervisor.run()
        try await eventually { output[0] == "up\n" }
        try await Task.sleep(for: .milliseconds(100))
        #expect(output[0] == "up\n" && supervisor.statuses[0].state == "running")
        supervisor.stop()
        try await run
    }

    @Test func linesWrittenWhileStoppingAreRelayed() async throws {
        let output = Output()
        let supervisor = supervisor(
            "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done", output: output)
        async let run: Void = supervisor.run()
        try await eventually { output[0] == "up\n" }
        supervisor.stop()
        try await run
        #expect(output[0] == "up\nbye\n" && supervisor.statuses[0].lastExit == "exited 0")
    }

    @Test func programThatCannotStartIsTriedAgainAndNamed() async throws {
        let supervisor = WorkerSupervisor(
            program: WorkerProgram(executable: "/nonexistent/worker") { _ in [] }, count: 1,
            policy: RestartPolicy(initialDelay: .milliseconds(5), maximumDelay: .milliseconds(5)), logger: quiet,
            metrics: MetricsRegistry())
        async let run: Void = supervisor.run()
        try await eventually { supervisor.statuses[0].restarts >= 2 }
        supervisor.stop()
        try await run
        #expect(supervisor.statuses[0].lastExit?.contains("/nonexistent/worker") == true)
    }

    @Test func cancellationLeavesNoProcessBehind() async throws {
        let supervisor = supervisor("exec sleep 60")
        let run = Task { try await supervisor.run() }
        try await eventually { supervisor.statuses[0].pid != nil }
        let pid = try #require(supervisor.statuses[0].pid)
        run.cancel()
        _ = await run.result
        #expect(kill(pid, 0) != 0)
    }
}
