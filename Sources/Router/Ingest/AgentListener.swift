import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Shared
import SharedNet

/// The listener that agents post their spans to: bare SwiftNIO, because every byte of the product comes through here.
///
/// `POST /v1/bpftracing`, `GET /v1/ping`, `POST /v1/lasterror`, `GET /metrics`; HTTP/1.1 with keep-alive, pipelining,
/// chunked bodies and `Expect: 100-continue`.
struct AgentListener: Service {
    let address: ListenAddress
    let group: any EventLoopGroup
    let services: AgentServices
    let logger: Logger
    /// Told the real address (port 0 replaced) once agents can connect.
    var onBound: @Sendable (ListenAddress) async -> Void = { _ in }

    /// Binds. Throws `Failure(.unavailable)` (exit status 69) naming the address and the remedy.
    func bind() async throws -> any Channel {
        let services = services
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 65_536, maximum: 262_144)
            )
            .childChannelInitializer { channel in Self.initialize(channel, services) }
        do {
            let host = address.host.isEmpty ? "0.0.0.0" : address.host
            return try await bootstrap.bind(host: host, port: Int(address.port)).get()
        } catch {
            throw ListenerFailure.of(error, purpose: "agents'", setting: "listen", address: address)
        }
    }

    /// How long the answers that are under way may take when the listener stops.
    static let drainTime = Duration.seconds(5)

    /// Binds and serves until graceful shutdown or cancellation.
    ///
    /// Then no connection is accepted any more, every answer ends its connection, and it returns once no body is held
    /// (at most after `drainTime`). Stop the log's writer after this, not before.
    func run() async throws {
        let channel = try await bind()
        accountLoops()
        let bound = ListenAddress(channel.localAddress) ?? address
        logger.info("listener bound", metadata: ["purpose": "agents", "address": "\(bound)"])
        await onBound(bound)
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                _ = try? await channel.closeFuture.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        } onGracefulShutdown: {
            channel.close(promise: nil)
        }
        await drain()
    }

    private func drain() async {
        services.beginDraining()
        let end = ContinuousClock.now + Self.drainTime
        while services.heldBytes > 0, ContinuousClock.now < end {
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
    }

    /// Shows the CPU time of the event loops as the stage `ingest` (reading, decoding, answering).
    private func accountLoops() {
        for (number, loop) in (group.makeIterator()).enumerated() {
            loop.execute { [services] in services.accountThisThread(stage: "ingest_\(number)") }
        }
    }

    private static func initialize(_ channel: any Channel, _ services: AgentServices) -> EventLoopFuture<Void> {
        guard services.connectionOpened() else {
            return channel.close()
        }
        return channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.configureHTTPServerPipeline(withErrorHandling: true, withOutboundHeaderValidation: false)
            try pipeline.addHandler(AgentConnection(services: services))
        }
    }
}
