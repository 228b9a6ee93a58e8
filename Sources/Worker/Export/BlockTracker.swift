/// Up to which verdict block everything has ended in one target. Pure.
///
///     opened(7) opened(7) … ended(7)   7 is acknowledged once as many `finished(7)` came as `opened(7)` and ended(7)
///                                      together, and every block before it is acknowledged.
struct BlockTracker: Sendable {
    private struct Open: Sendable {
        var block: VerdictBlockID
        var outstanding = 0
        var isWhole = false
    }
    /// Blocks in rising order that are not acknowledged.
    private var open: [Open] = []

    /// The highest block of which, and before which, everything has ended.
    private(set) var acknowledged: VerdictBlockID?
    /// The highest block of which everything was handed over.
    private(set) var whole: VerdictBlockID?

    init() {}

    /// Whether blocks that were handed over whole have not ended yet.
    var isBusy: Bool { open.first?.isWhole ?? false }

    /// One more item of a block; its last one has `isLast`. Blocks come in rising order and do not interleave.
    mutating func opened(_ block: VerdictBlockID, isLast: Bool) {
        if open.last?.block != block {
            precondition(
                open.last.map { $0.block < block && $0.isWhole } ?? true, "blocks must rise, each of them whole")
            open.append(Open(block: block))
        }
        let last = open.count - 1
        precondition(!open[last].isWhole, "an item came after the end of its block")
        open[last].outstanding += 1
        if isLast {
            open[last].isWhole = true
            whole = block
        }
    }

    /// `count` items of a block have ended. True when `acknowledged` moved.
    mutating func finished(_ block: VerdictBlockID, count: Int) -> Bool {
        guard let index = index(of: block) else { preconditionFailure("an item of an unknown block ended") }
        open[index].outstanding -= count
        precondition(open[index].outstanding >= 0, "more items of a block ended than were opened")
        var done = 0
        while done < open.count, open[done].isWhole, open[done].outstanding == 0 { done += 1 }
        guard done > 0 else { return false }
        acknowledged = open[done - 1].block
        open.removeFirst(done)
        return true
    }

    private func index(of block: VerdictBlockID) -> Int? {
        var low = 0
        var high = open.count
        while low < high {
            let middle = (low + high) / 2
            if open[middle].block < block { low = middle + 1 } else { high = middle }
        }
        return low < open.count && open[low].block == block ? low : nil
    }
}
