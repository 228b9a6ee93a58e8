import NIOCore
import NIOHTTP1

extension AgentConnection {
    /// Answers a request whose end has come.
    func answer(_ answer: AgentAnswer, _ context: ChannelHandlerContext) {
        releaseBody()
        guard state == .answering else { return }
        let stays = keepAlive && !inputClosed && !services.isDraining
        state = stays ? .awaitingHead : .closed
        deadline = .now() + services.options.idleTime
        write(answer, keepAlive: stays, context)
        if !stays { closeAfterWriting(context) }
    }

    /// Answers a request before its end has come. What is left of it is thrown away for a moment, so that the sender
    /// reads the answer before it learns, by a reset, that the connection is gone.
    func refuse(_ answer: AgentAnswer, _ context: ChannelHandlerContext) {
        releaseBody()
        state = .discarding
        deadline = .now() + services.options.lingerTime
        scheduleTimer(context)
        write(answer, keepAlive: false, context)
    }

    func releaseBody() {
        body = ByteBuffer()
        services.release(held)
        held = 0
    }

    private func write(_ answer: AgentAnswer, keepAlive: Bool, _ context: ChannelHandlerContext) {
        services.count(route, answer.status)
        let head = answer.head(version: version, keepAlive: keepAlive)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body = answer.body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func closeAfterWriting(_ context: ChannelHandlerContext) {
        state = .closed
        // The answer is a few hundred bytes and already with the kernel, or the socket is full and the sender gone.
        context.close(promise: nil)
    }

    /// Has the deadline looked at when it will have come.
    func scheduleTimer(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.timerFired(context)
        }
    }

    private func timerFired(_ context: ChannelHandlerContext) {
        guard timer != nil, context.channel.isActive else { return }
        if NIODeadline.now() >= deadline {
            if state != .discarding { services.connectionTooSlow() }
            context.close(promise: nil)
        } else if deadline == .distantFuture {
            // An answer is under way; the sink bounds it. Look again later.
            timer = context.eventLoop.assumeIsolated().scheduleTask(in: services.options.bodyTime) { [weak self] in
                self?.timerFired(context)
            }
        } else {
            scheduleTimer(context)
        }
    }
}
