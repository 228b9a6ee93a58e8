import CIntrinsics

/// Who served what when, per process key: answers rule R4's question "which entries were open at this moment?".
///
///     process ──▶ timeline of its entries (entry spans, open or of closed traces; a node names each)
///             ──▶ exits: node ⇄ node ⇄ …   (exits for which no entry was found yet, neither by thread nor by time)
///
/// Entries stay for `late_window` after their trace closed.
struct ProcessIndex: ~Copyable {
    static let none = UInt32.max

    struct ProcessKey: Hashable {
        var scope: UInt64
        var processID: UInt64
        var threadID: UInt64
        var isUserThread: Bool

        init(scope: UInt64, processID: UInt64, threadID: UInt64, isUserThread: Bool) {
            (self.scope, self.processID, self.threadID) = (scope, processID, threadID)
            self.isUserThread = isUserThread
        }

        init(_ thread: PartialGraphDecoder.Thread) {
            self.init(
                scope: thread.scope, processID: thread.processID, threadID: thread.threadID,
                isUserThread: thread.isUserThread)
        }
    }

    struct Process {
        var service: UInt32
        /// Open spans and nodes that name the process; at 0 it is forgotten.
        var references: UInt32
        var firstExit: UInt32
        /// True while the process stands in `touched`.
        var isTouched = false
    }

    /// What an entry's node names: the open span, or the closed span it became. 4 bytes.
    struct EntryNode: Equatable {
        /// Open: the span. Closed: bit 31, three bits of its generation, 28 bits of the closed span.
        private var bits: UInt32

        private static let closedBit: UInt32 = 1 << 31
        private static let indexMask: UInt32 = 1 << 28 - 1
        /// Generations that can be told apart.
        static let generationCount = 8

        init(span: UInt32) {
            precondition(span < Self.closedBit, "more open spans than 31-bit indexes")
            bits = span
        }

        init(closedSpan: UInt32, generation: Int) {
            let isDropped = closedSpan == ClosedTraces.dropped
            precondition(isDropped || closedSpan < Self.indexMask, "more closed spans than 28-bit indexes")
            bits = Self.closedBit | UInt32(generation) &<< 28 | (isDropped ? Self.indexMask : closedSpan)
        }

        var isClosed: Bool { bits >= Self.closedBit }
        /// The open span, or the index of the closed one (`ClosedTraces.dropped` of a dropped trace).
        var span: UInt32 {
            if !isClosed { return bits }
            let index = bits & Self.indexMask
            return index == Self.indexMask ? ClosedTraces.dropped : index
        }

        @inline(__always) func isClosed(in generation: Int) -> Bool {
            bits &>> 28 == 8 | UInt32(generation)
        }
    }

    /// An exit that waits for its entry.
    struct ExitNode {
        var span: UInt32
        var process: UInt32
        var previous: UInt32
        var next: UInt32
    }

    /// (scope, pid): what "a process that is known to serve requests" is about.
    struct Service {
        var scope: UInt64
        var processID: UInt64
        var references: UInt32
        /// Epoch in which the last entry arrived, + 1; 0: never.
        var lastEntryEpoch: UInt64
    }

    private(set) var processes = Column<Process>()
    /// By process.
    private(set) var keys = Column<ProcessKey>()
    /// By process: `start - ktime / 1000` of its first span, microseconds; that of others lies near it.
    private var clocks = Column<Int64>()
    private(set) var entries = Column<EntryNode>()
    private(set) var exits = Column<ExitNode>()
    /// By process.
    private var timelines = TimelineList()
    private(set) var services = Column<Service>()
    private var hashes = Column<UInt32>()
    private var processTable = KeyTable(minimumCapacity: 64)
    private var serviceTable = KeyTable(minimumCapacity: 64)
    private var freeProcesses = Column<UInt32>()
    private var freeEntries = Column<UInt32>()
    private var freeExits = Column<UInt32>()
    private var freeServices = Column<UInt32>()
    /// Processes with waiting exits that got entries.
    private var touched: [UInt32] = []

    init() {}

    var processCount: Int { processTable.count }
    var nodeCount: Int { entries.count - freeEntries.count + exits.count - freeExits.count }

    // MARK: Processes

