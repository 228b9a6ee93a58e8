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
/// Cost is O(n log n) in the spans on any input. Memory, measured with closed traces of the last minute: about 190
/// bytes per open span (record 88, table slots 20, entries 20, groups 10, the rest is what closed traces left).
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
    var commits: [CommitRecord] = []
    var freeCommits: [UInt32] = []
    var commitOf: [CommitKey: UInt32] = [:]
    var seen: [UInt64: Set<PieceKey>] = [:]
    /// Groups by the epoch in which they may close; looked at by `advance`.
    var calendar: [UInt64: [UInt32]] = [:]
    /// Exits that came since the last step and had no entry with their thread key.
    var newExits = Column<UInt32>()
    /// True when spans came since the last step.
    var hasNews = false
    /// Pieces of epochs that come after the next one, checked, by epoch: what a fast worker tells must not be seen
    /// before its time, or the result would depend on who was fast.
    var early: [UInt64: [[UInt8]]] = [:]
    /// Entries of decided groups, while `flush` still has others to decide.
    var leavingNodes: [UInt32] = []
    var staged = Column<PartialGraphDecoder.Span>()
    /// The span that each staged one became, for partners.
    private var inserted = Column<UInt32>()
    var callers: KnownCallers
    var assembly = Assembly()
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
        staged.removeAll()
        staged.reserve(decoder.spanCount + 1)
        // The last slot is read into as well and stays unclaimed.
        while try decoder.next(&staged.base[staged.count]) { staged.advance(by: 1) }
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
        let epoch = decoder.header.epoch
        hasNews = true
        var commitIndexes: [UInt32] = []
        commitIndexes.reserveCapacity(decoder.commits.count)
        for commit in decoder.commits { commitIndexes.append(commitIndex(commit)) }
        var threadIndexes = [UInt32](repeating: Self.none, count: decoder.threads.count)
        inserted.removeAll()
        // Three steps ahead of the insertion: the tables' slots, the spans they name, and those spans' groups.
        let ahead = 24
        for place in staged.indices {
            prefetch(place + ahead)
            let (thread, back) = (Int(staged[place].thread), Int(staged[place].partner))
            var process = Self.none
            if thread > 0 {
                if threadIndexes[thread - 1] == Self.none {
                    threadIndexes[thread - 1] = processIndex(decoder.threads[thread - 1])
                }
                process = threadIndexes[thread - 1]
            }
            inserted.append(
                insert(
                    staged[place].facts, epoch: epoch, commit: commitIndexes[Int(staged[place].commit)],
                    row: staged[place].row, process: process, partner: back > 0 ? inserted[place - back] : nil))
        }
    }

    /// Takes one span in, outside any partial graph (tests and tools). Epochs must not come before their time.
    public mutating func insert(_ facts: SpanFacts, at address: RowAddress, epoch: Epoch) {
        hasNews = true
        let facts = facts.travelling
        let key = CommitKey(router: address.router, position: address.position)
        var process = Self.none
        if facts.flags.contains(.hasPID), !facts.flags.contains(.passThrough) {
            process = processes.process(
                ProcessIndex.ProcessKey(
                    scope: facts.scope, processID: facts.processID, threadID: facts.threadID,
                    isUserThread: facts.flags.contains(.userThread)))
        }
        _ = insert(
            facts, epoch: epoch, commit: commitIndex(key), row: address.row, process: process, partner: nil)
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

    @inline(__always) private func prefetch(_ place: Int) {
        if place < staged.count {
            let (sequence, key) = (staged[place].facts.requestSequence, staged[place].facts.threadKey)
            if sequence != 0, staged[place].partner == 0 { requestTable.prefetch(KeyTable.hash(sequence)) }
            if key != 0 { threadTable.prefetch(KeyTable.hash(key)) }
        }
        if let other = firstFound(place - 8) { spans.prefetch(other) }
        if let other = firstFound(place - 16) { groups.prefetch(spans[other].group) }
    }

    @inline(__always) private func firstFound(_ place: Int) -> UInt32? {
        guard place >= 0, place < staged.count else { return nil }
        let (sequence, key) = (staged[place].facts.requestSequence, staged[place].facts.threadKey)
        if key != 0, let other = threadTable.peek(KeyTable.hash(key)) { return other }
        guard sequence != 0, staged[place].partner == 0 else { return nil }
        return requestTable.peek(KeyTable.hash(sequence))
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

    private mutating func processIndex(_ thread: PartialGraphDecoder.Thread) -> UInt32 {
        processes.process(
            ProcessIndex.ProcessKey(
                scope: thread.scope, processID: thread.processID, threadID: thread.threadID,
                isUserThread: thread.isUserThread))
    }

    private mutating func insert(
        _ facts: SpanFacts, epoch: Epoch, commit: UInt32, row: UInt32, process: UInt32, partner: UInt32?
    ) -> UInt32 {
        var sparse: UInt32 = 0
        if !facts.flags.isDisjoint(with: [.hasApplication, .givenID, .passThrough]) {
            let given = facts.flags.isDisjoint(with: [.givenID, .passThrough]) ? SpanID.none : facts.id
            sparse = spans.insertSparse(SparseFacts(application: facts.application, givenID: given))
        }
        let duration: UInt32 = facts.duration < 0 ? SpanRecord.noResponse : UInt32(clamping: facts.duration)
        let span = spans.insert(
            SpanRecord(
                requestSequence: facts.requestSequence, responseSequence: facts.responseSequence,
                threadKey: facts.threadKey, kernelTime: facts.kernelTime, start: facts.start, duration: duration,
                flow: facts.flow, initiator: facts.initiator, process: process, commit: commit, row: row,
                sparse: sparse, group: Self.none, next: Self.none, node: Self.none, flags: facts.flags))
        commits[Int(commit)].references &+= 1
        if process != Self.none { processes.retain(process) }
        let hasEntry = join(span, facts, epoch: epoch.number, partner: partner)
        noteProcess(span, epoch: epoch.number, hasEntry: hasEntry)
        return span
    }

    /// Puts the span into the group of those with its `req_seq` or its thread key, and joins these groups.
    /// True when an entry with its thread key is there already.
    private mutating func join(_ span: UInt32, _ facts: SpanFacts, epoch: UInt64, partner: UInt32?) -> Bool {
        var group = Self.none
        var hasEntry = false
        if let partner {
            group = spans[partner].group
        } else if facts.requestSequence != 0 {
            let hash = KeyTable.hash(facts.requestSequence)
            let sequence = facts.requestSequence
            if let other = requestTable.find(hash, where: { spans[$0].requestSequence == sequence }) {
                group = spans[other].group
            } else {
                requestTable.insert(hash, span)
                spans[span].headsRequest = true
            }
        }
        if facts.threadKey != 0 {
            let hash = KeyTable.hash(facts.threadKey)
            let key = facts.threadKey
            if let other = threadTable.find(hash, where: { spans[$0].threadKey == key }) {
                let joined = spans[other].group
                group = group == Self.none ? joined : groups.union(group, joined, spans: spans)
                hasEntry = spans[other].isEntry
                if facts.isEntry, !spans[other].isEntry {
                    statistics.check(threadTable.replace(hash, other, with: span), "thread_table")
                    spans[other].headsThread = false
                    spans[span].headsThread = true
                }
            } else {
                threadTable.insert(hash, span)
                spans[span].headsThread = true
            }
        }
        if group == Self.none {
            spans[span].group = groups.make(first: span, epoch: epoch)
            group = spans[span].group
        } else {
            groups.add(span, to: group, epoch: epoch, spans: spans)
        }
        schedule(group)
        return hasEntry
    }

    private mutating func noteProcess(_ span: UInt32, epoch: UInt64, hasEntry: Bool) {
        let record = spans[span]
        if !record.isIncoming, record.flags.contains(.hasFlow) { callers.note(record.initiator) }
        guard record.process != Self.none else { return }
        if record.isEntry {
            processes.noteEntry(of: record.process, epoch: epoch)
            guard infersLinks, record.flags.contains([.hasProcess, .hasKernelTime]) else { return }
            spans[span].node = processes.addEntry(span: span, record: record)
        } else if !hasEntry, canInfer(record) {
            newExits.append(span)
        }
    }

    var infersLinks: Bool { options.inferredLinks != .off && !options.datakitCompatible }

    /// Whether R4 may look for the span's parent: an exit with a process key and a kernel time.
    @inline(__always) func canInfer(_ record: SpanRecord) -> Bool {
        record.isExit && infersLinks && record.process != Self.none
            && record.flags.contains([.hasProcess, .hasKernelTime])
    }

    /// An open entry with the span's thread key, if there is one.
    @inline(__always) func threadHead(_ record: SpanRecord) -> UInt32? {
        guard record.threadKey != 0 else { return nil }
        return threadTable.find(KeyTable.hash(record.threadKey)) { spans[$0].threadKey == record.threadKey }
    }

    /// True when an open entry has the exit's thread key: R3 decides then, never R4.
    @inline(__always) func hasEntry(_ record: SpanRecord) -> Bool {
        guard let head = threadHead(record) else { return false }
        return spans[head].isEntry
    }
}
