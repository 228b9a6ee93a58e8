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

/// What subscribers learn after every commit and mark.
struct LogProgress: Sendable, Equatable {
    /// Everything before it is in the log.
    var end: LogPosition
    /// The newest mark: no later commit has an epoch ≤ this one. Nil before the first.
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
    /// Nanoseconds since 1970, written beside commits and marks.
    var wall: @Sendable () -> Int
    /// Epochs move only by `LogWriterThread.appendMark` (replay), not by the wall clock.
    var isDriven: Bool
    /// Length of an epoch, nanoseconds: a quarter of the window.
    var epochNanoseconds: Int

    /// - Parameter window: nanoseconds; an epoch is at least a microsecond.
    init(
        window: Int, isDriven: Bool = false, wall: @escaping @Sendable () -> Int = { SystemClocks.wallNanoseconds() }
    ) {
        self.wall = wall
        self.isDriven = isDriven
        epochNanoseconds = max(1_000, window / 4)
    }

    /// The epoch now; nil when the caller drives time.
    var epoch: Epoch? { isDriven ? nil : Epoch(UInt64(max(0, wall())) / UInt64(epochNanoseconds)) }

    /// Nanoseconds until the next epoch begins; nil when the caller drives time.
    var untilNextEpoch: Int? { isDriven ? nil : epochNanoseconds - max(0, wall()) % epochNanoseconds }
}
