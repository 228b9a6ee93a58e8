import LoadModel

/// Posts made-up traces to an OTLP receiver over several connections, each request until it is answered with 200.
public final class StoreFiller: @unchecked Sendable {
    /// What was sent.
    public struct Counts: Sendable {
        public var spans = 0
        public var bytes = 0
        /// Requests that were answered with 503 and came again.
        public var refusals = 0
        /// Requests that got another answer, or none for 60 s.
        public var failures = 0

        public init() {}
    }

    private let monitor = Monitor()
    private let traces: ShopTraces
    private let count: Int
    private var next = 0
    private var counts = Counts()

    /// Traces of one request: about a thousand spans.
    private static let tracesPerRequest = 84

    public init(_ traces: ShopTraces, count: Int) {
        self.traces = traces
        self.count = count
    }

    /// Posts all of them to `/v1/traces`; returns when every request is answered.
    public func run(port: UInt16, connections: Int) -> Counts {
        let threads = (0..<connections).map { _ in BackgroundThread { [self] in post(to: port) } }
        for thread in threads { thread.join() }
        return monitor.locked { counts }
    }

    private func post(to port: UInt16) {
        var connection = KeptConnection(port: port)
        while let range = take() {
            let body = traces.request(range)
            let head = "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"
                + "Content-Length: \(body.count)\r\n\r\n"
            let begin = monotonicNanoseconds()
            var status = body.withUnsafeBytes { connection.post(head, $0) }
            var refusals = 0
            while status == 503, monotonicNanoseconds() - begin < 60_000_000_000 {
                refusals += 1
                sleepNanoseconds(200_000_000)
                status = body.withUnsafeBytes { connection.post(head, $0) }
            }
            monitor.locked {
                counts.refusals += refusals
                guard status == 200 else {
                    counts.failures += 1
                    return
                }
                counts.spans += range.count * ShopTraces.spansPerTrace
                counts.bytes += body.count
            }
        }
    }

    private func take() -> Range<Int>? {
        monitor.locked {
            guard next < count else { return nil }
            let range = next..<min(count, next + Self.tracesPerRequest)
            next = range.upperBound
            return range
        }
    }
}
