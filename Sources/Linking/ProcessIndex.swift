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
    }

    struct Process {
        var key: ProcessKey
        var service: UInt32
        /// Open spans and nodes that name the process; at 0 it is forgotten.
        var references: UInt32
        var firstExit: UInt32
        /// True while the process stands in `touched`.
        var isTouched = false
    }

    /// An entry: the open span, or the closed span (`isClosed`) it became.
    struct EntryNode {
        var kernelTime: Int64
        var duration: UInt32
        var span: UInt32
        var process: UInt32
        var isClosed: Bool
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

    private struct ServiceKey: Hashable {
        var scope: UInt64
        var processID: UInt64
    }

    private(set) var processes = Column<Process>()
    private(set) var entries = Column<EntryNode>()
    private(set) var exits = Column<ExitNode>()
    /// By process.
    private var timelines = TimelineList()
    private(set) var services = Column<Service>()
    private var processOf: [ProcessKey: UInt32] = [:]
    private var serviceOf: [ServiceKey: UInt32] = [:]
    private var freeProcesses = Column<UInt32>()
    private var freeEntries = Column<UInt32>()
    private var freeExits = Column<UInt32>()
    private var freeServices = Column<UInt32>()
    /// Processes with waiting exits that got entries.
    private var touched: [UInt32] = []

    init() {}

    var processCount: Int { processOf.count }
    var nodeCount: Int { entries.count - freeEntries.count + exits.count - freeExits.count }

    // MARK: Processes

    /// The index of a process; makes it when it is new. Whoever keeps the index calls `retain`.
    mutating func process(_ key: ProcessKey) -> UInt32 {
        if let index = processOf[key] { return index }
        let process = Process(
            key: key, service: service(ServiceKey(scope: key.scope, processID: key.processID)), references: 0,
            firstExit: Self.none)
        let index: UInt32
        if let slot = freeProcesses.popLast() {
            index = slot
            processes[Int(slot)] = process
        } else {
            index = UInt32(processes.count)
            processes.append(process)
            timelines.append()
        }
        processOf[key] = index
        services[Int(process.service)].references &+= 1
        return index
    }

    private mutating func service(_ key: ServiceKey) -> UInt32 {
        if let index = serviceOf[key] { return index }
        let service = Service(scope: key.scope, processID: key.processID, references: 0, lastEntryEpoch: 0)
        let index: UInt32
        if let slot = freeServices.popLast() {
            index = slot
            services[Int(slot)] = service
        } else {
            index = UInt32(services.count)
            services.append(service)
        }
        serviceOf[key] = index
        return index
    }

    @inline(__always) mutating func retain(_ process: UInt32) { processes[Int(process)].references &+= 1 }

    @inline(__always) mutating func release(_ process: UInt32) {
        processes[Int(process)].references &-= 1
        if processes[Int(process)].references == 0 { forget(process) }
    }

    private mutating func forget(_ index: UInt32) {
        let process = processes[Int(index)]
        processOf[process.key] = nil
        freeProcesses.append(index)
        services[Int(process.service)].references &-= 1
    }

    /// Forgets services that no process names and whose last entry is older than `horizon`. O(services).
    mutating func expireServices(before horizon: UInt64) {
        for index in services.indices where services[index].references == 0 {
            let service = services[index]
            let key = ServiceKey(scope: service.scope, processID: service.processID)
            guard serviceOf[key] == UInt32(index), service.lastEntryEpoch <= horizon else { continue }
            serviceOf[key] = nil
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
    mutating func addEntry(span: UInt32, record: SpanRecord) -> UInt32 {
        let entry = EntryNode(
            kernelTime: record.kernelTime, duration: record.duration, span: span, process: record.process,
            isClosed: false)
        let node: UInt32
        if let slot = freeEntries.popLast() {
            node = slot
            entries[Int(slot)] = entry
        } else {
            node = UInt32(entries.count)
            entries.append(entry)
        }
        timelines[Int(record.process)].add(
            EntryTimeline.Entry(start: entry.kernelTime, duration: entry.duration, node: node))
        touch(Int(record.process))
        retain(record.process)
        return node
    }

    mutating func removeEntry(_ node: UInt32) {
        let entry = entries[Int(node)]
        timelines[Int(entry.process)].remove(
            EntryTimeline.Entry(start: entry.kernelTime, duration: entry.duration, node: node))
        freeEntries.append(node)
        release(entry.process)
    }

    /// The entry's trace is closed: from now on the node names a closed span.
    mutating func close(_ node: UInt32, closedSpan: UInt32) {
        entries[Int(node)].isClosed = true
        entries[Int(node)].span = closedSpan
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

    private mutating func touch(_ process: Int) {
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
