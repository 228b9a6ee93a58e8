import Foundation
import Linking
import Logging
import Shared
import Synchronization

/// The one thread that merges: partial graphs in, verdict blocks out.
///
///     worker 0 ─┐                          ┌─▶ verdict log (what is in it is true) ─▶ workers
///     worker 1 ─┼─▶ by epoch ─▶ GraphMerge ┤
///     worker N ─┘   complete?              └─▶ statistics
///
/// An epoch is merged once every worker has told all it knows of it; until then its graphs wait. So the verdicts are a
/// function of the logs, whoever is slow.
final class MergeThread: Sendable {
    /// How far the merge has come; read by pages and by the end of a replay.
    struct Progress: Sendable {
        var watermark = Epoch(0)
        /// End of the verdict log.
        var verdicts: UInt64 = 0
        var openSpans = 0
        /// Epochs whose graphs wait for another worker.
        var waitingEpochs = 0
        var statistics = LinkingStatistics()
        /// Set when the verdict log cannot be written; the merge stands still and tries again.
        var failure: String?
        var isFlushed = false
    }

    enum Offer: Sendable {
        case taken
        /// Too many epochs wait: the worker is to send the graph again later.
        case later
        case refused(String)
    }

    /// What the merge tells others.
    struct Events: Sendable {
        /// The verdict log ends here, with all verdicts of this watermark.
        var verdicts: @Sendable (_ end: UInt64, _ watermark: Epoch) -> Void
        /// A graph that was taken could not be merged: its spans get no verdict.
        var refused: @Sendable (PartialGraphHeader) -> Void = { _ in }
    }

    private struct Inbox {
        /// Graphs by epoch number, then worker.
        var graphs: [UInt64: [UInt16: [[UInt8]]]] = [:]
        /// The newest epoch each worker has told all of.
        var complete: [UInt64?]
        var merged: UInt64?
        var flushAfter: Epoch?
        var trim: (position: UInt64, horizon: Epoch)?
        var isStopping = false
    }

    private let gate: ThreadGate<Inbox>
    private let map: PartitionMap
    private let limits: Limits
    private let logger: RateLimitedLog
    private let cell = Mutex(Progress())
    private let hasEnded = OneValue<Bool>()
    private let metrics: MergeMetrics
    /// Verdicts are safe against a power cut after at most so many nanoseconds of merging; 0: at once.
    private let syncInterval: Int
    /// Called on the merge's thread.
    private let events: Events

    init(
        map: PartitionMap, limits: Limits, syncInterval: Int, metrics: MetricsRegistry, logger: Logger,
        events: Events
    ) {
        gate = ThreadGate(Inbox(complete: Array(repeating: nil, count: Int(map.workers))))
        self.map = map
        self.limits = limits
        self.syncInterval = syncInterval
        self.logger = RateLimitedLog(logger)
        self.events = events
        self.metrics = MergeMetrics(metrics)
        self.metrics.show { [weak self] in self?.progress ?? Progress() }
    }

    var progress: Progress { cell.withLock { $0 } }

    /// Starts the thread, which owns the verdict log and the merge from here on.
    ///
    /// - Parameter decided: rows that the verdict log holds already, from before a restart.
    func start(options: LinkingOptions, log: sending RecordLog, decided: DecidedRows) {
        let handOver = MergeHandOver(log: log)
        let thread = Thread { [self] in
            metrics.accountThisThread()
            var loop = MergeLoop(
                merge: GraphMerge(options: options, limits: limits), log: handOver.log, decided: decided)
            while let step = nextStep() { perform(step, &loop) }
            hasEnded.set(true)
        }
        thread.name = "merge"
        thread.stackSize = 4 << 20
        thread.start()
    }

    /// Takes a decompressed partial graph of a worker.
    func offer(_ graph: [UInt8]) -> Offer {
        let header: PartialGraphHeader
        do {
            header = try graph.withRawBytes { (bytes) throws(CodecError) in try PartialGraphDecoder(bytes).header }
        } catch {
            return .refused(error.message)
        }
        let worker = map.owner(of: PartitionID(header.firstPartition))
        guard map.partitions(of: worker) == header.firstPartition..<header.endPartition else {
            return .refused("partitions \(header.firstPartition)..<\(header.endPartition) are no worker's")
        }
        return gate.withLockWaking { inbox in
            if let merged = inbox.merged, header.epoch.number <= merged { return .taken }
            let isKnown = inbox.graphs[header.epoch.number] != nil
            if !isKnown, inbox.graphs.count >= limits.unackedPartials { return .later }
            inbox.graphs[header.epoch.number, default: [:]][worker.number, default: []].append(graph)
            if header.isLastPiece {
                let newest = inbox.complete[Int(worker.number)] ?? 0
                inbox.complete[Int(worker.number)] = max(newest, header.epoch.number)
            }
            return .taken
        }
    }

    /// A worker starts anew and will publish again from its first epoch: what it told of epochs not merged is dropped.
    func restarted(_ worker: WorkerOrdinal) {
        gate.withLockWaking { inbox in
            inbox.complete[Int(worker.number)] = inbox.merged
            for epoch in inbox.graphs.keys { inbox.graphs[epoch]?[worker.number] = nil }
        }
    }

