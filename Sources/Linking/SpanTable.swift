import CIntrinsics

/// One open span as the merge holds it: 64 bytes, one cache line. What only kept spans and ends without their other
/// end are asked for lies in `SpanTail`, 8 bytes more.
///
/// An array of records, not columns: spans are visited in the order of their traces, which is random in memory, and
/// each visit reads most fields (measured in docs/benchmarks.md: one cache miss a visit instead of ten).
struct SpanRecord {
    /// What the merge notes about a span.
    struct Marks: OptionSet {
        var rawValue: UInt8
        /// The span is the one that the table of requests names for its key.
        static let headsRequest = Marks(rawValue: 1 << 0)
        /// The same for the table of threads.
        static let headsThread = Marks(rawValue: 1 << 1)
        /// `req_seq` or `resp_seq` has more than 32 bits: both stand in the sparse facts.
        static let wide = Marks(rawValue: 1 << 2)
        /// The tail names sparse facts.
        static let sparse = Marks(rawValue: 1 << 3)
        /// `node` of an exit is the open entry with its thread key.
        static let knowsEntry = Marks(rawValue: 1 << 4)
    }

    var threadKey: UInt64
    var kernelTime: Int64
    /// `folded` sequences: equal to the sequence unless the span is `wide`, and 0 for 0 alone.
    var request: UInt32
    var response: UInt32
    /// Microseconds; `noResponse` when none was seen, saturated at 71 minutes (no rule looks further).
    var duration: UInt32
    var flow: UInt32
    /// Index into the processes; `none` without pid.
    var process: UInt32
    /// Index into the commits: router, log position.
    var commit: UInt32
    var row: UInt32
    /// Index of the group.
    var group: UInt32
    /// The next span of the same group; `none` at the end.
    var next: UInt32
    /// The span's node among the entries (of an entry) or among the waiting exits, or the exit's entry
    /// (`Marks.knowsEntry`); `none` without.
    var node: UInt32
    /// The other span with the same `req_seq`, while its group is simple (`SpanGroups.Group.isIrregular`); else
    /// `local`.
    var mate: UInt32
    var flags: SpanFlags
    var marks: Marks

    static let noResponse = UInt32.max
    static let none = UInt32.max

    /// The span's place in its group's canonical order, while the rules are at work.
    @inline(__always) var local: UInt32 {
        get { mate }
        set { mate = newValue }
    }
    @inline(__always) var isIncoming: Bool { flags.contains(.incoming) }
    @inline(__always) var isEntry: Bool { flags.contains(.entry) }
    /// An exit: not an entry and not incoming, the span that takes its parent by R3 or R4.
    @inline(__always) var isExit: Bool { flags.isDisjoint(with: [.incoming, .entry]) }
    @inline(__always) var hasRequest: Bool { request != 0 }
    @inline(__always) var hasStrongNetKey: Bool { request != 0 && response != 0 }
    @inline(__always) var hasResponse: Bool { duration != Self.noResponse }

    /// The last kernel time at which the request was open: `ktime + duration·1000 + 999`, 1 s without a response.
    @inline(__always) var end: Int64 { Self.end(start: kernelTime, duration: duration) }

    @inline(__always) static func end(start: Int64, duration: UInt32) -> Int64 {
        let length: Int64 = duration != noResponse ? Int64(duration) &* 1000 &+ 999 : 1_000_000_000
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? .max : sum
    }

    /// 32 bits of a sequence: equal ones for equal sequences, and 0 for 0 alone.
    @inline(__always) static func folded(_ sequence: UInt64) -> UInt32 {
        let low = UInt32(truncatingIfNeeded: sequence)
        return low == 0 && sequence != 0 ? 1 : low
    }
}

/// The rest of an open span.
struct SpanTail {
    var initiator: UInt32
    /// `start - ktime / 1000`, as difference to that of its process (`ProcessIndex.clock`); with `Marks.sparse` the
    /// index of the sparse facts.
    var start: UInt32
}

/// Facts that few spans have, or that have no room in the record of few spans.
struct SparseFacts {
    var application = ApplicationIDs()
    var givenID = SpanID.none
    var start: Int64 = 0
    var requestSequence: UInt64 = 0
    var responseSequence: UInt64 = 0
}

/// The open spans: records in pages that never move, with a free list.
///
/// Memory is 72 bytes a span at the peak; pages are reused, not returned. Every operation is O(1).
struct SpanTable: ~Copyable {
    private static let pageBits: UInt32 = 14
    private static let pageMask: UInt32 = (1 << pageBits) - 1
    private static let pageSize = 1 << Int(pageBits)

