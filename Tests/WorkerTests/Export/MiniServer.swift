import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on 127.0.0.1 that does to each request what the test says, and keeps the bodies it said 2xx to.
final class MiniServer: Sendable {
    enum Behaviour: Sendable {
        case answer(Int, [(String, String)] = [], String = "")
        /// Reads the request and never answers.
        case hang
        /// Closes the connection in place of an answer.
        case close
    }

    struct Request: Sendable {
        var uri: String
        var headers: HTTPHeaders
        var body: [UInt8]
        var isTaken: Bool
    }

    private struct State {
        var count = 0
        var requests: [Request] = []
        var channel: (any Channel)?
        var children: [any Channel] = []
        var underWay = 0
        var underWayMax = 0
    }

    private let state = Mutex(State())
    private let behaviour: @Sendable (Int, Request) -> Behaviour

    /// - Parameter behaviour: what to do with the n-th request, from 0.
    convenience init(_ behaviour: @escaping @Sendable (Int) -> Behaviour) {
        self.init(each: { number, _ in behaviour(number) })
    }

    /// - Parameter behaviour: what to do with a request, by what it asks.
    static func handling(_ behaviour: @escaping @Sendable (Request) -> Behaviour) -> MiniServer {
        MiniServer(each: { _, request in behaviour(request) })
    }

    private init(each behaviour: @escaping @Sendable (Int, Request) -> Behaviour) { self.behaviour = behaviour }

    var requests: [Request] { state.withLock { $0.requests } }
    var taken: [Request] { requests.filter(\.isTaken) }
    var underWayMax: Int { state.withLock { $0.underWayMax } }

    func start(port: Int = 0) async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] child in
                child.eventLoop.makeCompletedFuture {
                    state.withLock { $0.children.append(child) }
                    try child.pipeline.syncOperations.configureHTTPServerPipeline()
                    try child.pipeline.syncOperations.addHandler(Handler(server: self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLock { $0.channel = channel }
        return channel.localAddress?.port ?? 0
    }

    /// Stops listening and breaks every connection.
    func die() async {
        let (channel, children) = state.withLock { state in
            defer { (state.channel, state.children) = (nil, []) }
            return (state.channel, state.children)
        }
        try? await channel?.close()
        for child in children { try? await child.close() }
    }

    private func begin(_ request: Request) -> Behaviour {
        let number = state.withLock { state in
            defer { state.count += 1 }
            state.underWay += 1
            state.underWayMax = max(state.underWayMax, state.underWay)
            return state.count
        }
        return behaviour(number, request)
    }

    private func end(_ request: Request) {
        state.withLock { state in
            state.underWay -= 1
            state.requests.append(request)
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let server: MiniServer
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(server: MiniServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, [])
            case .body(let piece): body.append(contentsOf: piece.readableBytesView)
            case .end: answer(context)
            }
        }

        private func answer(_ context: ChannelHandlerContext) {
            guard let head else { return }
            var request = Request(uri: head.uri, headers: head.headers, body: body, isTaken: false)
            switch server.begin(request) {
            case .answer(let status, let headers, let text):
                request.isTaken = (200..<300).contains(status)
                server.end(request)
                var fields = HTTPHeaders(headers)
                fields.add(name: "Content-Length", value: String(text.utf8.count))
                let response = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: fields)
                context.write(wrapOutboundOut(.head(response)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .hang: server.end(request)
            case .close:
                server.end(request)
                context.close(promise: nil)
            }
        }
    }
}
