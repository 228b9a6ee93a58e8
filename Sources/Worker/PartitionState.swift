import Linking
import Shared

/// What a worker makes of the facts of its partitions: partial graphs, and the count of duplicates. Pure.
///
/// A graph is a function of the log alone, so a worker that starts again publishes the same graphs, and the merge drops
/// the repeats.
struct PartitionState: ~Copyable {
    /// A partial graph ready to be published.
    struct Piece {
        var epoch: Epoch
        var isLast: Bool
        var bytes: [UInt8]
        var spans: Int
    }

    /// Spans of one partition in one epoch.
    struct Count: Hashable {
        var partition: PartitionID
        var epoch: Epoch
    }

    private let router: RouterOrdinal
    private let owned: Range<UInt16>
    private let spansPerPiece: Int
    private var encoder = PartialGraphEncoder()
    private var filter: DuplicateFilter
    private static let lookAhead: UInt32 = 8
    private var epoch: Epoch?
    private var piece: UInt32 = 0
    private var pieceStart = LogPosition(0)
    /// Duplicates found since the last `takeDuplicates`.
    private var duplicates: [Count: UInt64] = [:]

    init(router: RouterOrdinal, owned: Range<UInt16>, lateWindowEpochs: UInt64?, limits: Limits) {
        self.router = router
        self.owned = owned
        spansPerPiece = limits.spansPerPartialGraph
        filter = DuplicateFilter(lateWindowEpochs: lateWindowEpochs)
    }

    /// The rows of a block that belong to the worker: one run, since rows are sorted by partition.
    func ownRows(of block: FactsBlock) -> Range<UInt32> {
        var first: UInt32?
        var end: UInt32 = 0
        for run in block.partitions where owned.contains(run.partition.number) {
            first = first ?? run.rows.lowerBound
            end = run.rows.upperBound
        }
        return (first ?? end)..<end
    }

    /// Takes the facts of a commit in. Returns the number of own rows that are no duplicates, and the pieces completed.
    mutating func take(_ block: FactsBlock, pieces: inout [Piece]) -> Int {
        let header = block.header
        if let epoch, epoch != header.epoch { finishEpoch(to: header.position, pieces: &pieces) }
        if epoch == nil {
            epoch = header.epoch
            piece = 0
            pieceStart = header.position
        }
        let own = ownRows(of: block)
        var fresh = 0
        for index in own {
            // A look into a table is a cache miss: the next ones are under way meanwhile.
            if index + Self.lookAhead < own.upperBound {
                let keys = block.keys(at: index + Self.lookAhead)
                filter.prefetch(keys.id)
                encoder.prefetch(keys.encoder)
            }
            let row = block.row(at: index)
            if filter.isDuplicate(row.facts, epoch: header.epoch) {
                duplicates[Count(partition: row.partition, epoch: header.epoch), default: 0] += 1
                continue
            }
            fresh += 1
            encoder.append(row.facts, at: RowAddress(router: router, position: header.position, row: index))
        }
        if encoder.spanCount >= spansPerPiece { finishPiece(isLast: false, to: header.position, pieces: &pieces) }
        return fresh
    }

    /// All commits of `mark` and earlier epochs have been taken: ends the epoch in hand, and tells that of the mark.
    mutating func end(_ mark: Epoch, at position: LogPosition, pieces: inout [Piece]) {
        if let epoch, epoch < mark { finishEpoch(to: position, pieces: &pieces) }
        if epoch == nil {
            epoch = mark
            piece = 0
            pieceStart = position
        }
        finishEpoch(to: position, pieces: &pieces)
    }

    private mutating func finishEpoch(to position: LogPosition, pieces: inout [Piece]) {
        finishPiece(isLast: true, to: position, pieces: &pieces)
        epoch = nil
    }

    private mutating func finishPiece(isLast: Bool, to position: LogPosition, pieces: inout [Piece]) {
        guard let epoch else { return }
        let spans = encoder.spanCount
        let bytes = encoder.finish(
            PartialGraphHeader(
                firstPartition: owned.lowerBound, endPartition: owned.upperBound, epoch: epoch, piece: piece,
                isLastPiece: isLast, manifest: [ManifestSlice(router: router, from: pieceStart, to: position)]))
        pieces.append(Piece(epoch: epoch, isLast: isLast, bytes: bytes, spans: spans))
        piece += 1
        pieceStart = position
    }

    /// No span follows: what was seen need not be remembered. 13 bytes a span in the largest replays.
    mutating func finishInput() { filter.removeAll() }

    /// Duplicates since the last call, by partition and epoch.
    mutating func takeDuplicates() -> [Count: UInt64] {
        defer { duplicates = [:] }
        return duplicates
    }
}
