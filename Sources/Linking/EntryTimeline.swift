/// The entries of one process by time: answers "which of them were open at this moment?" in O(log n).
///
///     entries   sorted by (start, length, node), 16 bytes each; removed ones are marked until they are a quarter
///     added     new ones, sorted and merged in when the next question comes: only the part after them moves
///     largest   a heap-shaped tree over blocks of 32 entries with the largest end below each place
///
/// Entries come roughly in the order of their starts, so merging touches a short tail; on any input an epoch of
/// additions costs O(n) at most.
struct EntryTimeline {
    struct Entry {
        var start: Int64
        /// Microseconds, as in `SpanRecord.duration`.
        var duration: UInt32
        /// The node; with the highest bit set once it is removed.
        var tagged: UInt32

        static let removedBit: UInt32 = 1 << 31

        init(start: Int64, duration: UInt32, node: UInt32) {
            precondition(node < Self.removedBit, "more entries than 31-bit nodes")
            (self.start, self.duration, tagged) = (start, duration, node)
        }

        var node: UInt32 { tagged & ~Self.removedBit }
        var isRemoved: Bool { tagged & Self.removedBit != 0 }
        @inline(__always) var end: Int64 { isRemoved ? .min : SpanRecord.end(start: start, duration: duration) }

        @inline(__always) static func < (left: Self, right: Self) -> Bool {
            if left.start != right.start { return left.start < right.start }
            if left.duration != right.duration { return left.duration < right.duration }
            return left.node < right.node
        }
    }

    private static let blockBits = 5
    private static let blockSize = 1 << blockBits

    private var entries: [Entry] = []
    private var added: [Entry] = []
    private var removedCount = 0
    private var largest: [Int64] = []
    private var leaves = 0
    /// The longest entry there ever was: what began longer ago cannot be open any more.
    private var longest: UInt64 = 0

    var isEmpty: Bool { entries.count - removedCount + added.count == 0 }

    mutating func add(_ entry: Entry) {
        added.append(entry)
        longest = max(longest, UInt64(bitPattern: entry.end &- entry.start))
    }

    /// Takes an entry out that was added before. O(log n), and the merge of what is new.
    mutating func remove(_ entry: Entry) {
        settle()
        let place = firstPlace { !($0 < entry) }
        precondition(place < entries.count && entries[place].tagged == entry.tagged, "an entry is removed once")
        entries[place].tagged |= Entry.removedBit
        removedCount += 1
        guard removedCount < entries.count else {
            self = EntryTimeline()
            return
        }
        if entries.count > Self.blockSize { updateBlocks((place >> Self.blockBits)...(place >> Self.blockBits)) }
    }

    /// The answer to R4's question: with `latest` the open entry that began last.
    mutating func openEntries(at time: Int64, latest: Bool) -> ProcessIndex.Answer {
        settle()
        let started = firstAfter(time)
        guard let last = lastOpen(before: started, at: time) else { return .nobody }
        if let second = lastOpen(before: last, at: time) {
            let isTie = entries[second].start == entries[last].start && entries[second].end == entries[last].end
            if !latest || isTie { return .several }
        }
        return .one(node: entries[last].node)
    }

    private func firstPlace(where reached: (Entry) -> Bool) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if reached(entries[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The place of the first entry that began after `time`. Questions are mostly about the last moments: from the end,
    /// in steps that double.
    private func firstAfter(_ time: Int64) -> Int {
        var high = entries.count
        var step = 1
        while high >= step, entries[high - step].start > time {
            high -= step
            step *= 2
        }
        var low = max(0, high - step)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].start > time { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func lastOpen(before limit: Int, at time: Int64) -> Int? {
        guard limit > 0 else { return nil }
        let block = (limit - 1) >> Self.blockBits
        if isOver(limit - 1, at: time) { return nil }
        if let place = lastOpen(in: (block << Self.blockBits)..<limit, at: time) { return place }
        guard block > 0, !isOver((block << Self.blockBits) - 1, at: time) else { return nil }
        // Climb until a left neighbour's subtree holds an open entry, then go down its right-most way.
        var place = leaves + block
        while place > 1 {
            if place & 1 == 1, largest[place - 1] >= time {
                var down = place - 1
                while down < leaves { down = largest[down * 2 + 1] >= time ? down * 2 + 1 : down * 2 }
                let from = (down - leaves) << Self.blockBits
                return lastOpen(in: from..<(from + Self.blockSize), at: time)
            }
            place /= 2
        }
        return nil
    }

    /// True when neither the entry at `place`, which began before `time`, nor any earlier one can still be open.
    @inline(__always) private func isOver(_ place: Int, at time: Int64) -> Bool {
        UInt64(bitPattern: time &- entries[place].start) > longest
    }

    @inline(__always) private func lastOpen(in range: Range<Int>, at time: Int64) -> Int? {
        var place = range.upperBound - 1
        while place >= range.lowerBound {
            if entries[place].end >= time { return place }
            if isOver(place, at: time) { return nil }
            place -= 1
        }
        return nil
    }

    // MARK: Keeping order

    private mutating func settle() {
        guard !added.isEmpty else { return }
        if added.count > 1 { added.sort { $0 < $1 } }
        var firstChanged = entries.count
        if removedCount * 4 > entries.count {
            entries.removeAll { $0.isRemoved }
            removedCount = 0
            firstChanged = 0
        }
        var old = entries.count - 1
        var new = added.count - 1
        entries.append(contentsOf: added)
        var place = entries.count - 1
        while new >= 0, old >= 0 {
            if added[new] < entries[old] {
                entries[place] = entries[old]
                old -= 1
            } else {
                entries[place] = added[new]
                new -= 1
            }
            place -= 1
        }
        while new >= 0 {
            entries[place] = added[new]
            new -= 1
            place -= 1
        }
        firstChanged = min(firstChanged, old + 1)
        added.removeAll(keepingCapacity: added.count <= Self.blockSize)
        if entries.count > Self.blockSize { rebuildBlocks(from: firstChanged >> Self.blockBits) }
    }

    private mutating func rebuildBlocks(from block: Int) {
        let blocks = (entries.count + Self.blockSize - 1) >> Self.blockBits
        var first = block
        if blocks > leaves || leaves == 0 {
            leaves = max(2, blocks.nextPowerOfTwo)
            largest = [Int64](repeating: .min, count: leaves * 2)
            first = 0
        }
        // Blocks that a removal emptied stand at the end.
        for place in blocks..<leaves where largest[leaves + place] != .min { largest[leaves + place] = .min }
        updateBlocks(first...(leaves - 1), filled: blocks)
    }

    private mutating func updateBlocks(_ range: ClosedRange<Int>, filled: Int = .max) {
        for block in range where block < filled {
            var end = Int64.min
            let from = block << Self.blockBits
            for place in from..<min(from + Self.blockSize, entries.count) { end = max(end, entries[place].end) }
            largest[leaves + block] = end
        }
        var (first, last) = ((leaves + range.lowerBound) / 2, (leaves + range.upperBound) / 2)
        while first > 0 {
            for place in first...last { largest[place] = max(largest[place * 2], largest[place * 2 + 1]) }
            (first, last) = (first / 2, last / 2)
        }
    }
}

extension Int {
    var nextPowerOfTwo: Int {
        var power = 1
        while power < self { power *= 2 }
        return power
    }
}
