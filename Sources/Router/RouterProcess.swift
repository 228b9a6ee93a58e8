import AsyncHTTPClient
import Foundation
import Hummingbird
import Linking
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Shared
import SharedNet
import UnixSignals

/// A running router: the core, its listeners and its workers, in one group that stops together.
///
/// Start order is dependency order: peers, console, workers, then agents. Stopping reverses it: agents first, so that
/// what was accepted is still handed on.
struct RouterProcess {
    let core: RouterCore
    let group: any EventLoopGroup
    let supervisor: OneValue<WorkerSupervisor>
    let listeners: BoundListeners
    let logger: Logger
    private let services: [any Service]
    private let started = SystemClocks.monotonicNanoseconds()

    /// What a process does beside merging.
    struct Parts {
        /// Agents' listener and console; a replay has neither.
        var hasListeners = true
        /// Serves profiles on `pprof_listen`; nil: nobody does.
        var profiler: Gperftools?
        /// Where the workers' standard output goes.
        var relay: @Sendable (_ ordinal: Int, _ lines: [UInt8]) -> Void = { StandardOutput.write($1) }
    }

    init(core: RouterCore, group: any EventLoopGroup, parts: Parts = Parts(), logger: Logger) throws {
        self.core = core
        self.group = group
        self.logger = logger
        let listeners = BoundListeners(expected: parts.hasListeners ? ["agents", "console", "peers"] : ["peers"])
        self.listeners = listeners
        let supervisor = OneValue<WorkerSupervisor>()
        self.supervisor = supervisor
        let executable = try WorkerProgram.locate(environment: ProcessInfo.processInfo.environment)
        let peers = Hummingbird.Router()
        PeerEndpoints(core: core).register(on: peers)
        var services: [any Service] = [
            CoreService(core: core),
            HTTPListener(
                purpose: "peers", setting: "peers", address: core.settings.peers, router: peers, group: group,
                logger: logger
            ) { await listeners.bound("peers", $0) },
        ]
        // The console outlives the workers: it takes what they still hold for the store.
        if parts.hasListeners {
            let pages = RouterPages(core: core, supervisor: supervisor, startedNanoseconds: started)
            let history = StatusHistory { pages.moment }
            services.append(history)
            services.append(Self.console(core, group, pages, history, listeners, logger))
        }
        services.append(
            WorkersService(
                core: core, executable: executable, listeners: listeners, supervisor: supervisor, relay: parts.relay,
                logger: logger))
        if parts.hasListeners { services.append(Self.agents(core, group, supervisor, listeners, logger)) }
        if let profiler = parts.profiler, let address = core.settings.pprof {
            let routes = Hummingbird.Router()
            ProfilingEndpoints(profiler).register(on: routes)
            services.append(
                HTTPListener(
                    purpose: "profiles", setting: "pprof_listen", address: address, router: routes, group: group,
                    logger: logger))
        }
        self.services = services
    }

    private static func console(
        _ core: RouterCore, _ group: any EventLoopGroup, _ pages: RouterPages, _ history: StatusHistory,
        _ listeners: BoundListeners, _ logger: Logger
    ) -> HTTPListener {
        let routes = ConsoleFiles.router()
        AdminEndpoints(
            readiness: { pages.readiness }, status: { pages.status }, metrics: { await pages.metricsPage() }
        ).register(on: routes)
        if let store = core.store {
            OTLPEndpoint(
                store: store, graph: core.graph, denyFields: core.settings.denyFields, limits: core.limits
            ).register(on: routes)
        }
        QueryEndpoints(
            store: core.store, limits: core.limits, metrics: core.metrics, readiness: { pages.readiness }
        ).register(on: routes)
        ConsoleFiles().register(on: routes)
        history.register(on: routes)
        GraphEndpoints(recorder: core.graph).register(on: routes)
        return HTTPListener(
            purpose: "console", setting: "console", address: core.settings.console, router: routes, group: group,
            logger: logger
        ) { await listeners.bound("console", $0) }
    }

    private static func agents(
        _ core: RouterCore, _ group: any EventLoopGroup, _ supervisor: OneValue<WorkerSupervisor>,
        _ listeners: BoundListeners, _ logger: Logger
    ) -> AgentListener {
        let pages = RouterPages(core: core, supervisor: supervisor, startedNanoseconds: 0)
        let pipeline = IngestPipeline(
            rules: core.ingestRules, writer: core.logWriter, metrics: core.metrics)
        let services = AgentServices(
            options: AgentListenerOptions(limits: core.limits), sink: pipeline, metrics: core.metrics,
            metricsPage: { await pages.metricsPage() }, version: Product.version,
            hostName: ProcessInfo.processInfo.hostName, logger: logger)
        var agents = AgentListener(address: core.settings.listen, group: group, services: services, logger: logger)
        agents.onBound = { await listeners.bound("agents", $0) }
        return agents
    }

    /// The group of all parts; its `run` returns after a signal, or when a part ended, and throws the `Failure` of a
    /// listener that cannot be bound.
    func serviceGroup(signals: [UnixSignal] = [.sigterm, .sigint]) -> ServiceGroup {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: signals, logger: quiet))
    }
}

/// Keeps log and merge alive as long as the services above need them, and stops them last.
private struct CoreService: Service {
    let core: RouterCore

    func run() async throws {
        try? await gracefulShutdown()
        await core.stop()
    }
}

/// Starts the workers once the listeners that they talk to are bound, and keeps them running.
private struct WorkersService: Service {
    let core: RouterCore
    let executable: String
    let listeners: BoundListeners
    let supervisor: OneValue<WorkerSupervisor>
    let relay: @Sendable (_ ordinal: Int, _ lines: [UInt8]) -> Void
    let logger: Logger

    func run() async throws {
        guard let peers = await listeners.address("peers") else { return }
        let settings = core.settings
        let url = "http://\(peers)"
        var program = WorkerProgram.worker(
            executable: executable, router: url, workers: settings.linking.workers, listen: settings.workerListen)
        let console = core.store == nil ? nil : await listeners.address("console")
        program.environment = settings.workerEnvironment(
            routers: [url], console: console.map { "\($0.reachable)" })
        let workers = WorkerSupervisor(
            program: program, count: settings.linking.workers, logger: logger, metrics: core.metrics, relay: relay)
        supervisor.set(workers)
        try await workers.run()
        // Nobody asks any more: whoever still waits for an answer of the peer listener is let go.
        core.board.close()
    }
}
