import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Shared

/// A Hummingbird server as a service: binds, reports where, serves, and stops gracefully with its group.
///
/// For console, peers and admin; agents have their own listener on bare NIO.
public struct HTTPListener: Service {
    private let serve: @Sendable () async throws -> Void

    /// - Parameters:
    ///   - purpose: what the listener is for, in messages ("console").
    ///   - setting: the setting that names its address, for the remedy ("console").
    ///   - group: where connections are served; the process' own when not given.
    ///   - onBound: told the real address (port 0 replaced) once the listener accepts connections.
    public init<Context: RequestContext & InitializableFromSource<ApplicationRequestContextSource>>(
        purpose: String, setting: String, address: ListenAddress, router: Router<Context>,
        group: (any EventLoopGroup)? = nil, logger: Logger,
        onBound: @escaping @Sendable (ListenAddress) async -> Void = { _ in }
    ) {
        var quiet = logger
        // Hummingbird logs every start and stop at info; ours says it once, with the purpose.
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(
                address: .hostname(address.host.isEmpty ? "0.0.0.0" : address.host, port: Int(address.port)),
                serverName: nil),
            onServerRunning: { channel in
                let bound = ListenAddress(channel.localAddress) ?? address
                logger.info("listener bound", metadata: ["purpose": "\(purpose)", "address": "\(bound)"])
                await onBound(bound)
            },
            eventLoopGroupProvider: group.map { .shared($0) } ?? .singleton,
            logger: quiet)
        serve = {
            do {
                try await application.run()
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                throw ListenerFailure.of(error, purpose: purpose, setting: setting, address: address)
            }
        }
    }

    /// Serves until graceful shutdown or cancellation.
    ///
    /// Throws `Failure(.unavailable)` (exit status 69) naming the address and the remedy when it cannot be bound.
    public func run() async throws { try await serve() }
}
