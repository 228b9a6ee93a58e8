import Linking
import NIOCore
import NIOPosix
import Shared

/// The way of a body into the log: decoded on the event loop it came by, then handed to the log's thread.
///
/// A body that cannot be read is refused whole and touches no other; one without a point to store is accepted as it
/// is. Decoding costs about 0.25 µs a span, so it needs no thread of its own.
final class IngestPipeline: BodySink {
    /// What decoding needs and no two threads may share: one per event loop.
    private final class LoopDecoder {
        let decoder: BodyDecoder
        /// Rows of the last body: what the next one's array is made for.
        var expectedRows = 256

        init(_ rules: IngestRules) { decoder = BodyDecoder(rules: rules) }
    }

    /// A body as the log takes it, and what happened to the points that it does not hold.
    private struct Decoded {
        var body: CommitBody
        var batch: FactsBatch
    }

    private let rules: IngestRules
    private let writer: LogWriterThread
    private let counters: IngestCounters
    private let wall: @Sendable () -> Int
    /// Each thread sees only its own value, so nothing in it is shared.
    private nonisolated(unsafe) let decoders = ThreadSpecificVariable<LoopDecoder>()

    /// - Parameter wall: nanoseconds since 1970, for points that bring no time.
    init(
        rules: IngestRules, writer: LogWriterThread, metrics: MetricsRegistry,
        wall: @escaping @Sendable () -> Int = { SystemClocks.wallNanoseconds() }
    ) {
        self.rules = rules
        self.writer = writer
        self.wall = wall
        counters = IngestCounters(metrics)
    }

    func accept(_ request: IngestRequest, on eventLoop: any EventLoop) -> EventLoopFuture<IngestAnswer> {
        let decoded: Decoded
        do {
            decoded = try decode(request)
        } catch {
            counters.refused(error)
            let answer: IngestAnswer =
                error.kind.status == 413
                ? .tooLarge(message: error.message) : .refused(code: error.errorCode, message: error.message)
            return eventLoop.makeSucceededFuture(answer)
        }
        guard !decoded.body.rows.isEmpty else {
            counters.accepted(decoded.batch, bytes: request.body.readableBytes)
            return eventLoop.makeSucceededFuture(.accepted)
        }
        let counters = counters
        let bytes = request.body.readableBytes
        let batch = decoded.batch
        return writer.submit(decoded.body, on: eventLoop).map { answer in
            if answer == .accepted { counters.accepted(batch, bytes: bytes) } else { counters.busy.add() }
            return answer
        }
    }

    private func decode(_ request: IngestRequest) throws(BodyError) -> Decoded {
        let loop = decoder
        let scope = AgentScope.of(request, source: rules.scopeSource)
        var batch = FactsBatch()
        batch.rows.reserveCapacity(loop.expectedRows)
        let received = request.body.payloadBytes
        let payload = try received.withUnsafeBytes { (bytes) throws(BodyError) in
            let decoded = try loop.decoder.decode(
                contentType: request.contentType, contentEncoding: request.contentEncoding, body: bytes, scope: scope,
                now: Int64(wall()), into: &batch)
            return switch decoded {
            case .asReceived: received
            case .rewritten(let bytes): PayloadBytes(bytes)
            }
        }
        let rows = batch.rows
        // The rows go with the body; what is left of the batch are the counts.
        batch.rows = []
        loop.expectedRows = min(max(rows.count, 16), 4_096)
        return Decoded(body: CommitBody(payload: payload, rows: rows), batch: batch)
    }

    private var decoder: LoopDecoder {
        if let decoder = decoders.currentValue { return decoder }
        let decoder = LoopDecoder(rules)
        decoders.currentValue = decoder
        return decoder
    }
}

extension ByteBuffer {
    /// The readable bytes, kept alive without a copy; whoever else holds the buffer copies before changing it.
    var payloadBytes: PayloadBytes {
        withUnsafeReadableBytesWithStorageManagement { bytes, storage in
            PayloadBytes(bytes, owner: storage.takeUnretainedValue())
        }
    }
}

/// The handles of the pipeline's metrics, fetched once.
struct IngestCounters: Sendable {
    let busy: Counter
    private let accepted: Counter
    private let bytes: Counter
    private let refused: Counter
    private let tooLarge: Counter
    private let registry: MetricsRegistry

    init(_ metrics: MetricsRegistry) {
        registry = metrics
        busy = metrics.counter(Metric.bodies, "busy")
        accepted = metrics.counter(Metric.bodies, "accepted")
        refused = metrics.counter(Metric.bodies, "refused")
        tooLarge = metrics.counter(Metric.bodies, "too_large")
        bytes = metrics.counter(Metric.bodyBytes)
    }

    func refused(_ error: BodyError) { error.kind.status == 413 ? tooLarge.add() : refused.add() }

    /// Counts a body that was answered with 200. Points that were not taken are rare: looking their handles up is fine.
    func accepted(_ batch: FactsBatch, bytes count: Int) {
        accepted.add()
        bytes.add(count)
        for (reason, count) in batch.passedThrough.entries {
            registry.counter(Metric.spansPassedThrough, reason.rawValue).add(count)
        }
        for (reason, count) in batch.dropped.entries {
            registry.counter(Metric.spansDropped, "ingest", reason.rawValue).add(count)
        }
    }
}
