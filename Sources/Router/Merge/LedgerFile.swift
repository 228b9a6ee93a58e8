import Linking
import Logging
import Shared
import Synchronization

/// Keeps the ledger over restarts of the router.
///
/// The file may be older than the truth: it names positions, and what came behind them is counted again from the logs
/// and by the workers, which hand it to their targets again with the same ids. So it is written at most every other
/// second. Without a sound file all that the log holds counts as new.
final class LedgerFile: Sendable {
    /// Least time between two snapshots, nanoseconds.
    private static let interval = 2_000_000_000

    private struct State {
        var written: LedgerPositions?
        var lastNanoseconds = 0
    }

    private let directory: DataDirectory
    private let logger: RateLimitedLog
    private let state = Mutex(State())

    init(directory: DataDirectory, logger: Logger) {
        self.directory = directory
        self.logger = RateLimitedLog(logger)
    }

    /// What an earlier run left, for a run with these workers and partitions, and everything that the facts log holds.
    ///
    /// Fails with `.disk` when the facts log cannot be read. O(commits since the snapshot).
    func read(
        _ map: PartitionMap, factsEnd: LogPosition, verdictsEnd: UInt64
    ) throws(Failure) -> (snapshot: LedgerSnapshot, lost: [LostEpochs]) {
        var snapshot = stored ?? Self.empty(map)
        snapshot.positions = snapshot.positions.fitted(to: map, verdictsEnd: verdictsEnd)
        var lost: [LostEpochs] = []
        if snapshot.positions.acceptedEnd > factsEnd.offset, let newest = snapshot.ledger.newestOpenEpoch {
            // A power cut took the end of the log: what is held of its epochs in the end is lost.
            lost = (0..<map.workers).map { worker in
                let owned = map.partitions(of: WorkerOrdinal(worker))
                return LostEpochs(
                    from: 0, to: newest.number, firstPartition: owned.lowerBound, endPartition: owned.upperBound,
                    reason: DropReason.unreadableFacts)
            }
        }
        try accept(from: LogPosition(min(snapshot.positions.acceptedEnd, factsEnd.offset)), to: factsEnd, &snapshot)
        snapshot.positions.acceptedEnd = factsEnd.offset
        return (snapshot, lost)
    }

    private static func empty(_ map: PartitionMap) -> LedgerSnapshot {
        let workers = Int(map.workers)
        return LedgerSnapshot(
            ledger: Ledger(),
            positions: LedgerPositions(
                partitions: map.partitions, acknowledged: Array(repeating: 0, count: workers),
                reportedEpochs: Array(repeating: nil, count: workers)))
    }

    private var stored: LedgerSnapshot? {
        do throws(Failure) {
            let bytes = try directory.disk.contents(directory.ledgerSnapshot, limit: LedgerSnapshot.bytesMax)
            return try LedgerSnapshot.decode(bytes)
        } catch {
            if error.code != .fileMissing {
                logger.log(
                    .warning, "the ledger starts anew",
                    metadata: ["file": "\(directory.ledgerSnapshot)", "error": "\(error)"])
            }
            return nil
        }
    }

    /// Enters the commits of a part of the facts log.
    private func accept(
        from start: LogPosition, to end: LogPosition, _ snapshot: inout LedgerSnapshot
    ) throws(Failure) {
        let log = SpanLogReader(disk: directory.disk, folder: directory.spanLog)
        var position = start
        while position < end, let (record, next) = try log.next(from: position, end: end) {
            if case .commit(let block) = record {
                for run in block.partitions {
                    snapshot.ledger.accept(Ledger.Slice(run.partition, block.header.epoch), UInt64(run.rows.count))
                }
            }
            position = next
        }
    }

    /// Writes the ledger when the last time was long enough ago and something moved since; `now`: in any case.
    func write(_ accounts: SpanAccounts, now isLast: Bool = false) {
        let time = SystemClocks.monotonicNanoseconds()
        guard state.withLock({ isLast || time - $0.lastNanoseconds > Self.interval }),
            let snapshot = accounts.snapshot
        else { return }
        let isNew = state.withLock { state in
            guard snapshot.positions != state.written else { return false }
            state.written = snapshot.positions
            state.lastNanoseconds = time
            return true
        }
        guard isNew else { return }
        do {
            try directory.disk.replace(directory.ledgerSnapshot, with: try snapshot.encode())
        } catch {
            logger.log(.warning, "cannot keep the ledger", metadata: ["error": "\(error)"])
        }
    }
}
