/// The final merge: a set of spans in, traces out. Pure: no clock, no disk, no network, nothing random.
///
///     insert(partial graph)     spans join groups by equal req_seq and equal thread key
///     advance(to: watermark)    exits without entry join the group of the entry that is open in their process (R4);
///                               groups without a new span for a window close: rules R1 to R5, sampling, verdict
///     flush()                   closes everything
///
/// The result depends on the set of (span, epoch) alone: not on the order, the partitions, the workers or repeats, nor
/// on how far each worker runs ahead, nor on the steps in which the watermark moves.
/// With nothing closed before the last span came it does not depend on the epochs either (invariants 3a and 3b).
/// Cost is O(n log n) in the spans on any input. Memory without what closed traces left: about 130 bytes per open span
/// (record 72, table slots 20, entries 12, groups 10, the rest is room to grow).
///
/// Methods that only look are `mutating` too unless they are always inlined: for a call that borrows, Swift 6.3 copies
/// the whole struct first (1.6 KB).
public struct GraphMerge: ~Copyable {
    /// What became of a partial graph.
    public enum Insertion: Hashable, Sendable {
        case inserted(spans: Int)
        /// The same piece was here before.
        case repeated
        /// Another worker already told about one of the partitions in this epoch.
        case refusedOverlap
    }

    struct CommitRecord {
        var router: RouterOrdinal
        var position: LogPosition
        /// Open spans that name the commit; at 0 it is forgotten.
        var references: UInt32
        /// Place in the verdict in the making; `none` outside.
        var slot: UInt32
    }

    struct CommitKey: Hashable {
        var router: RouterOrdinal
        var position: LogPosition
    }

    struct PieceKey: Hashable {
        var firstPartition: UInt16
        var endPartition: UInt16
        var piece: UInt32
    }

    /// Spans that will probably be joined with one whose turn is near. (Not private: Swift 6.3 then breaks debug builds
    /// of other modules.)
    struct Found {
        var request = GraphMerge.none
        var thread = GraphMerge.none
    }

    static let none = UInt32.max

    public let options: LinkingOptions
    let limits: Limits
    let sampling: Sampling
    public internal(set) var statistics = LinkingStatistics()
    /// All facts of this epoch and before are in.
    public internal(set) var watermark = Epoch(0)

    var spans = SpanTable()
    var groups = SpanGroups()
    var processes = ProcessIndex()
    var closed: ClosedTraces
    var requestTable = KeyTable(minimumCapacity: 1024)
    var threadTable = KeyTable(minimumCapacity: 1024)
    var commits = Column<CommitRecord>()
    var freeCommits: [UInt32] = []
    var commitOf: [CommitKey: UInt32] = [:]
    var seen: [UInt64: Set<PieceKey>] = [:]
    /// Groups by the epoch in which they may close; looked at by `advance`.
    var calendar: [UInt64: [UInt32]] = [:]
    /// The calendar page that groups are put on at the moment, not in `calendar` yet, and its epoch.
    var openPage = Column<UInt32>()
    var openPageEpoch: UInt64 = 0
    /// Exits that came since the last step and had no entry with their thread key.
    var newExits = Column<UInt32>()
    /// True when spans came since the last step.
    var hasNews = false
    /// Pieces of epochs that come after the next one, checked, by epoch: what a fast worker tells must not be seen
    /// before its time, or the result would depend on who was fast.
    var early: [UInt64: [[UInt8]]] = [:]
    /// Entries of decided groups, while `flush` still has others to decide.
    var leavingNodes: [UInt32] = []
    /// The records of the partial graph at work.
    private var staged = Column<StagedSpan>()
    /// The span that each staged one became, for partners; our number of each of its commits and threads.
    private var inserted = Column<UInt32>()
    /// What was found for the next spans before their turn; a ring of 32.
    private var ahead = Column<Found>()
    private var commitIndexes = Column<UInt32>()
    private var threadIndexes = Column<UInt32>()
    var callers: KnownCallers
    var assembly = Assembly()
    /// False: every group is closed by the general rules (tests compare both ways).
    var closesSimply = true
    /// Groups that were closed the short way.
    var simpleGroups = 0
    var gathering = Gathering()

