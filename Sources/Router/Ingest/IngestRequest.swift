import NIOCore

/// One body of spans as an agent posted it, whole.
struct IngestRequest: Sendable {
    /// `Content-Type`, as it came; nil when absent.
    var contentType: String?
    /// `Content-Encoding`, as it came; nil when absent.
    var contentEncoding: String?
    var body: ByteBuffer
    /// IP address of the sender's end of the connection.
    var peerAddress: String
    /// `X-Ebpftrace-Agent`: the agent that `replay` or a proxy speaks for.
    var agent: String?
    /// `X-Forwarded-For`.
    var forwardedFor: String?
}

/// What becomes of a body, and so of the request.
enum IngestAnswer: Sendable, Equatable {
    /// 200 with an empty body: the log has it.
    case accepted
    /// 400: `error_code` and `message` of the answer.
    case refused(code: String, message: String)
    /// 413: over a bound.
    case tooLarge(message: String)
    /// 503 with `Retry-After`: try again.
    case busy(retryAfterSeconds: Int, message: String)
}

/// Takes bodies off the agents' listener.
protocol BodySink: Sendable {
    /// Takes one body, called on `eventLoop`; the future completes there with the answer and never fails.
    ///
    /// `.accepted` may only come once the spans are safe.
    func accept(_ request: IngestRequest, on eventLoop: any EventLoop) -> EventLoopFuture<IngestAnswer>
}
