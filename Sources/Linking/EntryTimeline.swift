/// The entries of one process by time: answers "which of them were open at this moment?" in O(log n).
///
///     entries   16 bytes each, sorted by (start, length, node) up to `sorted`; behind it new ones as they came,
///               sorted in when the next question comes: only the part after them moves
///     largest   a heap-shaped tree over blocks of 32 entries with the largest end below each place
///
/// Entries come roughly in the order of their starts, so merging touches a short tail; on any input an epoch of
/// additions costs O(n) at most. Entries go out many at a time (`sweep`), in one pass over all of them.
struct EntryTimeline: ~Copyable {
    struct Entry {
        var start: Int64
        /// Microseconds, as in `SpanRecord.duration`.
        var duration: UInt32
        var node: UInt32

        @inline(__always) var end: Int64 { SpanRecord.end(start: start, duration: duration) }

        @inline(__always) static func < (left: Self, right: Self) -> Bool {
            if left.start != right.start { return left.start < right.start }
            if left.duration != right.duration { return left.duration < right.duration }
            return left.node < right.node
        }
    }

    private static let blockBits = 5
    private static let blockSize = 1 << blockBits

    private var entries: UnsafeMutablePointer<Entry>?
    private var largest: UnsafeMutablePointer<Int64>?
    /// The longest entry there ever was: what began longer ago cannot be open any more.
    private var longest: UInt64 = 0
    private var held: UInt32 = 0
    private var sorted: UInt32 = 0
    private var capacity: UInt32 = 0
    /// Leaves of the tree; 0: there is none, or an old one.
    private var leafCount: UInt32 = 0

    init() {}

    deinit {
        entries?.deallocate()
        largest?.deallocate()
    }

    var count: Int { Int(held) }
    private var leaves: Int { Int(leafCount) }

    @inline(__always) private func entry(_ place: Int) -> Entry { entries.unsafelyUnwrapped[place] }

    @inline(__always) mutating func add(_ entry: Entry) {
        if held == capacity { resize(to: max(4, capacity &+ capacity / 2)) }
        entries.unsafelyUnwrapped[Int(held)] = entry
        held &+= 1
        longest = max(longest, UInt64(bitPattern: entry.end &- entry.start))
    }

    @inline(never) private mutating func resize(to larger: UInt32) {
        precondition(larger < UInt32(Int32.max), "more entries than 31-bit nodes")
        let fresh = UnsafeMutablePointer<Entry>.allocate(capacity: Int(larger))
        if let entries {
            fresh.moveInitialize(from: entries, count: count)
            entries.deallocate()
        }
        entries = fresh
        capacity = larger
    }

    /// Takes all entries out whose node was closed in `generation`; the nodes go to `free`. Returns how many.
    /// O(entries).
    mutating func sweep(
        generation: Int, nodes: borrowing Column<ProcessIndex.EntryNode>, into free: inout Column<UInt32>
    ) -> Int {
        guard let entries else { return 0 }
        var (kept, keptSorted) = (0, 0)
        for place in 0..<count {
            if place == Int(sorted) { keptSorted = kept }
            let entry = entries[place]
            if nodes[Int(entry.node)].isClosed(in: generation) {
                free.append(entry.node)
                continue
            }
            entries[kept] = entry
            kept += 1
        }
        if sorted == held { keptSorted = kept }
        let gone = count - kept
        if gone == 0 { return 0 }
        (held, sorted, leafCount) = (UInt32(kept), UInt32(keptSorted), 0)
        if kept == 0 {
            entries.deallocate()
            largest?.deallocate()
            (self.entries, largest, capacity, longest) = (nil, nil, 0, 0)
        } else if kept * 3 < Int(capacity) {
            resize(to: UInt32(kept + kept / 4 + 1))
        }
        return gone
    }

    /// The answer to R4's question: with `latest` the open entry that began last.
    mutating func openEntries(at time: Int64, latest: Bool) -> ProcessIndex.Answer {
        settle()
        let started = firstAfter(time)
        guard let last = lastOpen(before: started, at: time) else { return .nobody }
        if let second = lastOpen(before: last, at: time) {
            let isTie = entry(second).start == entry(last).start && entry(second).end == entry(last).end
            if !latest || isTie { return .several }
        }
        return .one(node: entry(last).node)
    }

    /// The place of the first entry that began after `time`. Questions are mostly about the last moments: from the end,
    /// in steps that double.
    private func firstAfter(_ time: Int64) -> Int {
        var high = count
        var step = 1
        while high >= step, entry(high - step).start > time {
            high -= step
            step *= 2
        }
        var low = max(0, high - step)
        while low < high {
            let middle = (low + high) / 2
            if entry(middle).start > time { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func lastOpen(before limit: Int, at time: Int64) -> Int? {
        guard limit > 0 else { return nil }
        let block = (limit - 1) >> Self.blockBits
        if isOver(limit - 1, at: time) { return nil }
        if let place = lastOpen(in: (block << Self.blockBits)..<limit, at: time) { return place }
        guard block > 0, let largest, !isOver((block << Self.blockBits) - 1, at: time) else { return nil }
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
        UInt64(bitPattern: time &- entry(place).start) > longest
    }

    @inline(__always) private func lastOpen(in range: Range<Int>, at time: Int64) -> Int? {
        var place = range.upperBound - 1
        while place >= range.lowerBound {
            if entry(place).end >= time { return place }
            if isOver(place, at: time) { return nil }
            place -= 1
        }
        return nil
    }

    // MARK: Keeping order

    private mutating func settle() {
        if sorted < held {
            let firstChanged = sortIn()
            sorted = held
            if count > Self.blockSize, leafCount > 0 { rebuildBlocks(from: firstChanged >> Self.blockBits) }
        }
        if count > Self.blockSize, leafCount == 0 { rebuildBlocks(from: 0) }
    }

    /// Brings the entries behind `sorted` to their places; the first place that changed.
    private func sortIn() -> Int {
        let entries = entries.unsafelyUnwrapped
        let old = Int(sorted)
        var new = UnsafeMutableBufferPointer(start: entries + old, count: count - old)
        if new.count > 1 { new.sort { $0 < $1 } }
        if old == 0 || !(new[0] < entries[old - 1]) { return old }
        return withUnsafeTemporaryAllocation(of: Entry.self, capacity: new.count) { copy in
            _ = copy.initialize(from: new)
            var (from, left, place) = (old - 1, new.count - 1, count - 1)
            while left >= 0 {
                if from >= 0, copy[left] < entries[from] {
                    entries[place] = entries[from]
                    from -= 1
                } else {
                    entries[place] = copy[left]
                    left -= 1
                }
                place -= 1
            }
            return place + 1
        }
    }

    private mutating func rebuildBlocks(from block: Int) {
        let blocks = (count + Self.blockSize - 1) >> Self.blockBits
        var first = block
        if blocks > leaves {
            leafCount = UInt32(max(2, blocks.nextPowerOfTwo))
            largest?.deallocate()
            largest = .allocate(capacity: leaves * 2)
            largest?.initialize(repeating: .min, count: leaves * 2)
            first = 0
        }
        guard let largest else { return }
        for block in first..<blocks {
            var end = Int64.min
            let from = block << Self.blockBits
            for place in from..<min(from + Self.blockSize, count) { end = max(end, entry(place).end) }
            largest[leaves + block] = end
        }
        var (low, high) = ((leaves + first) / 2, (leaves + blocks - 1) / 2)
        while low > 0 {
            for place in low...high { largest[place] = max(largest[place * 2], largest[place * 2 + 1]) }
            (low, high) = (low / 2, high / 2)
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
