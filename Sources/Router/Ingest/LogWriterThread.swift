import Foundation
import Linking
import Logging
import NIOCore
import Shared
import Synchronization

/// The one thread that owns the span log and writes to it.
///
/// Whatever waits when it comes round goes into one group commit; then every sender gets its answer. It appends a mark
/// at every epoch border, also when idle, and makes the log safe against power cuts by its policy. A body that has
/// waited for `Limits.ingestWaitMilliseconds` is answered with 503, whatever the writer does: a disk that hangs holds
/// no agent up. Its spans may still be in the log then; that is a duplicate at worst if they are sent again.
final class LogWriterThread: Sendable {
    struct Options: Sendable {
        var limits = Limits()
        var clock: EpochClock
        var sync = SyncPolicy.interval(nanoseconds: 1_000_000_000)
        /// How long the writer waits before it tries a full or failing disk again.
        var retryNanoseconds = 50_000_000
        /// Told, on the writer's thread, what each body of a commit brought and in which epoch.
        var onCommit: @Sendable ([FactsRow], Epoch) -> Void = { _, _ in }
        /// Nanoseconds on a clock that never goes back.
        var now: @Sendable () -> Int = { SystemClocks.monotonicNanoseconds() }
    }

    let options: Options
    let gate = ThreadGate(CommitQueue())
    let counters: LogWriterCounters
    let log: RateLimitedLog
    private let subscribers = Mutex<[@Sendable (LogProgress) -> Void]>([])
    private let progressCell = Mutex<LogProgress?>(nil)
    private let ended = ThreadGate(false)
    private let sweeper = Mutex<RepeatedTask?>(nil)

    init(options: Options, metrics: MetricsRegistry, logger: Logger) {
        self.options = options
        counters = LogWriterCounters(metrics)
        log = RateLimitedLog(logger, now: options.now)
        metrics.onScrape(Metric.ingestQueueBytes) { [weak self] emit in
            emit([], Double(self?.queuedBytes ?? 0))
        }
    }

    /// Starts the thread, which owns `log` from here on, and the sweep for bodies that waited too long.
    ///
    /// - Parameter eventLoop: where the sweep runs.
    func start(log: sending SpanLogWriter, on eventLoop: any EventLoop) {
        let handOver = HandOver(log: log)
        let thread = Thread { [self] in
            var writer = LogWriter(thread: self, log: handOver.log)
            writer.run()
            ended.withLockWaking { $0 = true }
        }
        thread.name = "log"
        thread.stackSize = 1 << 20
        thread.start()
        let interval = TimeAmount.milliseconds(Int64(max(5, options.limits.ingestWaitMilliseconds / 20)))
        let task = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            self?.sweep()
        }
        sweeper.withLock { $0 = task }
    }

    /// Has a body appended; the future completes on the event loop, with `.accepted` once the log has it.
    func submit(_ body: CommitBody, on eventLoop: any EventLoop) -> EventLoopFuture<IngestAnswer> {
        let promise = eventLoop.makePromise(of: IngestAnswer.self)
        let pending = PendingBody(body: body, arrived: options.now(), promise: promise)
        let limit = options.limits.ingestQueueBytes
        let taken = gate.withLockWaking { queue in
            // Twice the bound is where waiting for room ends: what lies between the two waits, bounded in time.
            guard !queue.stopping, queue.bytes < limit.multipliedReportingOverflow(by: 2).partialValue else {
                return false
            }
            queue.push(pending)
            return true
        }
        if !taken {
            counters.queueFull.add()
            pending.answer(.busy(retryAfterSeconds: 1, message: "too many bodies wait for the log; try again"))
        }
        return promise.futureResult
    }

    /// Appends the mark of an epoch behind everything submitted so far. `replay` drives its clock by this.
    ///
    /// The mark says that no later commit has an epoch ≤ this one; the next commits get the epoch behind it. An epoch
    /// older than that of the log changes nothing. Throws the log's `Failure`.
    func appendMark(_ epoch: Epoch) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let taken = gate.withLockWaking { queue in
                guard !queue.stopping else { return false }
                queue.push(mark: epoch) { continuation.resume(with: $0.mapError { $0 as any Error }) }
                return true
            }
            if !taken { continuation.resume(throwing: Failure(.ended, "the log's writer has stopped")) }
        }
    }

    /// Does something with the log on its thread, behind everything submitted so far (a trim, say). False: stopped.
    @discardableResult
    func perform(_ job: @escaping @Sendable (SpanLogWriter) -> Void) -> Bool {
        gate.withLockWaking { queue in
            guard !queue.stopping else { return false }
            queue.push(job: job)
            return true
        }
    }

    /// Calls `subscriber` after every commit and mark, on the writer's thread; and once at once if there was any.
    func onProgress(_ subscriber: @escaping @Sendable (LogProgress) -> Void) {
        subscribers.withLock { $0.append(subscriber) }
        if let progress { subscriber(progress) }
    }

    /// The newest end and mark; nil until the writer has opened its log.
    var progress: LogProgress? { progressCell.withLock { $0 } }

    /// Bytes of bodies that wait for the log.
    var queuedBytes: Int { gate.withLock { $0.bytes } }

    /// Has the thread look at its clock now; for tests with a clock of their own.
    func wake() { gate.withLockWaking { _ in } }

    /// Commits what waits, makes the log safe, and ends the thread; later bodies are answered with 503. Blocks.
    func stop() {
        gate.withLockWaking { $0.stopping = true }
        while !ended.withLock({ $0 }) { ended.wait(nanoseconds: 50_000_000) { $0 } }
        sweeper.withLock { $0?.cancel() }
    }

    func publish(_ progress: LogProgress) {
        progressCell.withLock { $0 = progress }
        for subscriber in subscribers.withLock({ $0 }) { subscriber(progress) }
    }

    private func sweep() {
        let oldest = options.now() - options.limits.ingestWaitMilliseconds * 1_000_000
        for body in gate.withLock({ $0.expired(arrivedBefore: oldest) }) {
            if body.answer(.busy(retryAfterSeconds: 2, message: "the log did not take the body in time; try again")) {
                counters.timedOut.add()
            }
        }
    }
}

/// Carries the log to its thread: `sending` made sure that nobody else has it, which a closure cannot express.
private struct HandOver: @unchecked Sendable {
    let log: SpanLogWriter
}
