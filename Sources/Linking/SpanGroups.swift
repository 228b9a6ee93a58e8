/// The components in the making: spans joined so far by equal keys, as lists under a forest of groups.
///
/// A group is the unit of closing. It may hold more than one trace (keys join before rules decide), never less than one.
/// Union by size, path halving, no recursion; amortised almost O(1).
struct SpanGroups: ~Copyable {
    struct Group {
        /// Itself for a root, else the group it was joined to.
        var parent: UInt32
        var first: UInt32
        var last: UInt32
        var count: UInt32
        /// Number of the epoch in which the first, and the last, of its spans arrived.
        var firstEpoch: UInt64
        var lastEpoch: UInt64
        /// Epoch of the calendar page on which the group stands; the next time it may close.
        var scheduled: UInt64
        /// True from the check that found its root waiting for its own entry until a new span arrives.
        var waitsForEntry: Bool
        /// False while the slot is free.
        var isAlive: Bool
    }

    private(set) var groups: [Group] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    init() {}

    @inline(__always) subscript(_ group: UInt32) -> Group {
        get { groups[Int(group)] }
        set { groups[Int(group)] = newValue }
    }

    mutating func make(first span: UInt32, epoch: UInt64) -> UInt32 {
        count &+= 1
        var group = Group(
            parent: 0, first: span, last: span, count: 1, firstEpoch: epoch, lastEpoch: epoch, scheduled: .max,
            waitsForEntry: false, isAlive: true)
        if let slot = free.popLast() {
            group.parent = slot
            groups[Int(slot)] = group
            return slot
        }
        group.parent = UInt32(groups.count)
        groups.append(group)
        return group.parent
    }

    /// The root of a group; shortens the way for the next one.
    @inline(__always) mutating func find(_ group: UInt32) -> UInt32 {
        var group = group
        while groups[Int(group)].parent != group {
            let parent = groups[Int(group)].parent
            groups[Int(group)].parent = groups[Int(parent)].parent
            group = parent
        }
        return group
    }

    /// Appends a span to a root group.
    @inline(__always) mutating func add(_ span: UInt32, to group: UInt32, epoch: UInt64, spans: borrowing SpanTable) {
        let last = groups[Int(group)].last
        spans.pointer(last).pointee.next = span
        groups[Int(group)].last = span
        groups[Int(group)].count &+= 1
        groups[Int(group)].firstEpoch = min(groups[Int(group)].firstEpoch, epoch)
        if epoch > groups[Int(group)].lastEpoch {
            groups[Int(group)].lastEpoch = epoch
            groups[Int(group)].waitsForEntry = false
        }
    }

    /// Joins two groups and returns the root; `nil` when they were one already.
    mutating func union(_ one: UInt32, _ other: UInt32, spans: borrowing SpanTable) -> UInt32? {
        var root = find(one)
        var child = find(other)
        if root == child { return nil }
        if groups[Int(root)].count < groups[Int(child)].count { swap(&root, &child) }
        let absorbed = groups[Int(child)]
        spans.pointer(groups[Int(root)].last).pointee.next = absorbed.first
        groups[Int(root)].last = absorbed.last
        groups[Int(root)].count &+= absorbed.count
        groups[Int(root)].firstEpoch = min(groups[Int(root)].firstEpoch, absorbed.firstEpoch)
        groups[Int(root)].lastEpoch = max(groups[Int(root)].lastEpoch, absorbed.lastEpoch)
        groups[Int(root)].waitsForEntry = false
        groups[Int(child)].parent = root
        return root
    }

    /// Frees the group that `span` began, when it began one. Called for every span of a closed group, this frees the
    /// root and all groups absorbed into it: a group's `first` never changes, so each has exactly one founder.
    @inline(__always) mutating func release(foundedBy span: UInt32, group: UInt32) {
        guard groups[Int(group)].isAlive, groups[Int(group)].first == span else { return }
        groups[Int(group)].isAlive = false
        free.append(group)
        count &-= 1
    }
}
