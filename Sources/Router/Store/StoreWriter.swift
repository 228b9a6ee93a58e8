import Foundation
import Linking
import Logging
import Shared

/// The one thread that writes to the store: gathers rows for up to a second, makes a segment of them, commits it, then
/// tells everybody who waits. Between segments it removes what is too old or too much, and merges small segments.
///
/// A damaged database is put aside with a warning and a new one begun; what was in it is lost to searches, and nothing
/// else stops.
final class StoreWriter: Sendable {
    /// Rows that wait, and who waits for them.
    struct Queue {
        struct Item {
            var batch: RowBatch
            /// On the monotonic clock.
            var arrival: Int
            var done: CheckedContinuation<Failure?, Never>
        }

        var items: [Item] = []
        var bytes = 0
        var spans = 0
        var isStopping = false
    }

    let options: StoreOptions
    let files: StoreFiles
    let holdings = StoreHoldings()
    private let gate = ThreadGate(Queue())
    private let ended = ThreadGate(false)
    private let metrics: StoreMetrics
    private let logger: Logger

    init(options: StoreOptions, files: StoreFiles, metrics: StoreMetrics, logger: Logger) {
        self.options = options
        self.files = files
        self.metrics = metrics
        self.logger = logger
    }

    /// Spans that wait, and since when the first of them does (monotonic clock).
    var waiting: (spans: Int, since: Int?) { gate.withLock { ($0.spans, $0.items.first?.arrival) } }

    func start() {
        let thread = Thread { [self] in
            metrics.accountThisThread()
            var loop = StoreWriterLoop(
                options: options, files: files, metrics: metrics, holdings: holdings,
                log: RateLimitedLog(logger, now: options.clock))
            while let items = take() {
                if items.isEmpty { loop.keepHouse() } else { loop.write(items) }
            }
            ended.withLockWaking { $0 = true }
        }
        thread.name = "store"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Writes what waits and ends the thread; later rows are refused. Blocks.
    func stop() {
        gate.withLockWaking { $0.isStopping = true }
        while !ended.withLock({ $0 }) { ended.wait(nanoseconds: 50_000_000) { $0 } }
    }

    /// Waits until the rows are committed.
    func write(_ batch: RowBatch) async throws(Failure) {
        let failure = await withCheckedContinuation { (done: CheckedContinuation<Failure?, Never>) in
            let refusal = gate.withLockWaking { queue -> Failure? in
                if queue.isStopping { return Failure(.ended, "the trace store has stopped") }
                guard queue.bytes < options.queueBytes else {
                    return Failure(.limit, "the trace store is behind; send the spans again in a few seconds")
                }
                queue.items.append(Queue.Item(batch: batch, arrival: options.clock(), done: done))
                queue.bytes += batch.rows.count
                queue.spans += batch.places.count
                return nil
            }
            if let refusal { done.resume(returning: refusal) }
        }
        if let failure { throw failure }
    }

    /// The next items, once there are enough or they have waited enough; none when nothing came for long; nil when the
    /// thread is to end.
    private func take() -> [Queue.Item]? {
        var isIdle = false
        while true {
            var wait = Self.idleNanoseconds
            let (items, isOver, count) = gate.withLock { queue -> ([Queue.Item], Bool, Int) in
                guard let first = queue.items.first, let last = queue.items.last else {
                    return ([], queue.isStopping, 0)
                }
                let now = options.clock()
                let due = min(first.arrival + options.gatherNanoseconds, last.arrival + options.quietNanoseconds)
                let isFull = queue.spans >= options.segmentSpans || queue.bytes >= StoreLimits.segmentBytes
                guard isFull || queue.isStopping || now >= due else {
                    wait = due - now
                    return ([], false, queue.items.count)
                }
                return (Self.cut(&queue, options), false, 0)
            }
            if isOver { return nil }
            if !items.isEmpty || (isIdle && count == 0) { return items }
            gate.wait(nanoseconds: wait) { $0.isStopping || $0.items.count != count }
            isIdle = count == 0
        }
    }

    /// How often an idle store looks for what is too old.
    private static let idleNanoseconds = 30_000_000_000

    /// As many items as one segment takes.
    private static func cut(_ queue: inout Queue, _ options: StoreOptions) -> [Queue.Item] {
        var spans = 0
        var bytes = 0
        var count = 0
        while count < queue.items.count, spans < options.segmentSpans, bytes < StoreLimits.segmentBytes {
            spans += queue.items[count].batch.places.count
            bytes += queue.items[count].batch.rows.count
            count += 1
        }
        let items = Array(queue.items[..<count])
        queue.items.removeFirst(count)
        queue.bytes -= bytes
        queue.spans -= spans
        return items
    }
}
