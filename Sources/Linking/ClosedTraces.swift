/// What closed traces leave behind for `late_window`, so that a late span finds its trace and its decision.
///
///     kept trace      ClosedTrace (id, size) ◀── ClosedSpan (id, times, application trace) ◀── keys
///     dropped trace   thread keys as 8-byte fingerprints; net facts that name `dropped`
///
/// Keys are the thread keys of entries and of exits without entry, and the net facts of spans whose other end never
/// came; a matched net key leaves nothing. (The entries' process keys stay as nodes of `ProcessIndex`.)
/// Keys lie in generations, a quarter of `late_window` each, which are thrown away whole. Lookups are O(generations).
struct ClosedTraces: ~Copyable {
    /// Stands for every span of every dropped trace.
    static let dropped = UInt32.max
    /// Generations of one `late_window`.
    private static let generationsPerWindow: UInt64 = 4

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
        /// The next record of the generation with the same `req_seq`; `none` at the end.
        var next = SpanRecord.none
        /// True once a late span took it.
        var isTaken = false
    }

    /// Thread keys of one kind of span.
    struct ThreadKeys: ~Copyable {
        var records = Column<ThreadRecord>()
        var table = KeyTable(minimumCapacity: 16)
        /// Of dropped traces: a table whose indexes are the other half of the key's hash.
        var dropped = KeyTable(minimumCapacity: 16)

        var isEmpty: Bool { table.count == 0 && dropped.count == 0 }

        func find(_ key: UInt64) -> UInt32? {
            if table.count == 0 { return nil }
            return table.find(KeyTable.hash(key)) { records[Int($0)].key == key }
        }

        /// One record a key: of entries the last one, of exits the first one.
        mutating func add(_ record: ThreadRecord) {
            guard let found = find(record.key) else {
                table.insert(KeyTable.hash(record.key), UInt32(records.count))
                records.append(record)
                return
            }
            let old = records[Int(found)]
            let isLater = (old.start, old.id) < (record.start, record.id)
            if isLater == record.isEntry { records[Int(found)] = record }
        }

        mutating func addDropped(_ key: UInt64) {
            let (hash, fingerprint) = Self.fingerprint(key)
            let slot = dropped.probe(hash) { $0 == fingerprint }
            if slot.pointee.index == nil { dropped.occupy(slot, hash, fingerprint) }
        }

        func hasDropped(_ key: UInt64) -> Bool {
            if dropped.count == 0 { return false }
            let (hash, fingerprint) = Self.fingerprint(key)
            return dropped.find(hash) { $0 == fingerprint } != nil
        }

        /// 63 bits of hashes of the key, in the two halves of a table's slot.
        @inline(__always) private static func fingerprint(_ key: UInt64) -> (hash: UInt32, fingerprint: UInt32) {
            (KeyTable.hash(key), UInt32(truncatingIfNeeded: (key &* 0xC2B2_AE3D_27D4_EB4F) &>> 33))
        }
    }

    /// The keys left in one stretch of epochs.
    struct Generation: ~Copyable {
        /// The epoch from which on it is forgotten; 0: it is empty.
        var expiry: UInt64 = 0
        var entries = ThreadKeys()
        var exits = ThreadKeys()
        var requests = Column<NetRecord>()
        /// The first record of each `req_seq`.
        var requestTable = KeyTable(minimumCapacity: 64)
        var spans = Column<UInt32>()
        /// Whether nodes of the process index were closed in it.
        var hasNodes = false
    }

    private(set) var spans = Column<ClosedSpan>()
    private(set) var traces = Column<ClosedTrace>()
    private var freeSpans = Column<UInt32>()
    private var freeTraces = Column<UInt32>()
    private let generations: GenerationRing
    private var current = 0
    /// Whether any exit left its thread key: seldom, and then nobody has to look.
    private var hasExitKeys = false
    private let lateWindow: UInt64
    private let candidateLimit: Int

    /// Slots used in turn: noncopyable values cannot lie in an Array.
    struct GenerationRing: ~Copyable {
        /// One window's generations, the one being filled, and the one whose last keys are not old enough yet.
        static let count = Int(ClosedTraces.generationsPerWindow) + 2
        private let slots: UnsafeMutablePointer<Generation>

        init() {
            slots = .allocate(capacity: Self.count)
            for place in 0..<Self.count { (slots + place).initialize(to: Generation()) }
        }

        deinit {
            slots.deinitialize(count: Self.count)
            slots.deallocate()
        }

        subscript(_ place: Int) -> Generation {
            unsafeAddress { UnsafePointer(slots + place) }
            nonmutating unsafeMutableAddress { slots + place }
        }
    }

    init(lateWindowEpochs: UInt64, candidateLimit: Int) {
        lateWindow = lateWindowEpochs
        self.candidateLimit = candidateLimit
        generations = GenerationRing()
    }

    // MARK: Time

    /// Moves to `epoch`: throws away what is older than `late_window`. Returns the generations whose nodes in the
    /// process index go with it. Borders of generations are multiples of their length, so they do not depend on who
    /// called when.
    mutating func advance(to epoch: UInt64) -> [Int] {
        var gone: [Int] = []
        for place in 0..<GenerationRing.count
        where generations[place].expiry != 0 && generations[place].expiry <= epoch {
            for item in generations[place].spans.indices { free(generations[place].spans[item]) }
            if generations[place].hasNodes { gone.append(place) }
            generations[place] = Generation()
        }
        hasExitKeys = (0..<GenerationRing.count).contains { !generations[$0].exits.isEmpty }
        let length = max(1, lateWindow / Self.generationsPerWindow)
        let number = epoch / length
        current = Int(number % UInt64(GenerationRing.count))
        if generations[current].expiry == 0 {
            generations[current].expiry = (number &+ 1) &* length &+ lateWindow
        }
        return gone
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
        generations[current].spans.append(index)
        return index
    }

    /// The generation with which a node that is closed now will go.
    @inline(__always) mutating func keepNode() -> Int {
        generations[current].hasNodes = true
        return current
    }

    /// Leaves a thread key of a kept trace.
    mutating func add(_ record: ThreadRecord) {
        if record.isEntry {
            generations[current].entries.add(record)
        } else {
            generations[current].exits.add(record)
            hasExitKeys = true
        }
    }

    /// Leaves a thread key of a dropped trace.
    mutating func addDropped(threadKey: UInt64, isEntry: Bool) {
        if isEntry {
            generations[current].entries.addDropped(threadKey)
        } else {
            generations[current].exits.addDropped(threadKey)
            hasExitKeys = true
        }
    }

    /// Leaves the net facts of a span whose other end never came: of one `req_seq` at most `candidateLimit`.
    mutating func add(_ record: NetRecord) {
        let hash = KeyTable.hash(record.end.requestSequence)
        let index = UInt32(generations[current].requests.count)
        let first = generations[current].requestTable.find(hash) {
            generations[current].requests[Int($0)].end.requestSequence == record.end.requestSequence
        }
        if var last = first {
            var length = 1
            while generations[current].requests[Int(last)].next != SpanRecord.none {
                last = generations[current].requests[Int(last)].next
                length += 1
            }
            guard length < candidateLimit else { return }
            generations[current].requests[Int(last)].next = index
        } else {
            generations[current].requestTable.insert(hash, index)
        }
        generations[current].requests.append(record)
    }

    // MARK: Lookups for late spans

    /// The closed entry (or first closed exit without entry) with this thread key; of a dropped trace when no kept one
    /// left the key.
    mutating func thread(_ key: UInt64, isEntry: Bool) -> ThreadRecord? {
        if !isEntry, !hasExitKeys { return nil }
        var best: ThreadRecord?
        var isDropped = false
        func look(_ keys: borrowing ThreadKeys) {
            isDropped = isDropped || keys.hasDropped(key)
            guard let index = keys.find(key) else { return }
            let record = keys.records[Int(index)]
            if let old = best, ((old.start, old.id) < (record.start, record.id)) != isEntry { return }
            best = record
        }
        for place in 0..<GenerationRing.count {
            if isEntry { look(generations[place].entries) } else { look(generations[place].exits) }
        }
        if best == nil, isDropped {
            // No time is known of it: any kept child comes before it.
            return ThreadRecord(key: key, start: .max, id: .none, span: Self.dropped, isEntry: isEntry)
        }
        return best
    }

    /// Takes the closed other end of `end` out, by the order of rules R1a, R1b, R2, then the smallest start difference.
    /// Under `compat` the key alone decides.
    mutating func takeOtherEnd(
        of end: NetEnd, datakitCompatible: Bool
    ) -> (record: NetRecord, evidence: LinkEvidence)? {
        guard let best = otherEnd(of: end, datakitCompatible) else { return nil }
        generations[best.place].requests[Int(best.index)].isTaken = true
        let record = generations[best.place].requests[Int(best.index)]
        return (record, best.rank == 0 ? .net : best.rank <= 2 ? .netKey : .netWeak)
    }

    /// Whether `takeOtherEnd` would find one.
    mutating func hasOtherEnd(of end: NetEnd, datakitCompatible: Bool) -> Bool {
        otherEnd(of: end, datakitCompatible) != nil
    }

    /// Asks the cache for the place where a dropped entry's thread key will go.
    @inline(__always) func prefetchEntry(_ hash: UInt32) { generations[current].entries.dropped.prefetch(hash) }

    /// Asks the cache for what `hasOtherEnd` will look at.
    @inline(__always) func prefetchRequest(_ hash: UInt32) {
        for place in 0..<GenerationRing.count { generations[place].requestTable.prefetch(hash) }
    }

    private typealias Candidate = (rank: Int, difference: UInt64, id: SpanID, place: Int, index: UInt32)

    private mutating func otherEnd(of end: NetEnd, _ datakitCompatible: Bool) -> Candidate? {
        let hash = KeyTable.hash(end.requestSequence)
        var best: Candidate?
        for place in 0..<GenerationRing.count {
            var index = generations[place].requestTable.find(hash) {
                generations[place].requests[Int($0)].end.requestSequence == end.requestSequence
            } ?? SpanRecord.none
            while index != SpanRecord.none {
                let record = generations[place].requests[Int(index)]
                if !record.isTaken, let rank = Self.rank(record.end, end, datakitCompatible) {
                    let difference = (record.end.start &- end.start).magnitude
                    if best.map({ ($0.rank, $0.difference, $0.id) > (rank, difference, record.id) }) ?? true {
                        best = (rank, difference, record.id, place, index)
                    }
                }
                index = record.next
            }
        }
        return best
    }

    /// 0: R1a, 1: R1b by initiator, 2: R1b by key, 3: R2 by flow, 4: R2 by initiator.
    private static func rank(_ one: NetEnd, _ other: NetEnd, _ datakitCompatible: Bool) -> Int? {
        guard one.isIncoming != other.isIncoming else { return nil }
        let haveFlows = one.hasFlow && other.hasFlow
        if one.isStrong, other.isStrong, one.responseSequence == other.responseSequence {
            if datakitCompatible || haveFlows && one.flow == other.flow { return 0 }
            return haveFlows && one.initiator == other.initiator ? 1 : 2
        }
        guard haveFlows, !datakitCompatible else { return nil }
        return one.flow == other.flow ? 3 : one.initiator == other.initiator ? 4 : nil
    }
}
