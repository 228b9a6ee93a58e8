/// What closed traces leave behind for `late_window`, so that a late span finds its trace and its decision.
///
///     kept trace      ClosedTrace (id, size) ◀── ClosedSpan (id, times, application trace) ◀── keys
///     dropped trace   keys only, which name `dropped`
///
/// Keys are the thread keys of entries and of exits without entry, and the net facts of spans whose other end never
/// came; a matched net key leaves nothing. (The entries' process keys stay as nodes of `ProcessIndex`.)
/// Keys lie in generations, a quarter of `late_window` each; the oldest is thrown away whole. Lookups are O(generations).
struct ClosedTraces: ~Copyable {
    /// Stands for every span of every dropped trace.
    static let dropped = UInt32.max
    private static let generationCount: UInt64 = 4

    struct ClosedTrace {
        var id: TraceID
        var spans: Int
        var references: UInt32
    }

    struct ClosedSpan {
        var id: SpanID
        var trace: UInt32
        var start: Int64
        /// The last kernel time at which it was open; `nil` in effect (`.max`) when that is not known.
        var end: Int64
        var applicationTrace: TraceID
        var isApplicationHex: Bool
    }

    struct ThreadRecord {
        var key: UInt64
        var start: Int64
        var id: SpanID
        var span: UInt32
        var isEntry: Bool
    }

    struct NetRecord {
        var end: NetEnd
        var id: SpanID
        var span: UInt32
    }

    private struct Generation: ~Copyable {
        var firstEpoch: UInt64
        var threads: [ThreadRecord] = []
        var threadTable = KeyTable(minimumCapacity: 64)
        var requests: [NetRecord] = []
        var requestTable = KeyTable(minimumCapacity: 64)
        var spans: [UInt32] = []
        var nodes: [UInt32] = []

        init(firstEpoch: UInt64) { self.firstEpoch = firstEpoch }
    }

    private(set) var spans: [ClosedSpan] = []
    private(set) var traces: [ClosedTrace] = []
    private var freeSpans: [UInt32] = []
    private var freeTraces: [UInt32] = []
    private var generations = GenerationList()
    private let lateWindow: UInt64
    private let candidateLimit: Int

    /// Four slots used in turn: noncopyable values cannot lie in an Array.
    private struct GenerationList: ~Copyable {
        private var slots: UnsafeMutablePointer<Generation>
        private(set) var count = 0

        init() { slots = .allocate(capacity: Int(ClosedTraces.generationCount) + 2) }

        deinit {
            slots.deinitialize(count: count)
            slots.deallocate()
        }

        subscript(_ place: Int) -> Generation {
            unsafeAddress { UnsafePointer(slots + place) }
            nonmutating unsafeMutableAddress { slots + place }
        }

        mutating func append(_ generation: consuming Generation) {
            (slots + count).initialize(to: generation)
            count += 1
        }

        mutating func removeFirst() -> Generation {
            let first = slots.move()
            slots.moveUpdate(from: slots + 1, count: count - 1)
            count -= 1
            return first
        }
    }

    init(lateWindowEpochs: UInt64, candidateLimit: Int) {
        lateWindow = lateWindowEpochs
        self.candidateLimit = candidateLimit
    }

    // MARK: Time

    /// Moves to `epoch`: opens a generation when it is time, and throws away what is older than `late_window`.
    /// Returns the nodes of the process index that went with it.
    mutating func advance(to epoch: UInt64) -> [UInt32] {
        let length = max(1, lateWindow / Self.generationCount)
        var nodes: [UInt32] = []
        while generations.count > 0, generations[0].firstEpoch &+ length &+ lateWindow <= epoch {
            let oldest = generations.removeFirst()
            for span in oldest.spans { free(span) }
            nodes += oldest.nodes
        }
        let isDue = generations.count == 0 || generations[generations.count - 1].firstEpoch &+ length <= epoch
        if isDue, generations.count <= Int(Self.generationCount) { generations.append(Generation(firstEpoch: epoch)) }
        return nodes
    }

    private mutating func free(_ span: UInt32) {
        let trace = Int(spans[Int(span)].trace)
        freeSpans.append(span)
        traces[trace].references -= 1
        if traces[trace].references == 0 { freeTraces.append(UInt32(trace)) }
    }

    // MARK: Closing

    mutating func add(_ trace: ClosedTrace) -> UInt32 {
        if let slot = freeTraces.popLast() {
            traces[Int(slot)] = trace
            return slot
        }
        traces.append(trace)
        return UInt32(traces.count - 1)
    }

