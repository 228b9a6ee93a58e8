import AsyncHTTPClient
import Foundation
import Hummingbird
import Linking
import Logging
import NIOCore
import ServiceLifecycle
import Shared
import SharedNet

/// One worker process: settings, admin listener, and the service that works, in one group that stops together.
struct WorkerProcess {
    private let settings: WorkerSettings
    private let logger: Logger

    /// Reads the settings and starts logging. Fails with `.configuration` or `.fileMissing`.
    init(flags: WorkerFlags) throws(Failure) {
        settings = try WorkerSettings.resolve(
            flags: flags, environment: ProcessInfo.processInfo.environment, host: .ofThisMachine(),
            readFile: SettingsDisk.read)
        Logs.bootstrap(level: settings.logLevel)
        logger = Logger(label: "worker-\(settings.ordinal)")
    }

    /// Works until SIGTERM, SIGINT, or the end of standard input, which the router that started us holds open.
    func run() async throws {
        guard let router = settings.routers.first else {
            throw Failure(
                .configuration, "router is not set; give a router's peer address, as in --router http://127.0.0.1:9531")
        }
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(5), read: .seconds(40))
        // Whoever calls tries again. The client's own tries would hold a worker up for 5 s after its router is gone,
        // while the next router starts a worker in its place.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let outcome: Result<Void, any Error>
        do {
            try await serve(PeerClient(client: client, router: router))
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        try? await client.shutdown()
        try outcome.get()
    }

    private func serve(_ peer: PeerClient) async throws {
        let registry = MetricsRegistry()
        let bound = OneValue<ListenAddress>()
        let start = WorkerStart(
            settings: settings, peer: peer, metrics: WorkerMetrics(registry), bound: bound, logger: logger)
        let routes = Hummingbird.Router()
        AdminEndpoints(
            readiness: { start.readiness }, status: { start.status }, metrics: { registry.render() }
        ).register(on: routes)
        if settings.isProfiled, let profiler = Gperftools.orWarn(logger) {
            ProfilingEndpoints(profiler).register(on: routes)
        }
        let admin = HTTPListener(
            purpose: "worker", setting: "worker_listen", address: settings.listen, router: routes, logger: logger
        ) { bound.set($0) }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: admin, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: start, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: StandardInputWatch(), successTerminationBehavior: .gracefullyShutdownGroup),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await group.run()
    }

    /// Life-cycle steps are of interest only when something is wrong.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}
