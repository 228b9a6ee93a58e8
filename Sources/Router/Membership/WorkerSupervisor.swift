import Logging
import ServiceLifecycle
import Shared
import Subprocess
import Synchronization
import SystemPackage

/// Starts the worker processes, starts them again when they end, and stops them with the router.
///
/// A worker's standard input is a pipe whose other end only the router holds: when the router goes, however it goes,
/// the pipe closes and the worker stops. Its standard output is relayed in whole lines, its standard error is the
/// router's.
final class WorkerSupervisor: Service, Sendable {
    private struct Worker {
        var cycle: WorkerLifeCycle
        /// Sends a signal to the process; nil while none runs.
        var signal: (@Sendable (Signal) -> Void)?
        var sleeper: Task<Void, Never>?
    }

    private let program: WorkerProgram
    private let stopBound: Duration
    private let logger: Logger
    private let now: @Sendable () -> Int
    private let relay: @Sendable (_ ordinal: Int, _ lines: [UInt8]) -> Void
    private let workers: Mutex<[Worker]>
    private let restartCounters: [Counter]

    /// - Parameters:
    ///   - stopBound: how long a worker may take to stop after SIGTERM, before SIGKILL.
    ///   - relay: gets whole lines of a worker's standard output; called from many tasks.
    ///   - now: nanoseconds on a clock that never goes back.
    init(
        program: WorkerProgram, count: Int, policy: RestartPolicy = RestartPolicy(), stopBound: Duration = .seconds(20),
        logger: Logger, metrics: MetricsRegistry,
        now: @escaping @Sendable () -> Int = { SystemClocks.monotonicNanoseconds() },
        relay: @escaping @Sendable (_ ordinal: Int, _ lines: [UInt8]) -> Void = { StandardOutput.write($1) }
    ) {
        self.program = program
        self.stopBound = stopBound
        self.logger = logger
        self.now = now
        self.relay = relay
        workers = Mutex(
            (0..<max(0, count)).map { _ in Worker(cycle: WorkerLifeCycle(policy: policy)) })
        restartCounters = (0..<max(0, count)).map { metrics.counter(Metric.workerRestarts, String($0)) }
        metrics.onScrape(Metric.workersRunning) { [weak self] emit in
            emit([], Double(self?.statuses.count { $0.state == "running" } ?? 0))
        }
    }

    /// What each worker does at this moment, in the order of the ordinals.
    var statuses: [WorkerStatus] {
        let now = now()
        return workers.withLock { workers in
            workers.enumerated().map { WorkerStatus(ordinal: $0.offset, $0.element.cycle, now: now) }
        }
    }

    /// Runs the workers until `stop()`, graceful shutdown or cancellation; returns when every process has ended.
    func run() async throws {
        let count = workers.withLock { $0.count }
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                for ordinal in 0..<count { group.addTask { await self.supervise(ordinal) } }
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Asks every worker to stop (SIGTERM), and kills those that have not within the bound. `run()` then returns.
    func stop() {
        let count = workers.withLock { $0.count }
        for ordinal in 0..<count {
            let action = update(ordinal) { $0.stop() }
            switch action {
            case .terminate: terminate(ordinal)
            case .wake: workers.withLock { $0[ordinal].sleeper?.cancel() }
            case .none, .launch, .wait: break
            }
        }
    }

    private func supervise(_ ordinal: Int) async {
        var action = update(ordinal) { $0.begin() }
        while true {
            switch action {
            case .launch:
                let reason = await launch(ordinal)
                if Task.isCancelled { _ = update(ordinal) { $0.stop() } }
                action = update(ordinal) { $0.ended(reason, at: now()) }
                // An end that was asked for is no news.
                logger.log(
                    level: action == .none ? .info : .warning, "worker ended",
                    metadata: ["ordinal": "\(ordinal)", "reason": "\(reason)", "next": "\(action)"])
            case .wait(let delay):
                await sleep(ordinal, delay)
                action = update(ordinal) { $0.waited() }
                if action == .launch { restartCounters[ordinal].add() }
            case .none, .wake, .terminate:
                return
            }
        }
    }

    private func update(_ ordinal: Int, _ change: (inout WorkerLifeCycle) -> WorkerLifeCycle.Action)
        -> WorkerLifeCycle.Action
    {
        workers.withLock { change(&$0[ordinal].cycle) }
    }

    private func sleep(_ ordinal: Int, _ delay: Duration) async {
        let sleeper = Task { _ = try? await Task.sleep(for: delay) }
        let stopped = workers.withLock { workers in
            workers[ordinal].sleeper = sleeper
            return workers[ordinal].cycle.state == .stopped
        }
        if stopped { sleeper.cancel() }
        await withTaskCancellationHandler {
            await sleeper.value
        } onCancel: {
            sleeper.cancel()
        }
        if Task.isCancelled { _ = update(ordinal) { $0.stop() } }
    }

    private func terminate(_ ordinal: Int) {
        guard let signal = workers.withLock({ $0[ordinal].signal }) else { return }
        signal(.terminate)
        Task { [stopBound, logger] in
            try? await Task.sleep(for: stopBound)
            guard let signal = self.workers.withLock({ $0[ordinal].signal }) else { return }
            logger.error("worker did not stop and is killed", metadata: ["ordinal": "\(ordinal)"])
            signal(.kill)
        }
    }
}

extension WorkerSupervisor {
    /// The router's environment with the worker's settings over it. The settings file is the router's alone.
    private var environment: Environment {
        var updates: [Environment.Key: String?] = [:]
        for (name, value) in program.environment { updates[Environment.Key(stringLiteral: name)] = value }
        if !program.environment.isEmpty { updates["EBPFTRACE_CONFIG"] = .some(nil) }
        return .inherit.updating(updates)
    }

    /// Starts one process and returns, when it has ended, why.
    private func launch(_ ordinal: Int) async -> String {
        do {
            let (read, write) = try LifePipe.make()
            defer { try? write.close() }
            var options = PlatformOptions()
            options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: stopBound)]
            let result = try await Subprocess.run(
                .path(FilePath(program.executable)), arguments: Arguments(program.arguments(ordinal)),
                environment: environment,
                platformOptions: options, input: .fileDescriptor(read, closeAfterSpawningProcess: true),
                output: .sequence, error: .currentStandardError
            ) { execution in
                self.attach(ordinal, pid: execution.processIdentifier.value) { try? execution.send(signal: $0) }
                defer { self.detach(ordinal) }
                var lines = LineRelay()
                for try await piece in execution.standardOutput {
                    let whole = piece.withUnsafeBytes { lines.take($0) }
                    if !whole.isEmpty { self.relay(ordinal, whole) }
                }
                let rest = lines.finish()
                if !rest.isEmpty { self.relay(ordinal, rest) }
            }
            return Self.sentence(result.terminationStatus)
        } catch {
            return "could not run \(program.executable): \(error)"
        }
    }

    private func attach(_ ordinal: Int, pid: Int32, signal: @escaping @Sendable (Signal) -> Void) {
        let action = workers.withLock { workers in
            workers[ordinal].signal = signal
            return workers[ordinal].cycle.started(pid: pid, at: now())
        }
        logger.info("worker started", metadata: ["ordinal": "\(ordinal)", "pid": "\(pid)"])
        if action == .terminate { terminate(ordinal) }
    }

    private func detach(_ ordinal: Int) { workers.withLock { $0[ordinal].signal = nil } }

    private static func sentence(_ status: TerminationStatus) -> String {
        switch status {
        case .exited(let code): "exited \(code)"
        case .signaled(let signal): "killed by signal \(signal)"
        }
    }
}