    private var pages = Column<UnsafeMutablePointer<SpanRecord>>()
    private var tails = Column<UnsafeMutablePointer<SpanTail>>()
    private var free = Column<UInt32>()
    private var used: UInt32 = 0
    private(set) var count = 0
    private(set) var sparse = Column<SparseFacts>(capacity: 1)
    private var freeSparse = Column<UInt32>(capacity: 1)

    init() {}

    deinit {
        for page in pages.indices {
            UnsafeMutableRawPointer(pages[page]).deallocate()
            tails[page].deallocate()
        }
    }

    @inline(__always) func pointer(_ index: UInt32) -> UnsafeMutablePointer<SpanRecord> {
        pages[Int(index &>> Self.pageBits)] + Int(index & Self.pageMask)
    }

    @inline(__always) private func tail(_ index: UInt32) -> UnsafeMutablePointer<SpanTail> {
        tails[Int(index &>> Self.pageBits)] + Int(index & Self.pageMask)
    }

    /// Asks for the cache line of a record.
    @inline(__always) func prefetch(_ index: UInt32) { ebpftrace_prefetch(pointer(index)) }

    @inline(__always) func prefetchTail(_ index: UInt32) { ebpftrace_prefetch(tail(index)) }

    /// Asks for the record that the insertion after `ahead` others will take.
    @inline(__always) func prefetchFree(_ ahead: Int) {
        guard free.count > ahead else { return }
        let index = free[free.count &- 1 &- ahead]
        ebpftrace_prefetch(pointer(index))
        ebpftrace_prefetch(tail(index))
    }

    @inline(__always) subscript(_ index: UInt32) -> SpanRecord {
        unsafeAddress { UnsafePointer(pointer(index)) }
        nonmutating unsafeMutableAddress { pointer(index) }
    }

    /// Room for one more record, which the caller writes. At most 2^31 - 2 spans can be open, far beyond the memory of
    /// a machine.
    @inline(__always) mutating func insert(_ tail: SpanTail) -> UInt32 {
        count &+= 1
        let index = free.popLast() ?? freshIndex()
        self.tail(index).initialize(to: tail)
        return index
    }

    @inline(never) private mutating func freshIndex() -> UInt32 {
        precondition(used < UInt32(Int32.max) - 1, "more open spans than 31-bit indexes")
        if used & Self.pageMask == 0 {
            let bytes = Self.pageSize * MemoryLayout<SpanRecord>.stride
            let page = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
            pages.append(page.bindMemory(to: SpanRecord.self, capacity: Self.pageSize))
            tails.append(.allocate(capacity: Self.pageSize))
        }
        let index = used
        used &+= 1
        return index
    }

    mutating func insertSparse(_ facts: SparseFacts) -> UInt32 {
        if let slot = freeSparse.popLast() {
            sparse[Int(slot)] = facts
            return slot
        }
        sparse.append(facts)
        return UInt32(sparse.count - 1)
    }

    @inline(__always) mutating func remove(_ index: UInt32) {
        if self[index].marks.contains(.sparse) { freeSparse.append(tail(index).pointee.start) }
        free.append(index)
        count &-= 1
    }

    // MARK: Facts

    @inline(__always) func initiator(of index: UInt32) -> UInt32 { tail(index).pointee.initiator }

    /// `start - ktime / 1000`, as difference to that of the span's process; `nil`: the start is among the sparse facts.
    @inline(__always) func startDifference(of index: UInt32) -> Int64? {
        if self[index].marks.contains(.sparse) { return nil }
        return Int64(Int32(bitPattern: tail(index).pointee.start))
    }

    /// The facts that few spans have; the span has the mark `sparse`.
    func sparseFacts(of index: UInt32) -> SparseFacts { sparse[Int(tail(index).pointee.start)] }

    @inline(__always) func requestSequence(of index: UInt32) -> UInt64 {
        let record = pointer(index)
        return record.pointee.marks.contains(.wide)
            ? sparseFacts(of: index).requestSequence : UInt64(record.pointee.request)
    }

    @inline(__always) func responseSequence(of index: UInt32) -> UInt64 {
        let record = pointer(index)
        return record.pointee.marks.contains(.wide)
            ? sparseFacts(of: index).responseSequence : UInt64(record.pointee.response)
    }

    func application(of index: UInt32) -> ApplicationIDs {
        self[index].marks.contains(.sparse) ? sparseFacts(of: index).application : ApplicationIDs()
    }

    func givenID(of index: UInt32) -> SpanID {
        self[index].marks.contains(.sparse) ? sparseFacts(of: index).givenID : .none
    }

    /// The bytes of records and free lists held.
    var bytesHeld: Int {
        pages.count * (MemoryLayout<SpanRecord>.stride + MemoryLayout<SpanTail>.stride) << Int(Self.pageBits)
            + free.bytesHeld + sparse.bytesHeld
    }
}
