import CIntrinsics

/// One open span as the merge holds it: 88 bytes, so that all of it lies in two cache lines.
///
/// An array of records, not columns: spans are visited in the order of their traces, which is random in memory, and
/// each visit reads most fields (measured in docs/benchmarks.md: one or two cache misses a visit instead of ten).
struct SpanRecord {
    var requestSequence: UInt64
    var responseSequence: UInt64
    var threadKey: UInt64
    var kernelTime: Int64
    var start: Int64
    /// Microseconds; `noResponse` when none was seen, saturated at 71 minutes (no rule looks further).
    var duration: UInt32
    var flow: UInt32
    var initiator: UInt32
    /// Index into the processes; `none` without pid.
    var process: UInt32
    /// Index into the commits: router, log position.
    var commit: UInt32
    var row: UInt32
    /// Index + 1 into the sparse facts (application ids, given id); 0: none.
    var sparse: UInt32
    /// Index of the group.
    var group: UInt32
    /// The next span of the same group; `none` at the end.
    var next: UInt32
    /// The span's node among the entries (of an entry) or among the waiting exits; `none` without.
    var node: UInt32
    /// The other span with the same `req_seq`, while its group is simple (`SpanGroups.Group.isIrregular`); else
    /// `local`.
    var mate = Self.none
    var flags: SpanFlags
    /// The span is the one that the table of requests, of threads, names for its key.
    var headsRequest = false
    var headsThread = false

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
    @inline(__always) var hasStrongNetKey: Bool { requestSequence != 0 && responseSequence != 0 }
    @inline(__always) var hasResponse: Bool { duration != Self.noResponse }

    /// The last kernel time at which the request was open: `ktime + duration·1000 + 999`, 1 s without a response.
    @inline(__always) var end: Int64 { Self.end(start: kernelTime, duration: duration) }

    @inline(__always) static func end(start: Int64, duration: UInt32) -> Int64 {
        let length: Int64 = duration != noResponse ? Int64(duration) &* 1000 &+ 999 : 1_000_000_000
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? .max : sum
    }
}

extension SpanRecord {
    /// `SpanFacts.computedID` of a span without application ids.
    func computedID(processID: UInt64, threadID: UInt64) -> SpanID {
        let (hasFlow, hasTime) = (flags.contains(.hasFlow), flags.contains(.hasKernelTime))
        let ends = hasFlow ? UInt64(flow) | UInt64(initiator) &<< 32 : 0
        let hash = StableHash.of(
            (requestSequence, responseSequence, threadKey, processID),
            (threadID, UInt64(bitPattern: hasTime ? kernelTime : 0), UInt64(bitPattern: start), ends),
            UInt64(flags.intersection(.identity).rawValue))
        return SpanID(hash == 0 ? 1 : hash)
    }
}

/// Facts that few spans have.
struct SparseFacts {
    var application = ApplicationIDs()
    var givenID = SpanID.none
}

/// The open spans: records in pages that never move, with a free list.
///
/// Memory is 88 bytes a span at the peak; pages are reused, not returned. Every operation is O(1).
struct SpanTable: ~Copyable {
    private static let pageBits: UInt32 = 14
    private static let pageMask: UInt32 = (1 << pageBits) - 1

    private var pages = Column<UnsafeMutablePointer<SpanRecord>>()
    private var free = Column<UInt32>()
    private var used: UInt32 = 0
    private(set) var count = 0
    private(set) var sparse: [SparseFacts] = []
    private var freeSparse: [UInt32] = []

    init() {}

    deinit { for page in pages.indices { pages[page].deallocate() } }

    @inline(__always) func pointer(_ index: UInt32) -> UnsafeMutablePointer<SpanRecord> {
        pages[Int(index &>> Self.pageBits)] + Int(index & Self.pageMask)
    }

    /// Asks for both cache lines of a record.
    @inline(__always) func prefetch(_ index: UInt32) {
        let record = UnsafeRawPointer(pointer(index))
        ebpftrace_prefetch(record)
        ebpftrace_prefetch(record + 64)
    }

    /// Asks for the record that the insertion after `ahead` others will take.
    @inline(__always) func prefetchFree(_ ahead: Int) {
        if free.count > ahead { prefetch(free[free.count &- 1 &- ahead]) }
    }

    @inline(__always) subscript(_ index: UInt32) -> SpanRecord {
        unsafeAddress { UnsafePointer(pointer(index)) }
        nonmutating unsafeMutableAddress { pointer(index) }
    }

    /// Takes a record in and returns its index. At most 2^32 - 2 spans can be open, far beyond the memory of a machine.
    @inline(__always) mutating func insert(_ record: UnsafePointer<SpanRecord>) -> UInt32 {
        count &+= 1
        let index = free.popLast() ?? freshIndex()
        pointer(index).update(from: record, count: 1)
        return index
    }

    @inline(never) private mutating func freshIndex() -> UInt32 {
        precondition(used < UInt32.max - 1, "more open spans than 32-bit indexes")
        if used & Self.pageMask == 0 { pages.append(.allocate(capacity: 1 << Int(Self.pageBits))) }
        let index = used
        used &+= 1
        return index
    }

    mutating func insertSparse(_ facts: SparseFacts) -> UInt32 {
        if let slot = freeSparse.popLast() {
            sparse[Int(slot) &- 1] = facts
            return slot
        }
        sparse.append(facts)
        return UInt32(sparse.count)
    }

    mutating func remove(_ index: UInt32) {
        let slot = self[index].sparse
        if slot != 0 { freeSparse.append(slot) }
        free.append(index)
        count &-= 1
    }

    @inline(__always) func application(of index: UInt32) -> ApplicationIDs {
        let slot = self[index].sparse
        return slot == 0 ? ApplicationIDs() : sparse[Int(slot) &- 1].application
    }

    func givenID(of index: UInt32) -> SpanID {
        let slot = self[index].sparse
        return slot == 0 ? .none : sparse[Int(slot) &- 1].givenID
    }

    /// The bytes of records and free lists held.
    var bytesHeld: Int {
        pages.count * MemoryLayout<SpanRecord>.stride << Int(Self.pageBits) + free.bytesHeld
            + sparse.capacity * MemoryLayout<SparseFacts>.stride
    }
}