    mutating func grow(_ trace: UInt32, by count: Int) { traces[Int(trace)].spans += count }

    /// Frees a trace that left no key at all.
    mutating func dropIfUnused(_ trace: UInt32) {
        if traces[Int(trace)].references == 0 { freeTraces.append(trace) }
    }

    mutating func add(_ span: ClosedSpan) -> UInt32 {
        traces[Int(span.trace)].references += 1
        let index: UInt32
        if let slot = freeSpans.popLast() {
            spans[Int(slot)] = span
            index = slot
        } else {
            index = UInt32(spans.count)
            spans.append(span)
        }
        generations[generations.count - 1].spans.append(index)
        return index
    }

    mutating func keep(node: UInt32) { generations[generations.count - 1].nodes.append(node) }

    /// Leaves a thread key. One record a key and kind: of entries the last one, of exits the first one.
    mutating func add(_ record: ThreadRecord) {
        let place = generations.count - 1
        let hash = KeyTable.hash(record.key)
        let found = generations[place].threadTable.find(hash) {
            generations[place].threads[Int($0)].key == record.key
                && generations[place].threads[Int($0)].isEntry == record.isEntry
        }
        guard let found else {
            generations[place].threadTable.insert(hash, UInt32(generations[place].threads.count))
            generations[place].threads.append(record)
            return
        }
        let old = generations[place].threads[Int(found)]
        let isLater = (old.start, old.id) < (record.start, record.id)
        if isLater == record.isEntry { generations[place].threads[Int(found)] = record }
    }

    /// Leaves the net facts of a span whose other end never came.
    mutating func add(_ record: NetRecord) {
        let place = generations.count - 1
        generations[place].requestTable.insert(
            KeyTable.hash(record.end.requestSequence), UInt32(generations[place].requests.count))
        generations[place].requests.append(record)
    }

    // MARK: Lookups for late spans

    /// The closed entry (or first closed exit without entry) with this thread key.
    func thread(_ key: UInt64, isEntry: Bool) -> ThreadRecord? {
        let hash = KeyTable.hash(key)
        var best: ThreadRecord?
        for place in 0..<generations.count {
            guard let index = generations[place].threadTable.find(hash, where: {
                generations[place].threads[Int($0)].key == key
                    && generations[place].threads[Int($0)].isEntry == isEntry
            }) else { continue }
            let record = generations[place].threads[Int(index)]
            if let old = best, ((old.start, old.id) < (record.start, record.id)) != isEntry { continue }
            best = record
        }
        return best
    }

    /// Takes the closed other end of `end` out, by the order of rules R1a, R1b, R2, then the smallest start difference.
    mutating func takeOtherEnd(of end: NetEnd) -> (record: NetRecord, evidence: LinkEvidence)? {
        let hash = KeyTable.hash(end.requestSequence)
        var best: (rank: Int, difference: UInt64, id: SpanID, place: Int, index: UInt32)?
        var looked = 0
        for place in 0..<generations.count {
            _ = generations[place].requestTable.find(hash) { index in
                let record = generations[place].requests[Int(index)]
                guard record.end.requestSequence == end.requestSequence else { return false }
                looked += 1
                guard record.end.isIncoming != end.isIncoming, let rank = Self.rank(record.end, end) else {
                    return looked >= candidateLimit
                }
                let difference = (record.end.start &- end.start).magnitude
                if let old = best, (old.rank, old.difference, old.id) <= (rank, difference, record.id) {
                    return looked >= candidateLimit
                }
                best = (rank, difference, record.id, place, index)
                return looked >= candidateLimit
            }
        }
        guard let best else { return nil }
        let record = generations[best.place].requests[Int(best.index)]
        generations[best.place].requestTable.remove(hash, best.index)
        return (record, best.rank == 0 ? .net : best.rank <= 2 ? .netKey : .netWeak)
    }

    /// 0: R1a, 1: R1b by initiator, 2: R1b by key, 3: R2 by flow, 4: R2 by initiator.
    private static func rank(_ one: NetEnd, _ other: NetEnd) -> Int? {
        let haveFlows = one.hasFlow && other.hasFlow
        if one.isStrong, other.isStrong, one.responseSequence == other.responseSequence {
            if haveFlows, one.flow == other.flow { return 0 }
            return haveFlows && one.initiator == other.initiator ? 1 : 2
        }
        guard haveFlows else { return nil }
        return one.flow == other.flow ? 3 : one.initiator == other.initiator ? 4 : nil
    }
}
