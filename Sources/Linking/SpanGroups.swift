import CIntrinsics

/// The components in the making: spans joined so far by equal keys, as lists of spans.
///
/// A group is the unit of closing. It may hold more than one trace (keys join before rules decide), never less.
/// Every span names its group; joining relabels the smaller one, so a span is relabelled at most log2 n times.
/// (Cheaper than a union-find here: most joins add one or two spans that are still in the cache, and a group costs
/// memory per trace instead of per pair of spans.)
struct SpanGroups: ~Copyable {
    struct Group {
        var first: UInt32
        var count: UInt32
        /// True from the check that found its root waiting for its own entry until a new span arrives.
        var waitsForEntry: Bool
        /// True when closing has to look at all rules: more than two spans with a `req_seq`, two entries with a thread
        /// key, given ids, spans joined by time (docs/adr/0005).
        var isIrregular: Bool
        /// False while the slot is free.
        var isAlive: Bool
        /// Number of the epoch in which the first, and the last, of its spans arrived.
        var firstEpoch: UInt64
        var lastEpoch: UInt64
        /// Epoch of the calendar page on which the group stands; the next time it may close.
        var scheduled: UInt64
    }

    private(set) var groups = Column<Group>(capacity: 256)
    private var free = Column<UInt32>()
    var count: Int { groups.count - free.count }

    init() {}

    @inline(__always) subscript(_ group: UInt32) -> Group {
        unsafeAddress { UnsafePointer(groups.base + Int(group)) }
        nonmutating unsafeMutableAddress { groups.base + Int(group) }
    }

    @inline(__always) func prefetch(_ group: UInt32) { ebpftrace_prefetch(groups.base + Int(group)) }

    mutating func make(first span: UInt32, epoch: UInt64) -> UInt32 {
        let group = Group(
            first: span, count: 1, waitsForEntry: false, isIrregular: false, isAlive: true, firstEpoch: epoch,
            lastEpoch: epoch, scheduled: .max)
        if let slot = free.popLast() {
            groups[Int(slot)] = group
            return slot
        }
        groups.append(group)
        return UInt32(groups.count - 1)
    }

    /// Adds a span to a group. In front, so that no other span's record is touched: closing sorts them anyway.
    @inline(__always) mutating func add(_ span: UInt32, to group: UInt32, epoch: UInt64, spans: borrowing SpanTable) {
        spans.pointer(span).pointee.next = groups[Int(group)].first
        spans.pointer(span).pointee.group = group
        groups[Int(group)].first = span
        groups[Int(group)].count &+= 1
        groups[Int(group)].firstEpoch = min(groups[Int(group)].firstEpoch, epoch)
        groups[Int(group)].lastEpoch = max(groups[Int(group)].lastEpoch, epoch)
        groups[Int(group)].waitsForEntry = false
    }

    /// Joins two groups and returns the one that stays. O(spans of the smaller one).
    mutating func union(_ one: UInt32, _ other: UInt32, spans: borrowing SpanTable) -> UInt32 {
        if one == other { return one }
        let isSmaller = groups[Int(one)].count < groups[Int(other)].count
        let (kept, absorbed) = isSmaller ? (other, one) : (one, other)
        let from = groups[Int(absorbed)]
        var last = from.first
        spans.pointer(last).pointee.group = kept
        while spans[last].next != SpanRecord.none {
            last = spans[last].next
            spans.pointer(last).pointee.group = kept
        }
        spans.pointer(last).pointee.next = groups[Int(kept)].first
        groups[Int(kept)].first = from.first
        groups[Int(kept)].count &+= from.count
        groups[Int(kept)].firstEpoch = min(groups[Int(kept)].firstEpoch, from.firstEpoch)
        groups[Int(kept)].lastEpoch = max(groups[Int(kept)].lastEpoch, from.lastEpoch)
        groups[Int(kept)].waitsForEntry = false
        if from.isIrregular { groups[Int(kept)].isIrregular = true }
        remove(absorbed)
        return kept
    }

    mutating func remove(_ group: UInt32) {
        groups[Int(group)].isAlive = false
        free.append(group)
    }
}
