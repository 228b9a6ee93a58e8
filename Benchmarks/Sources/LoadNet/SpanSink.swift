import LoadModel

/// What came in at the sink.
public struct SinkCounts: Sendable {
    public var requests = 0
    public var spans = 0
    public var bytes = 0
    /// Bodies that could not be read.
    public var unreadable = 0

    public init() {}
}

/// What a sink plays.
public enum SinkForm: String, Sendable {
    /// DataKit points: `PBPoints` bodies, each answered with 200.
    case dataway
    /// An OTLP receiver at `/v1/traces`: protobuf over HTTP, answered as its specification says.
    case otlp
}

/// Plays a backend on 127.0.0.1: answers every post, and keeps 32 bytes of each span for the check.
public final class SpanSink: @unchecked Sendable {
    public let form: SinkForm
    private let listener: LoopbackListener
    private let monitor = Monitor()
    private var counts = SinkCounts()
    private var chunks: [[ExportedSpan]] = []
    private var thread: BackgroundThread?

    public var port: UInt16 { listener.port }

    /// Starts to listen; nil when the system gives no socket.
    public init?(_ form: SinkForm) {
        guard let listener = LoopbackListener() else { return nil }
        self.form = form
        self.listener = listener
        thread = BackgroundThread { [self] in
            while let connection = listener.accept() {
                BackgroundThread { self.serve(connection) }.detach()
            }
        }
    }

    /// Takes no further connections; those that are open end with their peers.
    public func stop() {
        listener.stop()
        thread?.join()
        thread = nil
    }

    public func soFar() -> SinkCounts { monitor.locked { counts } }

    /// All spans received so far.
    func received() -> [[ExportedSpan]] { monitor.locked { chunks } }

    private func serve(_ connection: LoopbackSocket) {
        var reader = MessageReader(socket: connection)
        var body: [UInt8] = []
        while let head = reader.head(), reader.body(of: head, into: &body) {
            let answer = answer(head, body)
            guard connection.send(answer), !head.closes else { return }
        }
    }

    private func answer(_ head: MessageHead, _ body: [UInt8]) -> String {
        switch form {
        case .dataway:
            take(body, isGzip: head.value("content-encoding") == "gzip")
            return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        case .otlp: return OTLPAnswer.text(status(ofOTLP: head, body))
        }
    }

    /// A request that the specification refuses counts as unreadable: the product must not send one.
    private func status(ofOTLP head: MessageHead, _ body: [UInt8]) -> Int {
        let encoding = head.value("content-encoding") ?? "identity"
        let isPath = head.firstLine.hasPrefix("post /v1/traces ")
        let isForm = head.value("content-type") == "application/x-protobuf" && ["identity", "gzip"].contains(encoding)
        if isPath, isForm { return take(body, isGzip: encoding == "gzip") ? 200 : 400 }
        monitor.locked { counts.unreadable += 1 }
        return isPath ? 415 : 404
    }

    @discardableResult
    private func take(_ body: [UInt8], isGzip: Bool) -> Bool {
        var spans: [ExportedSpan] = []
        let plain = isGzip ? inflated(body) : body
        let isReadable = plain?.withUnsafeBytes { bytes in read(bytes) { spans.append($0) } } ?? false
        monitor.locked {
            counts.requests += 1
            counts.bytes += body.count
            counts.spans += spans.count
            if !isReadable { counts.unreadable += 1 }
            chunks.append(spans)
        }
        return isReadable
    }

    private func read(_ bytes: UnsafeRawBufferPointer, _ take: (ExportedSpan) -> Void) -> Bool {
        switch form {
        case .dataway:
            var reader = PointReader(bytes)
            return reader.forEach(take)
        case .otlp:
            var reader = OTLPReader(bytes)
            return reader.forEach(take)
        }
    }
}

/// The answers of an OTLP receiver: an empty `ExportTraceServiceResponse`, or a `google.rpc.Status` with its message.
private enum OTLPAnswer {
    static func text(_ status: Int) -> String {
        // 12 LEN message; the code is left out, as the specification allows.
        let body = status == 200 ? "" : "\u{12}\u{0E}not acceptable"
        let name = [200: "OK", 400: "Bad Request", 404: "Not Found", 415: "Unsupported Media Type"][status] ?? ""
        return "HTTP/1.1 \(status) \(name)\r\nContent-Type: application/x-protobuf\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
    }
}
