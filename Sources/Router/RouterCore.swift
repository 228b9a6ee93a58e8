import Foundation
import Linking
import Logging
import NIOCore
import NIOPosix
import Shared
import SharedNet
import Synchronization

/// The parts of a router that work without a listener: log, merge, ledger, and what is known of the workers.
///
/// `run` puts listeners around it; `replay --local` and `demo` feed it directly.
final class RouterCore: Sendable {
    /// How this router differs from a live one.
    struct Mode: Sendable {
        /// The log's time is driven by the caller (replay).
        var isDriven = false
        /// Traces close by time; without, everything waits for `flush`.
        var closesByTime = true

        static let live = Mode()
    }

    /// Epochs beyond `max_trace_age` after which a span without verdict gets none any more.
    private static let verdictMargin: UInt64 = 2

    let settings: RouterSettings
    let mode: Mode
    let map: PartitionMap
    let limits: Limits
    let clock: EpochClock
    let metrics = MetricsRegistry()
    let directory: DataDirectory
    let logWriter: LogWriterThread
    let merge: MergeThread
    let board: PeerBoard
    let accounts: SpanAccounts
    /// Finished traces, for the console; nil when it is off, or in a replay.
    let store: TraceStore?
    let graph: GraphRecorder
    let logger: Logger
    private let ledgerFile: LedgerFile
    private let trimmer = Mutex(LogTrimmer())
    private let identity: String
    /// Epochs that earlier runs have given up.
    private let settledBefore: [LostEpochs]

    /// Opens the data directory and starts the threads. Fails with `.locked`, `.cannotCreate`, `.disk`.
    init(
        settings: RouterSettings, mode: Mode = .live, clock: EpochClock, group: any EventLoopGroup, logger: Logger
    ) throws(Failure) {
        self.settings = settings
        self.mode = mode
        self.clock = clock
        self.logger = logger
        limits = settings.limits
        map = PartitionMap(partitions: settings.linking.partitions, workers: UInt16(settings.linking.workers))
        guard map.workers <= map.partitions else {
            throw Failure(
                .configuration,
                "workers = \(map.workers) must not exceed partitions = \(map.partitions); set partitions higher")
        }
        directory = try DataDirectory.open(settings.dataDirectory)
        let disk = directory.disk
        identity = try LogIdentity.readOrMake(in: directory)
        let log = try SpanLogWriter(disk: disk, folder: directory.spanLog, segmentBytes: limits.segmentBytes)
        let verdicts = try RecordLog(disk: disk, folder: directory.verdictLog, segmentBytes: limits.segmentBytes)
        let decided = try DecidedRows.read(
            from: RecordLogReader(disk: disk, folder: directory.verdictLog), end: verdicts.end)
        ledgerFile = LedgerFile(directory: directory, logger: logger)
        let (kept, lost) = try ledgerFile.read(map, factsEnd: log.end, verdictsEnd: verdicts.end)
        settledBefore = kept.positions.settled
        board = PeerBoard(workers: Int(map.workers), positions: kept.positions)
        accounts = try SpanAccounts(kept, targets: settings.targetLabels, metrics)
        store = try Self.store(settings, in: directory, metrics, logger)
        graph = GraphRecorder(metrics: metrics, limits: limits)
        let (board, accounts) = (board, accounts)
        board.note(lost: lost)
        board.set(facts: log.end.offset)
        board.set(verdicts: verdicts.end)
        let interval = settings.fsync == .always ? 0 : Int(settings.fsyncInterval.exactNanoseconds)
        merge = MergeThread(
            map: map, limits: limits, syncInterval: interval, metrics: metrics, logger: logger,
            events: .init(
                verdicts: { board.set(verdicts: $0, watermark: $1.number) }, refused: { board.noteRefused($0) }))
        let sync: SyncPolicy = settings.fsync == .always ? .always : .interval(nanoseconds: interval)
        logWriter = LogWriterThread(
            options: LogWriterThread.Options(
                limits: limits, clock: clock, sync: sync, onCommit: { [accounts] in accounts.accept($0, epoch: $1) }),
            metrics: metrics, logger: logger)
        logWriter.onProgress {
            // Before a worker can report on these spans, they are accepted.
            accounts.reached($0.end)
            board.set(facts: $0.end.offset)
        }
        merge.start(
            options: settings.linking.options(closesByTime: mode.closesByTime), log: verdicts, decided: decided)
        logWriter.start(log: log, on: group.next())
        metrics.onScrape(Metric.clockSkew) { [weak self] emit in emit([], self?.clockSkewSeconds ?? 0) }
    }

