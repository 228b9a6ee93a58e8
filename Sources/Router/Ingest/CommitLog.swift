import Linking
import Shared

/// One decoded body as it goes to the log: the bytes that hold its points, and a row for each point.
struct CommitBody: Sendable {
    /// The body's bytes (uncompressed, `PBPoints`), as received wherever that is possible.
    var payload: PayloadBytes
    /// Payload offsets count from the start of `payload`.
    var rows: [FactsRow]

    /// What the body weighs in queues, bytes.
    var bytes: Int { payload.count + rows.count * MemoryLayout<FactsRow>.stride }
}

/// What the log's writer thread needs of a span log. Used by one thread only; everything may block.
protocol CommitLog {
    /// Appends bodies as one group commit of the epoch. On an error nothing of it is in the log.
    ///
    /// Throws `Failure(.limit)` when the log is full (trying again later may work), any other `Failure` when it failed.
    mutating func append(_ bodies: [CommitBody], epoch: Epoch) throws(Failure)
    /// Appends the mark that epoch `epoch` has begun: no commit of an earlier epoch follows.
    mutating func appendMark(_ epoch: Epoch) throws(Failure)
    /// Returns when everything appended survives a power cut.
    mutating func synchronize() throws(Failure)
    /// The position behind the last commit or mark.
    var end: LogPosition { get }
    /// The epoch of the newest commit or mark in the log; nil for an empty one.
    var newestEpoch: Epoch? { get }
    /// Bytes the log holds.
    var bytes: UInt64 { get }
}

/// What subscribers learn after every commit and mark.
struct LogProgress: Sendable, Equatable {
    /// Everything before it is in the log.
    var end: LogPosition
    /// The newest mark; nil before the first.
    var mark: Epoch?
}

/// When the log is made safe against a power cut (`fsync`).
enum SyncPolicy: Sendable, Equatable {
    /// Before every answer.
    case always
    /// At most this long after a commit.
    case interval(nanoseconds: Int)
}

/// The log's clock: which epoch an append falls into.
struct EpochClock: Sendable {
    /// Nanoseconds since 1970; nil: epochs move only by `LogWriterThread.appendMark` (replay).
    var wallNanoseconds: (@Sendable () -> Int)?
    /// Length of an epoch, nanoseconds: a quarter of the window.
    var epochNanoseconds: Int

    /// - Parameter window: nanoseconds; an epoch is at least a microsecond.
    init(window: Int, wallNanoseconds: (@Sendable () -> Int)? = { SystemClocks.wallNanoseconds() }) {
        self.wallNanoseconds = wallNanoseconds
        epochNanoseconds = max(1_000, window / 4)
    }

    /// The epoch now; nil when the caller drives time.
    var epoch: Epoch? {
        wallNanoseconds.map { Epoch(UInt64(max(0, $0())) / UInt64(epochNanoseconds)) }
    }

    /// Nanoseconds until the next epoch begins.
    var untilNextEpoch: Int? {
        wallNanoseconds.map { epochNanoseconds - max(0, $0()) % epochNanoseconds }
    }
}