    /// Closes everything once an epoch is merged: the end of input of a replay.
    func flush(after epoch: Epoch) { gate.withLockWaking { $0.flushAfter = epoch } }

    /// Removes blocks that every worker has acknowledged and that decide facts older than the horizon.
    func trim(verdictsBelow position: UInt64, horizon: Epoch) {
        gate.withLockWaking { $0.trim = (position, horizon) }
    }

    func stop() async {
        gate.withLockWaking { $0.isStopping = true }
        _ = await hasEnded.value()
    }

    // MARK: On the thread

    private enum Step {
        case merge(Epoch, [[UInt8]])
        case flush
    }

    private func nextStep() -> Step? {
        while true {
            let (step, isStopping) = gate.withLock { inbox -> (Step?, Bool) in
                (Self.takeStep(from: &inbox), inbox.isStopping)
            }
            if isStopping { return nil }
            if let step { return step }
            gate.wait(nanoseconds: nil) { $0.isStopping || Self.hasStep($0) }
        }
    }

    private static func readyEpoch(_ inbox: Inbox) -> UInt64? {
        var lowest = UInt64.max
        for complete in inbox.complete {
            guard let complete else { return nil }
            lowest = min(lowest, complete)
        }
        guard let epoch = inbox.graphs.keys.min(), epoch <= lowest else { return nil }
        return epoch
    }

    private static func hasStep(_ inbox: Inbox) -> Bool {
        if readyEpoch(inbox) != nil { return true }
        guard let after = inbox.flushAfter, let merged = inbox.merged else { return false }
        return merged >= after.number
    }

    private static func takeStep(from inbox: inout Inbox) -> Step? {
        if let epoch = readyEpoch(inbox) {
            let graphs = inbox.graphs.removeValue(forKey: epoch) ?? [:]
            inbox.merged = epoch
            return .merge(Epoch(epoch), graphs.sorted { $0.key < $1.key }.flatMap(\.value))
        }
        guard let after = inbox.flushAfter, let merged = inbox.merged, merged >= after.number else { return nil }
        inbox.flushAfter = nil
        return .flush
    }

    private func perform(_ step: Step, _ loop: inout MergeLoop) {
        let start = SystemClocks.monotonicNanoseconds()
        switch step {
        case .merge(let epoch, let graphs):
            for graph in graphs {
                if let problem = loop.insert(graph) { refused(graph, problem) }
            }
            loop.advance(to: epoch)
        case .flush:
            while !loop.flush(atMost: limits.spansPerFlush) {
                guard append(loop.finishBlocks(spansPerBlock: limits.spansPerVerdictBlock), &loop) else { return }
            }
        }
        if let trim = gate.withLock({ $0.trim }) { loop.trim(below: trim.position, horizon: trim.horizon) }
        let isAppended = append(loop.finishBlocks(spansPerBlock: limits.spansPerVerdictBlock), &loop)
        loop.synchronize(interval: syncInterval, now: SystemClocks.monotonicNanoseconds(), onFailure: noteSync)
        metrics.mergeSeconds.record(SystemClocks.monotonicNanoseconds() - start)
        let waiting = gate.withLock { $0.graphs.count }
        let isFlush = if case .flush = step { true } else { false }
        cell.withLock { progress in
            loop.report(into: &progress)
            progress.waitingEpochs = waiting
            progress.isFlushed = progress.isFlushed || isFlush
        }
        // A watermark without its verdicts would tell that there are none.
        if isAppended { events.verdicts(loop.log.end, loop.watermark) }
    }

    /// Its spans stay without verdict: their owner drops them by name.
    private func refused(_ graph: [UInt8], _ problem: String) {
        let header = try? graph.withRawBytes { (bytes) throws(CodecError) in try PartialGraphDecoder(bytes).header }
        guard let header else { return }
        let slices = header.manifest.map { "\($0.from)..<\($0.to)" }.joined(separator: " ")
        logger.log(
            .error, "a partial graph was refused, its spans are dropped",
            metadata: [
                "reason": "\(problem)", "epoch": "\(header.epoch)", "piece": "\(header.piece)", "facts": "\(slices)",
                "partitions": "\(header.firstPartition)..<\(header.endPartition)",
            ])
        events.refused(header)
    }

    private func noteSync(_ failure: Failure) {
        logger.log(.error, "the verdict log cannot be made safe", metadata: ["error": "\(failure)"])
    }

    /// Appends until the log took all of it: a verdict exists only once it is in the log.
    /// False: the thread is to stop, and some are not in the log.
    private func append(_ blocks: [[UInt8]], _ loop: inout MergeLoop) -> Bool {
        for block in blocks {
            var isIn = false
            while !isIn {
                if gate.withLock({ $0.isStopping }) { return false }
                do {
                    try loop.append(block)
                    cell.withLock { $0.failure = nil }
                    isIn = true
                } catch {
                    let problem = "\(error)"
                    cell.withLock { $0.failure = problem }
                    logger.log(.error, "the verdict log took no block", metadata: ["error": "\(error)"])
                    gate.wait(nanoseconds: 200_000_000) { $0.isStopping }
                }
            }
        }
        return true
    }
}

/// Carries the log to its thread: `sending` made sure that nobody else has it, which a closure cannot express.
private struct MergeHandOver: @unchecked Sendable {
    let log: RecordLog
}
