import NIOCore
import NIOHTTP1
import Shared

/// One connection of an agent: gathers a body, has it taken, answers; then the next.
///
/// ```
///              head                     end                answer
/// awaitingHead ─────▶ receiving ─────────────▶ answering ─────────▶ awaitingHead, or closing
///                        │ refused before the end (413, 503)           ▲
///                        └─────▶ discarding ── end, or linger time ────┘ closing
/// ```
/// NIO's pipeline handler stands before this one: a pipelined request comes only after the answer to the one before,
/// and nothing is read from the socket in between. Runs on its event loop only.
final class AgentConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    enum State {
        case awaitingHead, receiving, discarding, answering, closed
    }

    let services: AgentServices
    var state = State.awaitingHead
    var route = AgentRoute.unknown
    var headers = AgentHeaders([:])
    var version = HTTPVersion.http1_1
    var keepAlive = true
    var inputClosed = false
    var peerAddress = ""
    /// What came of the body; one buffer, or simply the one piece when there is only one.
    var body = ByteBuffer()
    /// Most bytes of this request's body.
    var bodyLimit = 0
    /// Bytes held in `services` for the body.
    var held = 0
    /// When the connection is closed unless something happens. Moved on each change of state; the timer looks at it
    /// when it fires, so that moving it costs no rescheduling.
    var deadline = NIODeadline.distantFuture
    var timer: Scheduled<Void>?

    init(services: AgentServices) { self.services = services }

    func channelActive(context: ChannelHandlerContext) {
        peerAddress = context.remoteAddress?.ipAddress ?? ""
        deadline = .now() + services.options.firstHeadTime
        scheduleTimer(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        if state != .answering { releaseBody() }
        state = .closed
        services.connectionClosed()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .awaitingHead): start(head, context)
        case (.body(let piece), .receiving): take(piece, context)
        case (.end, .receiving): finish(context)
        case (.end, .discarding): context.close(promise: nil)
        case (_, _): break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            inputClosed = true
            // While an answer is under way the sender still waits for it: it closed only its own direction.
            if state != .answering { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        services.log.log(.debug, "agent connection failed", metadata: ["peer": "\(peerAddress)", "error": "\(error)"])
        context.close(promise: nil)
    }

    private func start(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        route = AgentRoute(uri: head.uri)
        headers = AgentHeaders(head.headers)
        version = head.version
        keepAlive = head.isKeepAlive
        state = .receiving
        deadline = .now() + services.options.bodyTime
        guard let method = route.method else { return startWithoutBody(context) }
        guard head.method == method else { return startWithoutBody(context) }
        bodyLimit = route == .spans ? services.options.bodyBytes : services.options.errorReportBytes
        if let length = headers.contentLength, length > bodyLimit || length < 0 {
            return refuse(.tooLarge("the body has \(length) bytes, the limit is \(bodyLimit)"), context)
        }
        if headers.expectsContinue { sendContinue(context) }
    }

    /// A request that gets an error whatever its body says: the body is read, up to a little, and thrown away.
    private func startWithoutBody(_ context: ChannelHandlerContext) {
        let answer = route == .unknown ? AgentAnswer.routeNotFound : .methodNotAllowed(route)
        refuse(answer, context)
    }

    private func sendContinue(_ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    private func take(_ piece: ByteBuffer, _ context: ChannelHandlerContext) {
        var piece = piece
        guard piece.readableBytes <= bodyLimit - body.readableBytes else {
            return refuse(.tooLarge("the body has more than \(bodyLimit) bytes"), context)
        }
        guard services.hold(piece.readableBytes) else {
            return refuse(.busy(retryAfterSeconds: 1, "too many bodies wait for the log; try again"), context)
        }
        held += piece.readableBytes
        if body.readableBytes == 0 {
            guard let length = headers.contentLength, length > piece.readableBytes else {
                body = piece
                return
            }
            // Not the whole of a large length at once: the sender has to send before it makes us allocate.
            body = context.channel.allocator.buffer(capacity: min(length, Self.reservedAtOnce))
        }
        body.writeBuffer(&piece)
    }

    static let reservedAtOnce = 1 << 20

    private func finish(_ context: ChannelHandlerContext) {
        state = .answering
        deadline = .distantFuture
        switch route {
        case .spans: passToSink(context)
        case .ping: answer(services.ping, context)
        case .lastError: answer(services.errorReport(body, from: peerAddress), context)
        case .metrics: answerWithMetrics(context)
        case .unknown: answer(.routeNotFound, context)
        }
    }

    private func passToSink(_ context: ChannelHandlerContext) {
        let request = IngestRequest(
            contentType: headers.contentType, contentEncoding: headers.contentEncoding, body: body,
            peerAddress: peerAddress, agent: headers.agent, forwardedFor: headers.forwardedFor)
        body = ByteBuffer()
        let eventLoop = context.eventLoop
        let answered = services.sink.accept(request, on: eventLoop)
        answered.hop(to: eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let answer): self.answer(AgentAnswer(answer), context)
            case .failure(let error):
                self.services.log.log(.error, "taking a body failed", metadata: ["error": "\(error)"])
                self.answer(.busy(retryAfterSeconds: 1, "the body could not be taken; try again"), context)
            }
        }
    }

    private func answerWithMetrics(_ context: ChannelHandlerContext) {
        let page = services.metricsPage
        let made = context.eventLoop.makeFutureWithTask { await page() }
        made.assumeIsolated().whenComplete { result in
            guard case .success(let text) = result else { return self.answer(.routeNotFound, context) }
            let body = ByteBuffer(string: text)
            self.answer(
                AgentAnswer(status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: body), context)
        }
    }
}
