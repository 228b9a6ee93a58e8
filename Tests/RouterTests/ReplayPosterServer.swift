import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A router that answers as a test says: 127.0.0.1, a free port.
final class ReplayPosterServer: Sendable {
    /// What a request brought.
    struct Request: Sendable {
        var uri: String
        var agent: String?
        var contentType: String?
        var body: [UInt8]
    }

    /// How to answer.
    enum Answer: Sendable {
        case status(Int, headers: [String: String] = [:], body: String = "")
        /// Close the connection without a word.
        case hangUp
    }

    private let channel: any Channel
    private let record: Record

    /// What came in, and the script of answers.
    final class Record: Sendable {
        let requests = Mutex<[Request]>([])
        let script: @Sendable (Int) -> Answer
        init(_ script: @escaping @Sendable (Int) -> Answer) { self.script = script }
    }

    var requests: [Request] { record.requests.withLock { $0 } }
    var address: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    /// - Parameter script: the answer to the request with that number, from 0.
    init(script: @escaping @Sendable (Int) -> Answer) async throws {
        let record = Record(script)
        self.record = record
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(record))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func stop() async throws { try await channel.close().get() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let record: Record
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ record: Record) { self.record = record }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = []
            case .body(let part): body += Array(buffer: part)
            case .end: answer(context)
            }
        }

        private func answer(_ context: ChannelHandlerContext) {
            guard let head else { return }
            let request = Request(
                uri: head.uri, agent: head.headers.first(name: "X-Ebpftrace-Agent"),
                contentType: head.headers.first(name: "Content-Type"), body: body)
            let number = record.requests.withLock { requests in
                requests.append(request)
                return requests.count - 1
            }
            switch record.script(number) {
            case .hangUp: context.close(promise: nil)
            case .status(let status, let headers, let text):
                var fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
                fields.add(name: "Content-Length", value: String(text.utf8.count))
                let answer = HTTPResponseHead(
                    version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: fields)
                context.write(wrapOutboundOut(.head(answer)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
