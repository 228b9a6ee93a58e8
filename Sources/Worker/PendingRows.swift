import Linking
import Shared

/// Which rows of the log a worker still owes an end: the base of trimming, and what a verdict's rows are.
///
/// Commits come in the order of the log; a commit leaves when all its own rows have ended. Pure; O(log commits).
struct PendingRows {
    struct Commit {
        var position: LogPosition
        var payloadPosition: UInt64
        var epoch: Epoch
        /// Own rows that have not ended in every target yet.
        var pending: Int
    }

    private var commits: [Commit] = []
    private var head = 0
    private var end = LogPosition(0)
    private var payloadEnd: UInt64 = 0

    init() {}

    mutating func add(_ header: FactsBlock.Header, rows: Int) {
        end = header.position
        payloadEnd = header.payloadPosition
        commits.append(
            Commit(
                position: header.position, payloadPosition: header.payloadPosition, epoch: header.epoch, pending: rows))
    }

    /// Rows of a commit have ended. Rows of commits that are unknown (trimmed before a restart) change nothing.
    mutating func finish(_ position: LogPosition, rows: Int) {
        guard let place = place(of: position) else { return }
        commits[place].pending = max(0, commits[place].pending - rows)
    }

    private func place(of position: LogPosition) -> Int? {
        var low = head
        var high = commits.count
        while low < high {
            let middle = (low + high) / 2
            if commits[middle].position < position { low = middle + 1 } else { high = middle }
        }
        return low < commits.count && commits[low].position == position ? low : nil
    }

    /// The epoch of a commit of which rows have not ended. O(log commits).
    func epoch(of position: LogPosition) -> Epoch? {
        guard let place = place(of: position), commits[place].pending > 0 else { return nil }
        return commits[place].epoch
    }

    /// Ends all rows of an epoch and before; returns the epochs that had some, in order.
    ///
    /// O(commits that end).
    mutating func giveUp(through epoch: Epoch) -> [Epoch] {
        var epochs: [Epoch] = []
        while head < commits.count, commits[head].pending == 0 || commits[head].epoch <= epoch {
            if commits[head].pending > 0, epochs.last != commits[head].epoch { epochs.append(commits[head].epoch) }
            commits[head].pending = 0
            head += 1
        }
        return epochs
    }

    /// Everything below these positions has ended.
    mutating func lowWater() -> (facts: LogPosition, payload: UInt64) {
        while head < commits.count, commits[head].pending == 0 { head += 1 }
        if head > 4096, head * 2 > commits.count {
            commits.removeSubrange(..<head)
            head = 0
        }
        guard head < commits.count else { return (end, payloadEnd) }
        return (commits[head].position, commits[head].payloadPosition)
    }

    /// Rows that have not ended.
    var count: Int { commits[head...].reduce(0) { $0 + $1.pending } }
}