    /// How far the begin of the log's newest epoch is ahead of the clock: epochs never go back.
    private var clockSkewSeconds: Double {
        guard !mode.isDriven, let mark = logWriter.progress?.mark else { return 0 }
        let next = Double(mark.number) + 1
        return max(0, next * Double(clock.epochNanoseconds) - Double(clock.wall())) / 1e9
    }

    private static func store(
        _ settings: RouterSettings, in directory: DataDirectory, _ metrics: MetricsRegistry, _ logger: Logger
    ) throws(Failure) -> TraceStore? {
        guard let store = settings.store else { return nil }
        return try TraceStore(
            options: StoreOptions(
                folder: directory.store, bytesMax: store.bytes, ageNanoseconds: Int(store.age.exactNanoseconds)),
            metrics: metrics, logger: logger)
    }

    /// The rules by which bodies are read.
    var ingestRules: IngestRules {
        var rules = IngestRules()
        rules.partitionKey = settings.flowKey
        rules.partitionCount = map.partitions
        rules.strict = settings.linking.compatibility == .datakit
        rules.denyFields = settings.denyFields
        rules.scopeSource = switch settings.agentScope {
        case .address: .address
        case .forwarded: .forwarded
        case .field: .field
        }
        rules.limits = limits
        return rules
    }

    // MARK: Peers

    /// What a worker must know; nil when it was started for another number of workers.
    func welcome(_ hello: WorkerHello) -> WorkerWelcome? {
        guard hello.workers == Int(map.workers), hello.ordinal < map.workers else { return nil }
        let worker = WorkerOrdinal(hello.ordinal)
        merge.restarted(worker)
        let before = board.greeted(hello)
        let owned = map.partitions(of: worker)
        return WorkerWelcome(
            dataDirectory: directory.path, logIdentity: identity, router: 0, firstPartition: owned.lowerBound,
            endPartition: owned.upperBound, epochNanoseconds: clock.epochNanoseconds,
            lateWindowEpochs: mode.closesByTime ? settings.linking.lateWindowEpochs : nil,
            acknowledgedVerdicts: before.acknowledged, reportedEpoch: before.reportedEpoch,
            settled: settledBefore, isReplay: mode.isDriven,
            verdictEpochs: mode.closesByTime ? settings.linking.maxTraceAgeEpochs + Self.verdictMargin : nil)
    }

    /// Takes a worker's report into the ledger, remembers how far its targets are, and trims what nobody needs.
    func take(_ report: WorkerReport) {
        guard board.note(report) else { return }
        for (epochs, spans) in accounts.take(report) {
            logger.error(
                "spans were lost",
                metadata: [
                    "spans": "\(spans)", "reason": "\(epochs.reason)", "epochs": "\(epochs.from)...\(epochs.to)",
                    "partitions": "\(epochs.firstPartition)..<\(epochs.endPartition)",
                ])
        }
        if !mode.isDriven { ledgerFile.write(accounts) }
        trim()
    }

    private func trim() {
        guard mode.closesByTime else { return }
        let kept = settings.linking.lateWindowEpochs + settings.linking.maxTraceAgeEpochs + 4
        let workers = board.workers.compactMap { $0 }
        guard workers.count == Int(map.workers), let low = workers.map(\.lowWater).min(),
            let payload = workers.map(\.lowWaterPayload).min() else { return }
        let watermark = merge.progress.watermark.number
        let horizon = watermark > kept ? watermark - kept : 0
        let progress = logWriter.progress
        let trim = trimmer.withLock { trimmer in
            if let progress, let mark = progress.mark { trimmer.note(epoch: mark.number, end: progress.end.offset) }
            return trimmer.due(lowWater: low, payload: payload, horizon: horizon)
        }
        guard let trim else { return }
        logWriter.perform { log in
            do {
                try log.trim(factsBelow: LogPosition(trim.facts), payloadBelow: trim.payload)
            } catch {
                self.logger.warning("cannot trim the span log", metadata: ["error": "\(error)"])
            }
        }
        // Blocks about facts that are gone say nothing any more; the verdict log ends up a little longer than that.
        merge.trim(
            verdictsBelow: board.acknowledged.min() ?? 0, horizon: Epoch(horizon))
    }

    /// Stops the threads: what was accepted is in the log and safe. Blocks for the log's last sync.
    func stop() async {
        board.close()
        logWriter.stop()
        await merge.stop()
        if !mode.isDriven { ledgerFile.write(accounts, now: true) }
        store?.stop()
    }
}