    public init(options: LinkingOptions = LinkingOptions(), limits: Limits = Limits()) {
        self.options = options
        self.limits = limits
        sampling = Sampling(rate: options.samplingRate)
        callers = KnownCallers(lateWindowEpochs: options.lateWindowEpochs)
        closed = ClosedTraces(lateWindowEpochs: options.lateWindowEpochs, candidateLimit: limits.lateCandidates)
    }

    /// Spans that wait for the end of their trace.
    public var openSpans: Int { spans.count }
    /// Bytes of the open spans' records; tables and closed traces come on top.
    public var recordBytes: Int { spans.bytesHeld }

    // MARK: Insertion

    /// Takes a partial graph in: all of it, or nothing when it is torn.
    public mutating func insert(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> Insertion {
        let decoder = try stage(bytes)
        let header = decoder.header
        if let outcome = alreadyKnown(header) { return outcome }
        if options.closesByTime, header.epoch > watermark.advanced(by: 1) {
            early[header.epoch.number, default: []].append(Array(bytes))
        } else {
            insertStaged(decoder)
        }
        return .inserted(spans: decoder.spanCount)
    }

    private mutating func stage(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> PartialGraphDecoder {
        var decoder = try PartialGraphDecoder(bytes)
        try decoder.readAll(into: &staged)
        return decoder
    }

    /// Takes in the pieces of `epoch` that came before their time.
    mutating func insertEarly(_ epoch: UInt64) {
        for piece in early.removeValue(forKey: epoch) ?? [] {
            piece.withUnsafeBytes { bytes in
                // It was read once before, so that it cannot be torn.
                do throws(CodecError) {
                    insertStaged(try stage(bytes))
                } catch {
                    statistics.check(false, "early_piece")
                }
            }
        }
    }

    private mutating func insertStaged(_ decoder: borrowing PartialGraphDecoder) {
        let epoch = decoder.header.epoch.number
        hasNews = true
        commitIndexes.removeAll()
        for commit in decoder.commits { commitIndexes.append(commitIndex(commit)) }
        processes.find(decoder.threads, into: &threadIndexes)
        inserted.removeAll()
        inserted.reserve(staged.count)
        ahead.fill(Found(), count: 32)
        for place in staged.indices {
            prefetch(place)
            let span = staged.base + place
            var process = Self.none
            if span.pointee.thread > 0 {
                let thread = Int(span.pointee.thread &- 1)
                if threadIndexes[thread] == Self.none {
                    threadIndexes[thread] = processes.process(
                        ProcessIndex.ProcessKey(decoder.threads[thread]), clock: span.pointee.clock)
                }
                process = threadIndexes[thread]
            }
            var sparse = Self.none
            if span.pointee.sparse > 0 { sparse = spans.insertSparse(decoder.sparse[Int(span.pointee.sparse) - 1]) }
            let back = Int(span.pointee.partner)
            inserted.append(
                insert(
                    span, process: process, commit: commitIndexes[Int(span.pointee.commit)], sparse: sparse,
                    epoch: epoch, partner: back > 0 ? inserted[place &- back] : Self.none))
        }
    }

    /// Takes one span in, outside any partial graph (tests and tools). Epochs must not come before their time.
    public mutating func insert(_ facts: SpanFacts, at address: RowAddress, epoch: Epoch) {
        hasNews = true
        let facts = facts.travelling
        let key = CommitKey(router: address.router, position: address.position)
        var staged = StagedSpan()
        (staged.requestSequence, staged.responseSequence) = (facts.requestSequence, facts.responseSequence)
        (staged.threadKey, staged.kernelTime) = (facts.threadKey, facts.kernelTime)
        let isTimed = facts.flags.contains(.hasKernelTime)
        staged.clock = isTimed ? facts.start &- facts.kernelTime / 1000 : facts.start
        staged.duration = facts.duration < 0 ? SpanRecord.noResponse : UInt32(clamping: facts.duration)
        (staged.flow, staged.initiator, staged.flags) = (facts.flow, facts.initiator, facts.flags)
        staged.row = address.row
        staged.requestHash = KeyTable.hash(facts.requestSequence)
        staged.threadHash = KeyTable.hash(facts.threadKey)
        var process = Self.none
        if facts.flags.contains(.hasPID), !facts.flags.contains(.passThrough) {
            let key = ProcessIndex.ProcessKey(
                scope: facts.scope, processID: facts.processID, threadID: facts.threadID,
                isUserThread: facts.flags.contains(.userThread))
            process = processes.process(key, clock: staged.clock)
        }
        var sparse = Self.none
        if !facts.flags.isDisjoint(with: [.hasApplication, .givenID, .passThrough]) {
            let given = facts.flags.isDisjoint(with: [.givenID, .passThrough]) ? SpanID.none : facts.id
            sparse = spans.insertSparse(SparseFacts(application: facts.application, givenID: given))
        }
        _ = insert(
            &staged, process: process, commit: commitIndex(key), sparse: sparse, epoch: epoch.number,
            partner: Self.none)
    }

    private mutating func alreadyKnown(_ header: PartialGraphHeader) -> Insertion? {
        let key = PieceKey(
            firstPartition: header.firstPartition, endPartition: header.endPartition, piece: header.piece)
        var pieces = seen[header.epoch.number] ?? []
        if pieces.contains(key) { return .repeated }
        for other in pieces where other.firstPartition != key.firstPartition || other.endPartition != key.endPartition {
            if other.firstPartition < key.endPartition, key.firstPartition < other.endPartition {
                return .refusedOverlap
            }
        }
        pieces.insert(key)
        seen[header.epoch.number] = pieces
        return nil
    }

    /// Four steps ahead of the insertion: the tables' slots, the spans they name, those spans' groups, and of two
    /// groups that will be joined the first span of the smaller one, which is relabelled.
    @inline(__always) private func prefetch(_ place: Int) {
        if place &+ 24 < staged.count {
            let record = staged.base + (place &+ 24)
            spans.prefetchFree(24)
            if !record.pointee.flags.contains(.incoming) { callers.prefetch(record.pointee.initiator) }
            if looksUpRequest(record) { requestTable.prefetch(record.pointee.requestHash) }
            if record.pointee.threadKey != 0 { threadTable.prefetch(record.pointee.threadHash) }
        }
        let found = Found(request: requestFound(place &+ 16), thread: threadFound(place &+ 16))
        ahead[(place &+ 16) & 31] = found
        if found.request != Self.none { spans.prefetch(found.request) }
        if found.thread != Self.none { spans.prefetch(found.thread) }
        let next = ahead[(place &+ 8) & 31]
        if next.request != Self.none { groups.prefetch(spans[next.request].group) }
        if next.thread != Self.none { groups.prefetch(spans[next.thread].group) }
        let soon = ahead[(place &+ 3) & 31]
        if soon.request == Self.none || soon.thread == Self.none { return }
        let (one, other) = (spans[soon.request].group, spans[soon.thread].group)
        if one != other { spans.prefetch(groups[groups[one].count < groups[other].count ? one : other].first) }
    }

    @inline(__always) private func looksUpRequest(_ record: UnsafeMutablePointer<StagedSpan>) -> Bool {
        record.pointee.partner == 0 && record.pointee.requestSequence != 0
    }

    /// The span with the `req_seq` of the one at `place`, as far as one can tell before its turn.
    @inline(__always) private func requestFound(_ place: Int) -> UInt32 {
        guard place < staged.count else { return Self.none }
        let record = staged.base + place
        if looksUpRequest(record) { return requestTable.peek(record.pointee.requestHash) ?? Self.none }
        let partner = place &- Int(record.pointee.partner)
        return partner < inserted.count ? inserted[partner] : Self.none
    }

    @inline(__always) private func threadFound(_ place: Int) -> UInt32 {
        guard place < staged.count, staged[place].threadKey != 0 else { return Self.none }
        return threadTable.peek(staged[place].threadHash) ?? Self.none
    }

    private mutating func commitIndex(_ commit: PartialGraphDecoder.Commit) -> UInt32 {
        commitIndex(CommitKey(router: commit.router, position: commit.position))
    }

    private mutating func commitIndex(_ key: CommitKey) -> UInt32 {
        if let index = commitOf[key] { return index }
        let record = CommitRecord(router: key.router, position: key.position, references: 0, slot: Self.none)
        let index: UInt32
        if let slot = freeCommits.popLast() {
            index = slot
            commits[Int(slot)] = record
        } else {
            index = UInt32(commits.count)
            commits.append(record)
        }
        commitOf[key] = index
        return index
    }

    /// Takes a staged span in; `partner`: the span that the graph says is the other end of its request.
    @inline(__always) private mutating func insert(
        _ staged: UnsafeMutablePointer<StagedSpan>, process: UInt32, commit: UInt32, sparse: UInt32,
        epoch: UInt64, partner: UInt32
    ) -> UInt32 {
        let span = place(staged, process: process, commit: commit, sparse: sparse)
        let record = spans.pointer(span)
        commits[Int(commit)].references &+= 1
        var isIrregular = !record.pointee.flags.isDisjoint(with: [.givenID, .passThrough])
        var group = Self.none
        if partner != Self.none {
            group = spans[partner].group
            isIrregular = !pair(span, partner) || isIrregular
        } else if record.pointee.hasRequest {
            let (sequence, hash) = (staged.pointee.requestSequence, staged.pointee.requestHash)
            let slot = requestTable.probe(hash) { spans.requestSequence(of: $0) == sequence }
            if let other = slot.pointee.index {
                group = spans[other].group
                isIrregular = !pair(span, other) || isIrregular
            } else {
                requestTable.occupy(slot, hash, span)
                record.pointee.marks.insert(.headsRequest)
            }
        }
        var hasEntry = false
        if record.pointee.threadKey != 0 {
            hasEntry = joinThread(span, record, staged.pointee.threadHash, &group, &isIrregular)
        }
        if group == Self.none {
            group = groups.make(first: span, epoch: epoch)
            record.pointee.group = group
        } else {
            groups.add(span, to: group, epoch: epoch, spans: spans)
        }
        if isIrregular { groups[group].isIrregular = true }
        schedule(group)
        noteProcess(span, record, staged.pointee.initiator, epoch: epoch, hasEntry: hasEntry)
        return span
    }

    /// Makes the record of a staged span; `sparse`: its sparse facts, `none` without.
    @inline(__always) private mutating func place(
        _ staged: UnsafeMutablePointer<StagedSpan>, process: UInt32, commit: UInt32, sparse: UInt32
    ) -> UInt32 {
        var marks = SpanRecord.Marks()
        var start: UInt32
        let difference = process == Self.none ? 0 : staged.pointee.clock &- processes.clock(of: process)
        if sparse == Self.none, process != Self.none, !staged.pointee.isWide,
            staged.pointee.flags.contains(.hasKernelTime), difference == Int64(Int32(truncatingIfNeeded: difference)) {
            start = UInt32(bitPattern: Int32(truncatingIfNeeded: difference))
        } else {
            start = keepSparse(staged, sparse)
            marks = staged.pointee.isWide ? [.sparse, .wide] : .sparse
        }
        let span = spans.insert(SpanTail(initiator: staged.pointee.initiator, start: start))
        spans.pointer(span).initialize(
            to: SpanRecord(
                threadKey: staged.pointee.threadKey, kernelTime: staged.pointee.kernelTime,
                request: SpanRecord.folded(staged.pointee.requestSequence),
                response: SpanRecord.folded(staged.pointee.responseSequence), duration: staged.pointee.duration,
                flow: staged.pointee.flow, process: process, commit: commit, row: staged.pointee.row,
                group: Self.none, next: Self.none, node: Self.none, mate: Self.none, flags: staged.pointee.flags,
                marks: marks))
        return span
    }

    /// Keeps what has no room in the record.
    @inline(never) private mutating func keepSparse(
        _ staged: UnsafeMutablePointer<StagedSpan>, _ sparse: UInt32
    ) -> UInt32 {
        let slot = sparse == Self.none ? spans.insertSparse(SparseFacts()) : sparse
        spans.sparse[Int(slot)].start = staged.pointee.start
        spans.sparse[Int(slot)].requestSequence = staged.pointee.requestSequence
        spans.sparse[Int(slot)].responseSequence = staged.pointee.responseSequence
        return slot
    }

    /// Joins `group` with that of the spans with the record's thread key; true when an entry is among them.
    @inline(__always) private mutating func joinThread(
        _ span: UInt32, _ record: UnsafeMutablePointer<SpanRecord>, _ hash: UInt32, _ group: inout UInt32,
        _ isIrregular: inout Bool
    ) -> Bool {
        let key = record.pointee.threadKey
        let slot = threadTable.probe(hash) { spans.pointer($0).pointee.threadKey == key }
        guard let index = slot.pointee.index else {
            threadTable.occupy(slot, hash, span)
            record.pointee.marks.insert(.headsThread)
            return false
        }
        let other = spans.pointer(index)
        let joined = other.pointee.group
        group = group == Self.none ? joined : groups.union(group, joined, spans: spans)
        if other.pointee.isEntry {
            isIrregular = isIrregular || record.pointee.isEntry
            if record.pointee.isExit { know(entry: index, of: span) }
            return true
        }
        if record.pointee.isEntry {
            slot.pointee.value = span &+ 1
            other.pointee.marks.remove(.headsThread)
            record.pointee.marks.insert(.headsThread)
        }
        return false
    }

    /// Remembers that two spans have one `req_seq`; false when they are not the only ones.
    @inline(__always) private func pair(_ span: UInt32, _ other: UInt32) -> Bool {
        guard spans[other].mate == Self.none else { return false }
        spans[other].mate = span
        spans[span].mate = other
        return true
    }

    @inline(__always) private mutating func noteProcess(
        _ span: UInt32, _ record: UnsafeMutablePointer<SpanRecord>, _ initiator: UInt32, epoch: UInt64, hasEntry: Bool
    ) {
        let flags = record.pointee.flags
        if !flags.contains(.incoming), flags.contains(.hasFlow) { callers.note(initiator) }
        guard record.pointee.process != Self.none else { return }
        processes.retain(record.pointee.process)
        if flags.contains(.entry) {
            processes.noteEntry(of: record.pointee.process, epoch: epoch)
            guard infersLinks, flags.contains([.hasProcess, .hasKernelTime]) else { return }
            record.pointee.node = processes.addEntry(
                span: span, process: record.pointee.process, kernelTime: record.pointee.kernelTime,
                duration: record.pointee.duration)
        } else if !hasEntry, canInfer(record) {
            newExits.append(span)
        }
    }

    var infersLinks: Bool { options.inferredLinks != .off && !options.datakitCompatible }

    /// Whether R4 may look for the span's parent: an exit with a process key and a kernel time.
    @inline(__always) func canInfer(_ record: UnsafeMutablePointer<SpanRecord>) -> Bool {
        record.pointee.isExit && infersLinks && record.pointee.process != Self.none
            && record.pointee.flags.contains([.hasProcess, .hasKernelTime])
    }

    /// Remembers the open entry with an exit's thread key. They are of one group, which goes as a whole.
    @inline(__always) func know(entry: UInt32, of exit: UInt32) {
        let record = spans.pointer(exit)
        record.pointee.node = entry
        record.pointee.marks.insert(.knowsEntry)
    }

    /// An open entry with the exit's thread key, if there is one: R3 decides then, never R4.
    @inline(__always) func entry(of record: UnsafeMutablePointer<SpanRecord>) -> UInt32? {
        if record.pointee.marks.contains(.knowsEntry) { return record.pointee.node }
        let key = record.pointee.threadKey
        guard key != 0, let head = threadTable.find(KeyTable.hash(key), where: { spans[$0].threadKey == key }),
            spans[head].isEntry else { return nil }
        return head
    }

    // MARK: Facts

    /// When the span began, microseconds since 1970.
    @inline(__always) func start(of span: UInt32) -> Int64 {
        guard let difference = spans.startDifference(of: span) else { return spans.sparseFacts(of: span).start }
        let record = spans.pointer(span)
        return record.pointee.kernelTime / 1000 &+ processes.clock(of: record.pointee.process) &+ difference
    }

    mutating func netEnd(_ span: UInt32, _ local: Int) -> NetEnd {
        let record = spans.pointer(span)
        return NetEnd(
            requestSequence: spans.requestSequence(of: span), responseSequence: spans.responseSequence(of: span),
            start: start(of: span), flow: record.pointee.flow, initiator: spans.initiator(of: span),
            local: UInt32(local), isIncoming: record.pointee.isIncoming,
            hasFlow: record.pointee.flags.contains(.hasFlow))
    }
}
