/// The members of several groups at once, before these are decided one after another.
///
/// The spans of a trace lie far apart in memory, and each names the next. Walking the lists of many groups in step lets
/// their cache misses overlap; by the time a group is decided, its spans and table slots are in the cache.
struct Gathering: ~Copyable {
    /// Groups walked at once: 16 groups of a dozen spans fill about half of a first-level cache.
    static let groupsAtOnce = 16

    var members = Column<UInt32>()
    private var cursors = Column<Cursor>()
    private var ends = Column<Int>()

    struct Cursor {
        var span: UInt32
        /// Where the group's next member goes.
        var place: Int
    }

    /// Collects the members of `batch`; `range(of:)` tells where each group's lie. `requests` and `threads` are the
    /// tables that the spans will be taken out of.
    mutating func gather(
        _ batch: ArraySlice<UInt32>, groups: borrowing SpanGroups, spans: borrowing SpanTable,
        requests: borrowing KeyTable, threads: borrowing KeyTable, closed: borrowing ClosedTraces
    ) {
        cursors.removeAll()
        ends.removeAll()
        var total = 0
        for group in batch {
            spans.prefetch(groups[group].first)
            cursors.append(Cursor(span: groups[group].first, place: total))
            total += Int(groups[group].count)
            ends.append(total)
        }
        members.fill(0, count: total)
        var moving = cursors.count
        while moving > 0 {
            moving = 0
            for place in cursors.indices where cursors[place].span != SpanRecord.none {
                let span = cursors[place].span
                let record = spans.pointer(span)
                let next = record.pointee.next
                if next != SpanRecord.none { spans.prefetch(next) }
                if record.pointee.marks.contains(.headsRequest) {
                    let hash = KeyTable.hash(spans.requestSequence(of: span))
                    requests.prefetch(hash)
                    if record.pointee.mate == SpanRecord.none {
                        closed.prefetchRequest(hash)
                        spans.prefetchTail(span)
                    }
                }
                if record.pointee.marks.contains(.headsThread) {
                    let hash = KeyTable.hash(record.pointee.threadKey)
                    threads.prefetch(hash)
                    if record.pointee.isEntry { closed.prefetchEntry(hash) }
                }
                members[cursors[place].place] = span
                cursors[place].place += 1
                cursors[place].span = next
                moving += 1
            }
        }
    }

    func range(of place: Int) -> Range<Int> { (place == 0 ? 0 : ends[place - 1])..<ends[place] }
}
