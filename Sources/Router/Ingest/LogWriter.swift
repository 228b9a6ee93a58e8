import Linking
import Shared

/// What the log's thread does, round after round. Lives on that thread only.
struct LogWriter {
    private let thread: LogWriterThread
    private let log: SpanLogWriter
    /// The newest mark: everything of that epoch and before is in the log.
    private var mark: Epoch?
    /// When the oldest commit that is not yet safe was made; nil: all are.
    private var unsafeSince: Int?

    private var options: LogWriterThread.Options { thread.options }
    private var counters: LogWriterCounters { thread.counters }

    init(thread: LogWriterThread, log: SpanLogWriter) {
        self.thread = thread
        self.log = log
        if log.newestEpoch.number > 0 { mark = Epoch(log.newestEpoch.number - 1) }
    }

    /// Works until the thread is stopped and nothing waits any longer.
    mutating func run() {
        counters.accountThisThread(stage: "log")
        publish()
        while true {
            markIfDue()
            let limits = options.limits
            let (work, stopping) = thread.gate.withLock { queue in
                (queue.next(commitBytes: limits.commitBytes, commitSpans: limits.commitSpans), queue.stopping)
            }
            switch work {
            case .commit(let bodies): commit(bodies)
            case .mark(let epoch, let done): done(drivenMark(epoch))
            case .job(let job):
                job(log)
                publish()
            case nil:
                if stopping { return synchronize() }
                thread.gate.wait(nanoseconds: untilNextDuty()) { !$0.isEmpty || $0.stopping }
            }
            synchronizeIfDue()
        }
    }

    /// Appends one group commit and answers its senders.
    private mutating func commit(_ bodies: [PendingBody]) {
        var bodies = bodies
        while true {
            do {
                try append(bodies)
                break
            } catch  where error.code == .limit && bodies.count > 1 {
                // Together they do not fit a segment; one body must not be refused for its neighbours.
                return commitOneByOne(bodies)
            } catch {
                note(error)
                guard error.code != .limit, waitForRoom(&bodies) else {
                    return finish(bodies, .busy(retryAfterSeconds: 2, message: "the log failed; try again"))
                }
                markIfDue()
            }
        }
        if unsafeSince == nil { unsafeSince = options.now() }
        if options.sync == .always { synchronize() }
        count(bodies)
        publish()
        finish(bodies, .accepted)
    }

    private func append(_ bodies: [PendingBody]) throws(Failure) {
        guard log.bytesHeld <= UInt64(options.limits.logBytes) else {
            throw Failure(.disk, "the span log holds \(log.bytesHeld) bytes; it takes more once targets take spans")
        }
        var commit = SpanCommit(epoch: log.newestEpoch, time: Int64(options.clock.wall()))
        for body in bodies { try commit.add(payload: body.body.payload, rows: body.body.rows) }
        _ = try log.append(commit)
    }

    private mutating func commitOneByOne(_ bodies: [PendingBody]) {
        for body in bodies { commit([body]) }
    }

    /// A full or failing disk: waits a little. False when every sender has its 503, or the writer is to stop.
    private func waitForRoom(_ bodies: inout [PendingBody]) -> Bool {
        thread.gate.wait(nanoseconds: options.retryNanoseconds) { $0.stopping }
        bodies.removeAll { $0.isAnswered }
        return !bodies.isEmpty && !thread.gate.withLock { $0.stopping }
    }

    private func finish(_ bodies: [PendingBody], _ answer: IngestAnswer) {
        thread.gate.withLock { $0.finished() }
        let now = options.now()
        for body in bodies {
            body.answer(answer)
            counters.wait.record(now - body.arrived)
        }
    }

    private func count(_ bodies: [PendingBody]) {
        let spans = bodies.reduce(0) { $0 + $1.body.rows.count }
        for body in bodies { options.onCommit(body.body.rows, log.newestEpoch) }
        counters.accepted.add(spans)
        counters.commits.add()
        counters.commitSpans.record(spans)
    }

    /// The clock has passed an epoch border: nothing of the epochs before follows from here on.
    private mutating func markIfDue() {
        guard let now = options.clock.epoch, now > log.newestEpoch else { return }
        _ = append(mark: Epoch(now.number - 1))
    }

    private mutating func drivenMark(_ epoch: Epoch) -> Result<Void, Failure> {
        guard epoch >= log.newestEpoch, mark.map({ $0 < epoch }) ?? true else { return .success(()) }
        return append(mark: epoch)
    }

    private mutating func append(mark: Epoch) -> Result<Void, Failure> {
        do {
            try log.appendMark(epoch: mark, time: Int64(options.clock.wall()))
        } catch {
            note(error)
            return .failure(error)
        }
        if unsafeSince == nil { unsafeSince = options.now() }
        self.mark = mark
        publish()
        return .success(())
    }

    private func publish() {
        counters.logBytes.set(Int(clamping: log.bytesHeld))
        thread.publish(LogProgress(end: log.end, mark: mark))
    }

    /// Nanoseconds until the next mark or sync is due; nil: only work wakes the thread.
    private func untilNextDuty() -> Int? {
        var wait = options.clock.untilNextEpoch
        if case .interval(let interval) = options.sync, let unsafeSince {
            let left = max(0, unsafeSince + interval - options.now())
            wait = min(wait ?? left, left)
        }
        return wait
    }

    private mutating func synchronizeIfDue() {
        guard case .interval(let interval) = options.sync, let since = unsafeSince else { return }
        if options.now() - since >= interval { synchronize() }
    }

    private mutating func synchronize() {
        guard unsafeSince != nil else { return }
        let start = options.now()
        do {
            try log.sync()
            unsafeSince = nil
        } catch {
            // Tried again after the next interval; the answers given stand, as with any other delay of the sync.
            unsafeSince = start
            note(error)
        }
        counters.syncSeconds.record(options.now() - start)
    }

    private func note(_ failure: Failure) {
        counters.failed(failure)
        thread.log.log(.error, "span log refused", key: failure.code.name, metadata: ["error": "\(failure)"])
    }
}
