import Linking
import Shared

/// The number of a block of the verdict log; blocks are applied in rising order.
struct VerdictBlockID: Hashable, Comparable, Sendable, CustomStringConvertible {
    var number: UInt64
    init(_ number: UInt64) { self.number = number }
    static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    var description: String { String(number) }
}

/// A number of spans of one partition.
struct PartitionCount: Hashable, Sendable {
    var partition: PartitionID
    var spans: Int

    /// The first `first` spans of the runs, and the others.
    static func split(_ runs: [PartitionCount], first: Int) -> ([PartitionCount], [PartitionCount]) {
        var rest = max(0, first)
        var front: [PartitionCount] = []
        var back: [PartitionCount] = []
        for run in runs {
            let taken = min(rest, run.spans)
            rest -= taken
            if taken > 0 { front.append(PartitionCount(partition: run.partition, spans: taken)) }
            if run.spans > taken { back.append(PartitionCount(partition: run.partition, spans: run.spans - taken)) }
        }
        return (front, back)
    }
}

/// One kept span of a batch: which point it is, its address in the span log, and its verdict.
struct ExportSpan: Sendable {
    /// Place of the point (a `PBPoint` message without tag and length) in the batch's `points`.
    var point: Int
    var address: RowAddress
    var verdict: SpanVerdict
}

/// Kept spans of one verdict block and one epoch, as the verdict applier hands them to the targets.
///
/// A block may come as any number of batches; the last one (which may be empty) has `endsBlock`. Blocks come in
/// rising order and do not interleave.
struct ExportBatch: Sendable {
    /// Number of the block in the verdict log.
    var block: VerdictBlockID
    /// Whether no further batch of the block follows.
    var endsBlock: Bool
    /// Epoch of the spans' rows.
    var epoch: Epoch
    /// Log time at which the epoch began, nanoseconds since 1970.
    var epochTime: UInt64
    /// The points as received; shared by the batches of a block, and written again once none of them is left.
    var points: PointBuffer
    /// Ordered by partition, as `partitions` counts them.
    var spans: [ExportSpan]
    /// Runs of `spans`; the sum of the counts is `spans.count`.
    var partitions: [PartitionCount]

    init(
        block: VerdictBlockID, endsBlock: Bool, epoch: Epoch, epochTime: UInt64, points: PointBuffer,
        spans: [ExportSpan], partitions: [PartitionCount]
    ) {
        precondition(partitions.reduce(0) { $0 + $1.spans } == spans.count, "the runs must count every span")
        precondition(spans.allSatisfy { $0.point < points.count }, "a span's point must be among the batch's points")
        self.block = block
        self.endsBlock = endsBlock
        self.epoch = epoch
        self.epochTime = epochTime
        self.points = points
        self.spans = spans
        self.partitions = partitions
    }

    /// An empty batch that only tells the targets that a block is complete.
    static func end(of block: VerdictBlockID) -> ExportBatch {
        ExportBatch(
            block: block, endsBlock: true, epoch: Epoch(0), epochTime: 0, points: .none, spans: [], partitions: [])
    }

    /// The batch without the partitions for which `isDone` holds, and what was left out.
    func leavingOut(_ isDone: (PartitionID) -> Bool) -> (rest: ExportBatch, done: [PartitionCount]) {
        var rest = self
        var done: [PartitionCount] = []
        guard partitions.contains(where: { isDone($0.partition) }) else { return (self, []) }
        rest.spans = []
        rest.partitions = []
        var from = 0
        for run in partitions {
            if isDone(run.partition) {
                done.append(run)
            } else {
                rest.partitions.append(run)
                rest.spans += spans[from..<from + run.spans]
            }
            from += run.spans
        }
        return (rest, done)
    }
}
