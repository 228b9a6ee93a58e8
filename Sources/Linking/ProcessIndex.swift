/// Who served what when, per process key: answers rule R4's question "which entries were open at this moment?".
///
///     process ──▶ entries: node ⇄ node ⇄ …   (entry spans, open or of closed traces, with ktime and end)
///             ──▶ exits:   node ⇄ node ⇄ …   (exits that have no entry with their thread key, not yet joined)
///             ──▶ timeline (only where there are many entries): the same entries sorted, for O(log n) answers
///
/// Few entries are looked through one by one; from `timelineThreshold` on, the sorted timeline answers: the number of
/// entries open at t is (starts ≤ t) - (ends < t), and when it is one, the exclusive-or of the nodes of both prefixes
/// names it. Building costs O(n log n) per epoch in which the process got entries and was asked.
struct ProcessIndex: ~Copyable {
    static let none = UInt32.max
    static let timelineThreshold: UInt32 = 48

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
        var firstEntry: UInt32
        var entryCount: UInt32
        var firstExit: UInt32
        /// True while `timelines` holds no or an old timeline of the process.
        var timelineIsStale: Bool
        /// True while the process stands in `touched`.
        var isTouched = false
    }

    struct Node {
        var kernelTime: Int64
        var end: Int64
        /// The open span, or the closed span (`isClosed`).
        var span: UInt32
        var previous: UInt32
        var next: UInt32
        var process: UInt32
        var isClosed: Bool
        var isExit: Bool
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

    /// The entries of one process, sorted twice.
    private struct Timeline {
        var starts: [Int64] = []
        var startNodes: [UInt32] = []
        /// Exclusive-or of the nodes before each place.
        var startMix: [UInt32] = [0]
        var ends: [Int64] = []
        var endMix: [UInt32] = [0]
        /// A heap-shaped tree over `startNodes` with the largest end below each place, for `latest`. It has at least
        /// one leaf more than there are entries, so that "before place n" is always a leaf.
        var largestEnd: [Int64] = []
        var leaves = 0
    }

    private(set) var processes: [Process] = []
    private(set) var nodes: [Node] = []
    private(set) var services: [Service] = []
    private var processOf: [ProcessKey: UInt32] = [:]
    private var serviceOf: [ServiceKey: UInt32] = [:]
    private var freeProcesses: [UInt32] = []
    private var freeNodes: [UInt32] = []
    private var freeServices: [UInt32] = []
    private var timelines: [UInt32: Timeline] = [:]
    /// Processes with exits without entry that got or lost entries.
    private var touched: [UInt32] = []

    init() {}

    var processCount: Int { processOf.count }
    var nodeCount: Int { nodes.count - freeNodes.count }

    // MARK: Processes

    /// The index of a process; makes it when it is new. Whoever keeps the index calls `retain`.
    mutating func process(_ key: ProcessKey) -> UInt32 {
        if let index = processOf[key] { return index }
        let process = Process(
            key: key, service: service(ServiceKey(scope: key.scope, processID: key.processID)), references: 0,
            firstEntry: Self.none, entryCount: 0, firstExit: Self.none, timelineIsStale: true)
        let index: UInt32
        if let slot = freeProcesses.popLast() {
            index = slot
            processes[Int(slot)] = process
        } else {
            index = UInt32(processes.count)
            processes.append(process)
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
        timelines[index] = nil
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

    // MARK: Nodes

    /// Puts an entry, or an exit without entry, on its process's list.
    mutating func addNode(span: UInt32, record: SpanRecord, isExit: Bool) -> UInt32 {
        let process = Int(record.process)
        let head = isExit ? processes[process].firstExit : processes[process].firstEntry
        let node = Node(
            kernelTime: record.kernelTime, end: record.end, span: span, previous: Self.none, next: head,
            process: record.process, isClosed: false, isExit: isExit)
        let index: UInt32
        if let slot = freeNodes.popLast() {
            index = slot
            nodes[Int(slot)] = node
        } else {
            index = UInt32(nodes.count)
            nodes.append(node)
        }
        if head != Self.none { nodes[Int(head)].previous = index }
        if isExit {
            processes[process].firstExit = index
        } else {
            processes[process].firstEntry = index
            processes[process].entryCount &+= 1
            touch(process)
        }
        retain(record.process)
        return index
    }

    mutating func removeNode(_ index: UInt32) {
        let node = nodes[Int(index)]
        if node.previous != Self.none {
            nodes[Int(node.previous)].next = node.next
        } else if node.isExit {
            processes[Int(node.process)].firstExit = node.next
        } else {
            processes[Int(node.process)].firstEntry = node.next
        }
        if node.next != Self.none { nodes[Int(node.next)].previous = node.previous }
        if !node.isExit {
            processes[Int(node.process)].entryCount &-= 1
            touch(Int(node.process))
        }
        freeNodes.append(index)
        release(node.process)
    }

    private mutating func touch(_ process: Int) {
        processes[process].timelineIsStale = true
        guard !processes[process].isTouched, processes[process].firstExit != Self.none else { return }
        processes[process].isTouched = true
        touched.append(UInt32(process))
    }

    /// The processes with exits without entry that got or lost entries since the last time.
    mutating func takeTouched() -> [UInt32] {
        for process in touched { processes[Int(process)].isTouched = false }
        defer { touched.removeAll(keepingCapacity: true) }
        return touched
    }

    /// The entry's trace is closed: from now on the node names a closed span.
    mutating func close(_ node: UInt32, closedSpan: UInt32) {
        nodes[Int(node)].isClosed = true
        nodes[Int(node)].span = closedSpan
    }

    // MARK: The question

    enum Answer: Equatable {
        case nobody
        case one(node: UInt32)
        case several
    }

    /// The entries of `process` that were open at `time`. O(entries) below the threshold, else O(log entries).
    mutating func openEntries(of process: UInt32, at time: Int64, latest: Bool) -> Answer {
        guard processes[Int(process)].entryCount > Self.timelineThreshold else {
            return lookThrough(process, at: time, latest: latest)
        }
        if processes[Int(process)].timelineIsStale { buildTimeline(process) }
        guard let timeline = timelines[process] else { return .nobody }
        let started = Self.firstPlace(in: timeline.starts) { $0 > time }
        let ended = Self.firstPlace(in: timeline.ends) { $0 >= time }
        let open = started - ended
        if open <= 0 { return .nobody }
        if open == 1 { return .one(node: timeline.startMix[started] ^ timeline.endMix[ended]) }
        return latest ? Self.latest(in: timeline, before: started, openAt: time) : .several
    }

    private func lookThrough(_ process: UInt32, at time: Int64, latest: Bool) -> Answer {
        var found = Self.none
        var node = processes[Int(process)].firstEntry
        while node != Self.none {
            let entry = nodes[Int(node)]
            if entry.kernelTime <= time, time <= entry.end {
                if found == Self.none {
                    found = node
                } else if !latest {
                    return .several
                } else if (entry.kernelTime, entry.end) > (nodes[Int(found)].kernelTime, nodes[Int(found)].end) {
                    found = node
                } else if (entry.kernelTime, entry.end) == (nodes[Int(found)].kernelTime, nodes[Int(found)].end) {
                    return .several
                }
            }
            node = entry.next
        }
        return found == Self.none ? .nobody : .one(node: found)
    }

    private mutating func buildTimeline(_ process: UInt32) {
        var order: [UInt32] = []
        order.reserveCapacity(Int(processes[Int(process)].entryCount))
        var node = processes[Int(process)].firstEntry
        while node != Self.none {
            order.append(node)
            node = nodes[Int(node)].next
        }
        var timeline = Timeline()
        order.sort { (nodes[Int($0)].kernelTime, nodes[Int($0)].end) < (nodes[Int($1)].kernelTime, nodes[Int($1)].end) }
        timeline.startNodes = order
        for node in order {
            timeline.starts.append(nodes[Int(node)].kernelTime)
            timeline.startMix.append(timeline.startMix[timeline.startMix.count - 1] ^ node)
        }
        timeline.leaves = (order.count + 1).nextPowerOfTwo
        timeline.largestEnd = [Int64](repeating: .min, count: timeline.leaves * 2)
        for (place, node) in order.enumerated() { timeline.largestEnd[timeline.leaves + place] = nodes[Int(node)].end }
        for place in stride(from: timeline.leaves - 1, to: 0, by: -1) {
            timeline.largestEnd[place] = max(timeline.largestEnd[place * 2], timeline.largestEnd[place * 2 + 1])
        }
        order.sort { nodes[Int($0)].end < nodes[Int($1)].end }
        for node in order {
            timeline.ends.append(nodes[Int(node)].end)
            timeline.endMix.append(timeline.endMix[timeline.endMix.count - 1] ^ node)
        }
        timelines[process] = timeline
        processes[Int(process)].timelineIsStale = false
    }

    private static func firstPlace(in sorted: [Int64], where reached: (Int64) -> Bool) -> Int {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if reached(sorted[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The last entry before place `started` whose end is not before `time`, by descent in the tree of largest ends.
    private static func latest(in timeline: Timeline, before started: Int, openAt time: Int64) -> Answer {
        func lastOpen(before limit: Int) -> Int? {
            var place = timeline.leaves + limit
            // Climb until a left neighbour's subtree holds an open entry, then go down its right-most way.
            while place > 1 {
                if place & 1 == 1, timeline.largestEnd[place - 1] >= time {
                    var down = place - 1
                    while down < timeline.leaves {
                        down = timeline.largestEnd[down * 2 + 1] >= time ? down * 2 + 1 : down * 2
                    }
                    return down - timeline.leaves
                }
                place /= 2
            }
            return nil
        }
        guard let place = lastOpen(before: started) else { return .nobody }
        if let second = lastOpen(before: place), timeline.starts[second] == timeline.starts[place],
            timeline.largestEnd[timeline.leaves + second] == timeline.largestEnd[timeline.leaves + place] {
            return .several
        }
        return .one(node: timeline.startNodes[place])
    }
}

extension Int {
    var nextPowerOfTwo: Int {
        var power = 1
        while power < self { power *= 2 }
        return power
    }
}
