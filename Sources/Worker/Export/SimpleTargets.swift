import Glibc
import Linking
import Logging
import NIOPosix
import Shared

/// JSON lines on a descriptor that nobody else writes to: the worker's standard output, which the router relays.
///
/// Whole lines, in writes of at most 64 KiB cut at line ends (a longer line in several). What was written when the
/// process ends and was not acknowledged is written again by the next one.
final class StandardOutputTarget: ExportTarget {
    let name: String
    let format = ExportFormat.jsonLines
    let queue: TargetQueue
    private let descriptor: Int32
    private let waiting: ExportWaiting
    private let observer: any ExportObserver
    private let logger: Logger

    init(
        descriptor: Int32, queue: TargetQueue, waiting: ExportWaiting, observer: any ExportObserver, logger: Logger
    ) {
        name = queue.target
        self.descriptor = descriptor
        self.queue = queue
        self.waiting = waiting
        self.observer = observer
        self.logger = logger
    }

    /// A reader that went away must be an error, not the end of the process.
    func start() async throws { signal(SIGPIPE, SIG_IGN) }

    func run() async {
        while let item = await queue.next() {
            switch item {
            case .chunk(let chunk):
                guard await write(chunk) else { return }
                queue.report(chunk.partitions, epoch: chunk.epoch, outcome: .exported)
                queue.release(bytes: chunk.bytes.readableBytes)
                queue.finish(chunk.block)
            case .end(let block): queue.finish(block)
            case .flush: break
            }
        }
    }

    /// False when the target was closed before all was written.
    private func write(_ chunk: EncodedChunk) async -> Bool {
        var done = 0
        var retry = 0
        while done < chunk.bytes.readableBytes {
            let (from, descriptor) = (done, descriptor)
            let (reached, failure) = await step { StandardOutputTarget.write(chunk, from: from, to: descriptor) }
            done = reached
            guard let failure else { continue }
            guard !queue.isClosed else { return false }
            retry += 1
            observer.retried(target: name, reason: "write")
            if retry == 1 || retry % 20 == 0 {
                logger.error("cannot write exported spans, trying again", metadata: ["error": "\(failure)"])
            }
            try? await waiting.sleep(RetryDelays().delay(beforeRetry: retry, random: waiting.random()))
        }
        return true
    }

    private func step(_ body: @escaping @Sendable () -> (Int, Failure?)) async -> (Int, Failure?) {
        do { return try await NIOThreadPool.singleton.runIfActive(body) } catch {
            return (0, Failure(.ended, "the thread pool has ended", cause: error))
        }
    }

    private static func write(_ chunk: EncodedChunk, from: Int, to descriptor: Int32) -> (Int, Failure?) {
        var reached = from
        do {
            try chunk.bytes.withUnsafeReadableBytes { all in
                try LineWriter.pieces(of: UnsafeRawBufferPointer(rebasing: all[from...])) { piece in
                    var done = 0
                    defer { reached += done }
                    try LineWriter.write(piece, to: descriptor, done: &done)
                }
            }
            return (reached, nil)
        } catch {
            return (reached, error as? Failure ?? Failure(.disk, "cannot write exported spans", cause: error))
        }
    }
}

/// Counts spans as exported to `none` and keeps nothing: for measuring, and for routers without a backend yet.
final class NoTarget: ExportTarget {
    let name: String
    let format = ExportFormat.none
    let queue: TargetQueue

    init(queue: TargetQueue) {
        name = queue.target
        self.queue = queue
    }

    func run() async {
        while let item = await queue.next() {
            switch item {
            case .chunk(let chunk):
                queue.report(chunk.partitions, epoch: chunk.epoch, outcome: .exported)
                queue.finish(chunk.block)
            case .end(let block): queue.finish(block)
            case .flush: break
            }
        }
    }
}
