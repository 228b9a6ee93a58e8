import Linking
import Logging
import NIOCore
import Shared
import Synchronization

/// Posts spans to a receiver over HTTP, up to four bodies at a time, each until it is taken or refused.
///
/// Retry rules: `DeliveryRules` and `RetryDelays`. Small chunks of several batches go in one body. Bodies arrive in
/// any order; a body whose answer was lost is sent again (same ids), so the receiver may see spans twice.
final class PostingTarget: ExportTarget {
    /// Bodies under way at a time.
    static let requestsMax = 4
    /// Largest body before compression, bytes; a single larger span still goes, alone.
    static let bodyBytesMax = 1_000_000
    /// Time between two log lines about refused data.
    private static let logInterval = Duration.seconds(60)

    /// How bodies are compressed.
    struct Packing: Sendable {
        /// Value of `Content-Encoding`.
        var encoding: String
        var compress: @Sendable (ByteBuffer) throws -> ByteBuffer
    }

    let name: String
    let format: ExportFormat
    let queue: TargetQueue
    private let rules: any DeliveryRules
    private let transport: any PostingTransport
    private let packing: Packing?
    private let waiting: ExportWaiting
    private let observer: any ExportObserver
    private let logger: Logger
    private let lastLog = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter packing: nil sends bodies as they are.
    init(
        format: ExportFormat, rules: any DeliveryRules, transport: any PostingTransport, packing: Packing?,
        queue: TargetQueue, waiting: ExportWaiting, observer: any ExportObserver, logger: Logger
    ) {
        name = queue.target
        self.format = format
        self.rules = rules
        self.transport = transport
        self.packing = packing
        self.queue = queue
        self.waiting = waiting
        self.observer = observer
        self.logger = logger
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<Self.requestsMax { group.addTask { await self.deliverAll() } }
        }
        await transport.shutdown()
    }

    private func deliverAll() async {
        while let first = await queue.next() {
            let (chunks, ends) = gather(first)
            if !chunks.isEmpty {
                guard await deliver(chunks) else { return }
            }
            for block in ends { queue.finish(block) }
        }
    }

    /// What is there already and fits into the first item's body.
    private func gather(_ first: QueueItem) -> (chunks: [EncodedChunk], ends: [VerdictBlockID]) {
        var chunks: [EncodedChunk] = []
        var ends: [VerdictBlockID] = []
        var bytes = 0
        var next: QueueItem? = first
        while let item = next {
            bytes += item.bytes
            switch item {
            case .chunk(let chunk): chunks.append(chunk)
            case .end(let block): ends.append(block)
            case .flush: break
            }
            next = queue.nextIfThere(upTo: Self.bodyBytesMax - bytes)
        }
        return (chunks, ends)
    }

    /// Sends one body until it is taken or refused. False when the target was closed before.
    private func deliver(_ chunks: [EncodedChunk]) async -> Bool {
        let raw = joined(chunks)
        let packed = packing.flatMap { try? $0.compress(raw) }
        let spans = chunks.reduce(0) { $0 + $1.spans }
        let delays = RetryDelays()
        var retry = 0
        while true {
            let decision = await attempt(packed ?? raw, spans: spans, encoding: packed == nil ? nil : packing?.encoding)
            switch decision {
            case .done:
                observer.beyondDataUsage(target: name, false)
                end(chunks, as: .exported)
                return true
            case .partly(let rejected, let message):
                log("the receiver refuses some spans", reason: message)
                end(chunks, rejected: min(rejected, spans))
                return true
            case .drop(let reason, let isBeyond):
                if isBeyond { observer.beyondDataUsage(target: name, true) }
                log("the receiver refuses spans", reason: isBeyond ? "beyondDataUsage" : reason.name)
                end(chunks, as: .dropped(reason))
                return true
            case .retry(let reason, let after):
                guard !queue.isClosed, !Task.isCancelled else { return false }
                retry += 1
                observer.retried(target: name, reason: reason)
                log("cannot deliver spans, trying again", reason: reason)
                let delay = delays.delay(beforeRetry: retry, random: waiting.random(), retryAfter: after)
                try? await waiting.sleep(delay)
                guard !queue.isClosed, !Task.isCancelled else { return false }
            }
        }
    }

    private func attempt(_ body: ByteBuffer, spans: Int, encoding: String?) async -> DeliveryDecision {
        let begin = waiting.now()
        do {
            let answer = try await transport.post(body, spans: spans, encoding: encoding)
            observer.request(target: name, status: answer.status, duration: waiting.now() - begin)
            return rules.decision(answer, unixSeconds: waiting.unixSeconds())
        } catch {
            observer.request(target: name, status: 0, duration: waiting.now() - begin)
            // The error's own text may hold the URL with its token.
            return .retry(reason: "network", after: nil)
        }
    }

    private func joined(_ chunks: [EncodedChunk]) -> ByteBuffer {
        guard chunks.count > 1 else { return chunks[0].bytes }
        var body = ByteBuffer()
        body.reserveCapacity(chunks.reduce(0) { $0 + $1.bytes.readableBytes })
        for chunk in chunks { body.writeImmutableBuffer(chunk.bytes) }
        return body
    }

    private func end(_ chunks: [EncodedChunk], as outcome: ExportOutcome) {
        for chunk in chunks {
            queue.report(chunk.partitions, epoch: chunk.epoch, outcome: outcome)
            queue.release(bytes: chunk.bytes.readableBytes)
            queue.finish(chunk.block)
        }
    }

    /// Ends chunks of which the receiver took all but some spans. It does not say which, so the first are counted.
    private func end(_ chunks: [EncodedChunk], rejected: Int) {
        var rejected = rejected
        for chunk in chunks {
            let (dropped, taken) = PartitionCount.split(chunk.partitions, first: rejected)
            rejected -= dropped.reduce(0) { $0 + $1.spans }
            if !dropped.isEmpty {
                queue.report(dropped, epoch: chunk.epoch, outcome: .dropped(.rejectedByReceiver))
            }
            if !taken.isEmpty { queue.report(taken, epoch: chunk.epoch, outcome: .exported) }
            queue.release(bytes: chunk.bytes.readableBytes)
            queue.finish(chunk.block)
        }
    }

    private func log(_ text: Logger.Message, reason: String) {
        let now = waiting.now()
        let isDue = lastLog.withLock { last in
            if let last, now - last < Self.logInterval { return false }
            last = now
            return true
        }
        if isDue { logger.warning(text, metadata: ["target": "\(name)", "reason": "\(reason)"]) }
    }
}
