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
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 65_536, maximum: 262_144))
            .childChannelInitializer { channel in Self.initialize(channel, services) }
        do {
            let host = address.host.isEmpty ? "0.0.0.0" : address.host
            return try await bootstrap.bind(host: host, port: Int(address.port)).get()
        } catch {
            throw ListenerFailure.of(error, purpose: "agents'", setting: "listen", address: address)
        }
    }

    /// Binds and serves until graceful shutdown or cancellation. Open connections then close with their answers.
    func run() async throws {
        let channel = try await bind()
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
