import Linking
import Logging
import NIOPosix
import Shared
import Synchronization

/// When the file target ends a part and begins the next. A part always holds whole verdict blocks.
struct FilePartPolicy: Sendable {
    /// A part of at least so many bytes ends with its block.
    var partBytes = 64 << 20
    /// End the part when nothing waits (live: lines appear at once); otherwise by size and `flush` alone, so that the
    /// borders, and with them the order of joined lines, do not depend on timing (replay).
    var endsWhenIdle = true
    /// Append completed parts to their hour's file.
    var joinsHours = true

    /// Lines appear at once, in a file an hour.
    static let live = FilePartPolicy()
    /// Parts stay, for `FileParts.join`.
    static let replay = FilePartPolicy(endsWhenIdle: false, joinsHours: false)
}

/// JSON lines in a folder (layout and crash order: `FileParts`).
///
/// A disk error is retried until the target is closed; meanwhile the queue fills and the log grows.
/// `flush` ends the part once the block under way is whole.
final class FileTarget: ExportTarget {
    let name: String
    let format = ExportFormat.jsonLines
    let queue: TargetQueue
    private let worker: WorkerOrdinal
    /// Name of the verdict log, so that a folder used with another data directory hides nothing.
    private let log: String
    private let parts: FileParts
    private let disk: any ExportDisk
    private let policy: FilePartPolicy
    private let waiting: ExportWaiting
    private let observer: any ExportObserver
    private let logger: Logger

    private struct Known {
        var done = DoneBlocks()
        var lastDoneBlock: UInt64?
        var nextPart: UInt64 = 0
    }
    private let known = Mutex(Known())

    /// - Parameters:
    ///   - folder: created when missing; may be shared by all workers of one machine.
    ///   - log: a name of the verdict log that no other data directory has.
    init(
        folder: String, worker: WorkerOrdinal, log: String, policy: FilePartPolicy, queue: TargetQueue,
        disk: any ExportDisk, waiting: ExportWaiting, observer: any ExportObserver, logger: Logger
    ) {
        name = queue.target
        self.queue = queue
        self.worker = worker
        self.log = log
        parts = FileParts(folder: folder, disk: disk)
        self.disk = disk
        self.policy = policy
        self.waiting = waiting
        self.observer = observer
        self.logger = logger
    }

    func start() async throws {
        let (parts, worker) = (parts, worker)
        let start = try await NIOThreadPool.singleton.runIfActive { try parts.start(worker: worker) }
        known.withLock { known in
            for header in start.headers where header.log == log {
                known.done.insert(header)
                known.lastDoneBlock = max(known.lastDoneBlock ?? 0, header.lastBlock)
            }
            known.nextPart = start.nextPart
        }
        if policy.joinsHours { await joinHours() }
    }

    func mayBeDone(block: VerdictBlockID) -> Bool {
        known.withLock { known in known.lastDoneBlock.map { block.number <= $0 } ?? false }
    }

    func isDone(block: VerdictBlockID, epoch: Epoch, partition: PartitionID) -> Bool {
        known.withLock { $0.done.contains(block: block.number, partition: partition, epoch: epoch) }
    }

    func forget(through block: VerdictBlockID) async {
        known.withLock { $0.done.forget(through: block.number) }
        let (parts, log) = (parts, log)
        do {
            try await NIOThreadPool.singleton.runIfActive { try parts.forget(log: log, through: block.number) }
        } catch {
            logger.warning("cannot shorten the list of joined parts", metadata: ["error": "\(error)"])
        }
    }

    func run() async {
        var writer: PartWriter?
        var isWithinBlock = false
        var isFlushAsked = false
        while let item = await queue.next() {
            switch item {
            case .chunk(let chunk):
                isWithinBlock = true
                guard let next = await append(chunk, to: writer) else { return abandon(writer) }
                writer = next
                queue.release(bytes: chunk.bytes.readableBytes)
            case .end(let block):
                isWithinBlock = false
                if writer == nil { queue.finish(block) } else { writer?.end(block) }
            case .flush:
                isFlushAsked = true
            }
            guard !isWithinBlock, isFlushAsked || writer.map(isFull) ?? true else { continue }
            isFlushAsked = false
            if let open = writer {
                guard await complete(open) else { return abandon(writer) }
                writer = nil
            }
        }
        abandon(writer)
    }

    private func isFull(_ writer: PartWriter) -> Bool {
        writer.lineBytes >= policy.partBytes || (policy.endsWhenIdle && queue.isEmpty)
    }