    private static func hash(_ key: ProcessKey) -> UInt32 {
        let hash = StableHash.of(key.scope, key.processID, key.threadID)
        return UInt32(truncatingIfNeeded: hash &>> 32) ^ (key.isUserThread ? 0x9E37_79B9 : 0)
    }

    private static func serviceHash(_ scope: UInt64, _ processID: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: StableHash.of(scope, processID) &>> 32)
    }

    /// The index of a process; makes it when it is new, with the `clock` of the span that brought it. Whoever keeps the
    /// index calls `retain`. Expected O(1).
    mutating func process(_ key: ProcessKey, clock: Int64) -> UInt32 {
        let hash = Self.hash(key)
        if let index = processTable.find(hash, where: { keys[Int($0)] == key }) { return index }
        let process = Process(
            service: service(key.scope, key.processID), references: 0, firstExit: Self.none)
        let index: UInt32
        if let slot = freeProcesses.popLast() {
            index = slot
            processes[Int(slot)] = process
            keys[Int(slot)] = key
            clocks[Int(slot)] = clock
        } else {
            index = UInt32(processes.count)
            processes.append(process)
            keys.append(key)
            clocks.append(clock)
            timelines.append()
        }
        processTable.insert(hash, index)
        services[Int(process.service)].references &+= 1
        return index
    }

    /// Looks many processes up at once, so that their cache misses overlap; `none` for those that are not known.
    mutating func find(_ threads: [PartialGraphDecoder.Thread], into indexes: inout Column<UInt32>) {
        hashes.removeAll()
        for thread in threads { hashes.append(Self.hash(ProcessKey(thread))) }
        indexes.fill(Self.none, count: threads.count)
        for place in 0..<(threads.count &+ 16) {
            if place < threads.count { processTable.prefetch(hashes[place]) }
            if place >= 8, place &- 8 < threads.count, let index = processTable.peek(hashes[place &- 8]) {
                ebpftrace_prefetch(keys.base + Int(index))
            }
            guard place >= 16 else { continue }
            let key = ProcessKey(threads[place &- 16])
            if let index = processTable.find(hashes[place &- 16], where: { keys[Int($0)] == key }) {
                indexes[place &- 16] = index
            }
        }
    }

    private mutating func service(_ scope: UInt64, _ processID: UInt64) -> UInt32 {
        let hash = Self.serviceHash(scope, processID)
        let known = serviceTable.find(hash) {
            services[Int($0)].scope == scope && services[Int($0)].processID == processID
        }
        if let known { return known }
        let service = Service(scope: scope, processID: processID, references: 0, lastEntryEpoch: 0)
        let index: UInt32
        if let slot = freeServices.popLast() {
            index = slot
            services[Int(slot)] = service
        } else {
            index = UInt32(services.count)
            services.append(service)
        }
        serviceTable.insert(hash, index)
        return index
    }

    @inline(__always) func clock(of process: UInt32) -> Int64 { clocks[Int(process)] }

    @inline(__always) mutating func retain(_ process: UInt32) { processes[Int(process)].references &+= 1 }

    @inline(__always) mutating func release(_ process: UInt32) {
        processes[Int(process)].references &-= 1
        if processes[Int(process)].references == 0 { forget(process) }
    }

    private mutating func forget(_ index: UInt32) {
        processTable.remove(Self.hash(keys[Int(index)]), index)
        freeProcesses.append(index)
        services[Int(processes[Int(index)].service)].references &-= 1
    }

    /// Forgets services that no process names and whose last entry is older than `horizon`. O(services).
    mutating func expireServices(before horizon: UInt64) {
        for index in services.indices where services[index].references == 0 {
            let service = services[index]
            // One that is forgotten already is not in the table.
            guard service.lastEntryEpoch <= horizon,
                serviceTable.remove(Self.serviceHash(service.scope, service.processID), UInt32(index)) else { continue }
            freeServices.append(UInt32(index))
        }
    }

    mutating func noteEntry(of process: UInt32, epoch: UInt64) {
        let service = Int(processes[Int(process)].service)
        services[service].lastEntryEpoch = max(services[service].lastEntryEpoch, epoch &+ 1)
    }

    /// Whether an entry of the same scope and pid arrived in or after `epoch`.
    func servedRequests(_ process: UInt32, since epoch: UInt64) -> Bool {
        services[Int(processes[Int(process)].service)].lastEntryEpoch > epoch
    }

    // MARK: Entries and exits

    /// Puts an entry on its process's timeline.
    @inline(__always)
    mutating func addEntry(span: UInt32, process: UInt32, kernelTime: Int64, duration: UInt32) -> UInt32 {
        let node: UInt32
        if let slot = freeEntries.popLast() {
            node = slot
            entries[Int(slot)] = EntryNode(span: span)
        } else {
            node = UInt32(entries.count)
            entries.append(EntryNode(span: span))
        }
        timelines[Int(process)].add(EntryTimeline.Entry(start: kernelTime, duration: duration, node: node))
        touch(Int(process))
        retain(process)
        return node
    }

    /// The entry's trace is closed: from now on the node names a closed span, until its generation is swept.
    @inline(__always) mutating func close(_ node: UInt32, closedSpan: UInt32, generation: Int) {
        entries[Int(node)] = EntryNode(closedSpan: closedSpan, generation: generation)
    }

    /// Takes all entries out that were closed in `generation`. O(entries).
    mutating func sweep(generation: Int) {
        var free = Column<UInt32>(capacity: 1)
        swap(&free, &freeEntries)
        defer { swap(&free, &freeEntries) }
        for process in processes.indices where timelines[process].count > 0 {
            let gone = timelines[process].sweep(generation: generation, nodes: entries, into: &free)
            guard gone > 0 else { continue }
            processes[process].references &-= UInt32(gone)
            if processes[process].references == 0 { forget(UInt32(process)) }
        }
    }

    /// Puts an exit without entry on its process's list.
    mutating func addExit(span: UInt32, process: UInt32) -> UInt32 {
        let head = processes[Int(process)].firstExit
        let exit = ExitNode(span: span, process: process, previous: Self.none, next: head)
        let node: UInt32
        if let slot = freeExits.popLast() {
            node = slot
            exits[Int(slot)] = exit
        } else {
            node = UInt32(exits.count)
            exits.append(exit)
        }
        if head != Self.none { exits[Int(head)].previous = node }
        processes[Int(process)].firstExit = node
        retain(process)
        return node
    }

    mutating func removeExit(_ node: UInt32) {
        let exit = exits[Int(node)]
        if exit.previous != Self.none {
            exits[Int(exit.previous)].next = exit.next
        } else {
            processes[Int(exit.process)].firstExit = exit.next
        }
        if exit.next != Self.none { exits[Int(exit.next)].previous = exit.previous }
        freeExits.append(node)
        release(exit.process)
    }

    @inline(__always) private mutating func touch(_ process: Int) {
        guard !processes[process].isTouched, processes[process].firstExit != Self.none else { return }
        processes[process].isTouched = true
        touched.append(UInt32(process))
    }

    /// The processes with waiting exits that got entries since the last time.
    mutating func takeTouched() -> [UInt32] {
        for process in touched { processes[Int(process)].isTouched = false }
        defer { touched.removeAll(keepingCapacity: true) }
        return touched
    }

    // MARK: The question

    enum Answer: Equatable {
        case nobody
        case one(node: UInt32)
        case several
    }

    /// The entries of `process` that were open at `time`. O(log entries).
    mutating func openEntries(of process: UInt32, at time: Int64, latest: Bool) -> Answer {
        timelines[Int(process)].openEntries(at: time, latest: latest)
    }
}

/// The timelines by process, in memory that is written without asking each time whether it is shared.
struct TimelineList: ~Copyable {
    private var base: UnsafeMutablePointer<EntryTimeline>
    private var count = 0
    private var capacity = 16

    init() { base = .allocate(capacity: capacity) }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    subscript(_ process: Int) -> EntryTimeline {
        unsafeAddress { UnsafePointer(base + process) }
        nonmutating unsafeMutableAddress { base + process }
    }

    mutating func append() {
        if count == capacity {
            capacity *= 2
            let larger = UnsafeMutablePointer<EntryTimeline>.allocate(capacity: capacity)
            larger.moveInitialize(from: base, count: count)
            base.deallocate()
            base = larger
        }
        (base + count).initialize(to: EntryTimeline())
        count += 1
    }
}
