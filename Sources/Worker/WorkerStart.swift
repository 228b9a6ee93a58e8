import Foundation
import Linking
import Logging
import ServiceLifecycle
import Shared
import SharedNet
import Synchronization

/// The way from a fresh process to a working one: bind, greet the router until it answers, make the targets, work.
final class WorkerStart: Service, Sendable {
    /// What `/status` shows.
    struct Status: Codable, Sendable {
        var ordinal: UInt16
        var state: String
        var partitions: [UInt16]
        var pendingSpans: Int
    }

    private struct State {
        var welcome: WorkerWelcome?
        var reporter: WorkerReporter?
    }

    private let settings: WorkerSettings
    private let peer: PeerClient
    private let metrics: WorkerMetrics
    private let bound: OneValue<ListenAddress>
    private let logger: Logger
    private let state = Mutex(State())

    init(
        settings: WorkerSettings, peer: PeerClient, metrics: WorkerMetrics, bound: OneValue<ListenAddress>,
        logger: Logger
    ) {
        self.settings = settings
        self.peer = peer
        self.metrics = metrics
        self.bound = bound
        self.logger = logger
    }

    var readiness: Readiness {
        state.withLock { $0.welcome == nil ? Readiness(reasons: ["the router has not answered yet"]) : .ready }
    }

    var status: Status {
        let (welcome, reporter) = state.withLock { ($0.welcome, $0.reporter) }
        return Status(
            ordinal: settings.ordinal.number, state: welcome == nil ? "waiting for the router" : "running",
            partitions: welcome.map { [$0.firstPartition, $0.endPartition] } ?? [],
            pendingSpans: reporter?.pendingRows ?? 0)
    }

    func run() async throws {
        guard let address = await bound.value() else { return }
        guard let welcome = try await greet(address) else { return }
        let lock = try await WorkerLock().take(
            settings.ordinal, in: .reading(welcome.dataDirectory), processID: getpid(), logger: logger)
        defer { lock.release() }
        let reporter = WorkerReporter(
            ordinal: settings.ordinal.number, pid: getpid(), welcome: welcome)
        state.withLock { $0 = State(welcome: welcome, reporter: reporter) }
        metrics.owns(welcome.firstPartition..<welcome.endPartition)
        let fanOut = ExportFanOut(
            targets: try targets(welcome, reporter),
            encoder: TimedEncoder(base: SplicingEncoder(rules: try exportRules), metrics: metrics))
        try await WorkerService(
            peer: peer, welcome: welcome, limits: settings.limits, fanOut: fanOut, reporter: reporter,
            metrics: metrics, logger: logger
        ).run()
    }

    /// Greets the router until it answers; nil when the process is to stop.
    private func greet(_ address: ListenAddress) async throws -> WorkerWelcome? {
        let hello = WorkerHello(
            ordinal: settings.ordinal.number, workers: settings.linking.workers, pid: getpid(), admin: "\(address)")
        let failures = RateLimitedLog(logger)
        while !Task.isShuttingDownGracefully && !Task.isCancelled {
            do {
                return try await peer.hello(hello)
            } catch {
                failures.log(.warning, "the router does not answer", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        return nil
    }

    private var exportRules: ExportRules {
        get throws(Failure) {
            try ExportRules(
                compat: settings.linking.compatibility == .datakit,
                idEncoding: settings.linking.idEncoding == .datakit ? .datakit : .auto,
                useApplicationTraceID: settings.linking.useApplicationTraceID,
                globalTags: settings.output.globalTags.map { ($0.name, $0.value) })
        }
    }

    private func targets(_ welcome: WorkerWelcome, _ reporter: WorkerReporter) throws -> [any ExportTarget] {
        var factory = ExportTargetFactory(
            worker: settings.ordinal, log: welcome.logIdentity, ledger: { reporter.ended($0) },
            observer: RegistryExportObserver(registry: metrics.registry), acknowledge: { _, _ in }, logger: logger)
        factory.limits = settings.limits
        if welcome.isReplay {
            factory.filePolicy = .replay
            factory.isDurable = false
            factory.limits.targetQueueBytes = min(settings.limits.targetQueueBytes, settings.limits.replayQueueBytes)
        }
        var targets = try factory.targets(from: settings.output.targets)
        if let url = settings.storeTarget { targets.append(try factory.storeTarget(url: url)) }
        return targets
    }
}
