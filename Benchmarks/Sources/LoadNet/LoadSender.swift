import LoadModel

/// What became of the bodies that were posted.
public struct SendCounts: Sendable {
    /// Bodies answered with 200, and the spans and bytes in them.
    public var bodies = 0
    public var spans = 0
    public var bytes = 0
    /// Answers 503 that were followed by another attempt (agents would have lost the body).
    public var refusals = 0
    /// Bodies that got another answer, or none, at last.
    public var failures = 0
    /// Longest time from the first byte of a request to its answer, nanoseconds.
    public var slowestAnswer: Int64 = 0
    /// That time of every body, in no order.
    public var answers: [Int64] = []

    public init() {}
}

/// Posts bodies over kept-alive connections, as agents do: one request at a time on each.
public final class LoadSender: @unchecked Sendable {
    private let port: UInt16
    private let queue: BodyQueue
    private let monitor = Monitor()
    private var counts = SendCounts()
    private var threads: [BackgroundThread] = []

    /// Longest time one body is tried again after answers 503.
    private static let retryNanoseconds: Int64 = 30_000_000_000

    /// Starts `connections` threads that post what `queue` holds to 127.0.0.1:`port`.
    public init(port: UInt16, connections: Int, queue: BodyQueue) {
        self.port = port
        self.queue = queue
        threads = (0..<connections).map { _ in BackgroundThread { [self] in run() } }
    }

    /// Waits until the queue is closed and every body is answered. Call once.
    public func finish() -> SendCounts {
        for thread in threads { thread.join() }
        threads = []
        return monitor.locked { counts }
    }

    /// What was sent so far.
    public func soFar() -> SendCounts { monitor.locked { counts } }

    private func run() {
        var connection = KeptConnection(port: port)
        while let body = queue.take() {
            let begin = monotonicNanoseconds()
            var status = connection.post(body.head, body.body)
            var refusals = 0
            while status == 503 || status == nil, monotonicNanoseconds() - begin < Self.retryNanoseconds {
                refusals += 1
                sleepNanoseconds(50_000_000)
                status = connection.post(body.head, body.body)
            }
            let took = monotonicNanoseconds() - begin
            count(body, status: status, refusals: refusals, took: took)
            queue.release(body)
        }
    }

    private func count(_ body: BodyBuffer, status: Int?, refusals: Int, took: Int64) {
        monitor.locked {
            counts.refusals += refusals
            counts.slowestAnswer = max(counts.slowestAnswer, took)
            counts.answers.append(took)
            guard status == 200 else {
                counts.failures += 1
                return
            }
            counts.bodies += 1
            counts.spans += body.points
            counts.bytes += body.count
        }
    }
}

extension BodyBuffer {
    /// The head of the request for it.
    fileprivate var head: String {
        """
        POST /v1/bpftracing?input=dketrace HTTP/1.1\r
        Host: 127.0.0.1\r
        Content-Type: application/protobuf; proto=com.guance.Point\r
        X-Ebpftrace-Agent: \(LoadGenerator.agentName(node))\r
        Content-Length: \(count)\r
        \r

        """
    }
}
