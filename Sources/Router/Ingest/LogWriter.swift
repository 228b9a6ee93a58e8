import Linking
import Shared

/// What the log's thread does, round after round. Lives on that thread only.
struct LogWriter {
    private let thread: LogWriterThread
    private var log: any CommitLog
    private var epoch: Epoch
    private var mark: Epoch?
    /// When the oldest commit that is not yet safe was made; nil: all are.
    private var unsafeSince: Int?

    private var options: LogWriterThread.Options { thread.options }
    private var counters: LogWriterCounters { thread.counters }

    init(thread: LogWriterThread, log: any CommitLog) {
        self.thread = thread
        self.log = log
        epoch = log.newestEpoch ?? Epoch(0)
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
            case nil:
                guard !stopping else { break }
                synchronizeIfDue()
                thread.gate.wait(nanoseconds: untilNextDuty()) { !$0.isEmpty || $0.stopping }
                continue
            }
            if work == nil { break }
            synchronizeIfDue()
        }
        synchronize()
    }

    /// Appends one group commit and answers its senders.
    private mutating func commit(_ bodies: [PendingBody]) {
        var bodies = bodies
        while true {
            do {
                try log.append(bodies.map(\.body), epoch: epoch)
                if options.sync == .always { try log.synchronize() }
                break
            } catch {
                note(error)
                guard error.code == .limit, waitForRoom(&bodies) else {
                    finish(bodies, .busy(retryAfterSeconds: 2, message: "the log failed; try again"))
                    return
                }
                markIfDue()
            }
        }
        if options.sync != .always, unsafeSince == nil { unsafeSince = options.now() }
        count(bodies)
        publish()
        finish(bodies, .accepted)
    }

    /// A full log: waits a little for trims. False when every sender has its 503, or the writer is to stop.
    private func waitForRoom(_ bodies: inout [PendingBody]) -> Bool {
        thread.gate.wait(nanoseconds: options.fullRetryNanoseconds) { $0.stopping }
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
        counters.accepted.add(spans)
        counters.commits.add()
        counters.commitSpans.record(spans)
    }

    /// The clock has passed an epoch border: nothing of the old epoch follows from here on.
    private mutating func markIfDue() {
        guard let now = options.clock.epoch, mark.map({ $0 < now }) ?? true, epoch <= now else { return }
        _ = append(mark: now)
    }

    private mutating func drivenMark(_ epoch: Epoch) -> Result<Void, Failure> {
        guard self.epoch < epoch || mark == nil else { return .success(()) }
        return append(mark: max(epoch, self.epoch))
    }

    private mutating func append(mark: Epoch) -> Result<Void, Failure> {
        do {
            try log.appendMark(mark)
        } catch {
            note(error)
            return .failure(error)
        }
        epoch = mark
        self.mark = mark
        publish()
        return .success(())
    }

    private func publish() {
        counters.logBytes.set(Int(clamping: log.bytes))
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
            try log.synchronize()
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