    /// The open file stays as it is; the next start removes it, and its blocks come again.
    private func abandon(_ writer: PartWriter?) {
        if let writer { disk.close(writer.descriptor) }
    }
}

// MARK: - Steps, each repeated until it succeeds

extension FileTarget {
    private func append(_ chunk: EncodedChunk, to writer: PartWriter?) async -> PartWriter? {
        var opened = writer
        if opened == nil { opened = await newPart(headerBytes: PartWriter.headerBytes) }
        guard let opened else { return nil }
        let disk = disk
        return await persist {
            var next = opened
            try next.append(chunk, disk: disk)
            return next
        }
    }

    private func newPart(headerBytes: Int) async -> PartWriter? {
        let number = known.withLock { known in
            defer { known.nextPart &+= 1 }
            return known.nextPart
        }
        let (disk, path) = (disk, parts.openPath(worker: worker, part: number))
        return await persist {
            PartWriter(descriptor: try disk.open(path), number: number, headerBytes: headerBytes)
        }
    }

    /// Header, sync, rename; then the spans are exported. False when the target was closed before.
    private func complete(_ open: PartWriter) async -> Bool {
        guard let writer = await makeRoom(open) else { return false }
        let (disk, parts, worker, log) = (disk, parts, worker, log)
        let begin = waiting.now()
        let isSafe = await persist {
            let header = writer.header(log: log, worker: worker)
            try writer.finish(header.line(paddedTo: writer.headerBytes), disk: disk)
            return true
        }
        guard isSafe != nil else { return false }
        let isRenamed = await persist {
            try disk.rename(
                parts.openPath(worker: worker, part: writer.number),
                to: parts.completePath(worker: worker, part: writer.number))
            return true
        }
        guard isRenamed != nil else { return false }
        let isNamed = await persist {
            try disk.syncFolder(parts.folder)
            return true
        }
        disk.close(writer.descriptor)
        // From the rename on the part counts as done after a restart, so it is reported in any case.
        observer.request(target: name, status: isNamed == nil ? 0 : 200, duration: waiting.now() - begin)
        for (epoch, counts) in writer.counts.sorted(by: { $0.key < $1.key }) {
            let runs = counts.map { PartitionCount(partition: $0.key, spans: $0.value) }
            queue.report(runs.sorted { $0.partition < $1.partition }, epoch: epoch, outcome: .exported)
        }
        for (block, items) in writer.blocks { queue.finish(block, count: items) }
        if policy.joinsHours { await joinHours() }
        return true
    }

    /// Copies the part when its header needs more room than was kept: a part of very many partitions and epochs.
    private func makeRoom(_ writer: PartWriter) async -> PartWriter? {
        let (disk, parts, worker, log) = (disk, parts, worker, log)
        let size = await persist { try writer.header(log: log, worker: worker).line().count + 32 }
        guard let size else { return nil }
        guard size > writer.headerBytes else { return writer }
        guard let larger = await newPart(headerBytes: size) else { return nil }
        let copied = await persist {
            try PartWriter(copying: writer, to: larger.descriptor, number: larger.number, headerBytes: size, disk: disk)
        }
        disk.close(writer.descriptor)
        guard let copied else { return nil }
        _ = await persist { try disk.remove(parts.openPath(worker: worker, part: writer.number)) }
        return copied
    }

    /// What cannot be joined now is joined after the next part.
    private func joinHours() async {
        let parts = parts
        do {
            try await NIOThreadPool.singleton.runIfActive { try parts.joinHours() }
        } catch {
            observer.retried(target: name, reason: "join")
            logger.warning(
                "cannot join parts into the hour's file", metadata: ["target": "\(name)", "error": "\(error)"])
        }
    }

    /// Runs a disk step on a thread that may wait, again and again until it succeeds. Nil when the target was closed.
    private func persist<Result: Sendable>(_ step: @escaping @Sendable () throws -> Result) async -> Result? {
        let delays = RetryDelays()
        var retry = 0
        while true {
            do {
                return try await NIOThreadPool.singleton.runIfActive(step)
            } catch {
                guard !queue.isClosed else { return nil }
                retry += 1
                observer.retried(target: name, reason: "disk")
                if retry == 1 || retry % 20 == 0 {
                    logger.error("cannot write exported spans, trying again", metadata: ["error": "\(error)"])
                }
                try? await waiting.sleep(delays.delay(beforeRetry: retry, random: waiting.random()))
            }
        }
    }
}
