// The short way to close a group, taken by most: one tree that equal keys alone make (docs/adr/0005).
//
// A group is *simple* when
//     each req_seq is there once, or twice as a strong net key with an outgoing and an incoming end (R1);
//     each thread key has at most one entry, each exit has its entry, and began before that entry's end (R3);
//     nothing closed belongs to it, nobody gave ids, and no two spans were joined for any other reason than such keys;
//     exactly one span has no parent, and no limit of a trace can be reached.
// Then every join is an edge: n spans in one piece with n - 1 edges are a tree. No order is needed, because nothing is
// tied, refused or cut. Anything else takes the general way (`close`), which gives the same result for simple groups.

extension GraphMerge {
    typealias Members = UnsafeMutablePointer<Assembly.Member>

    /// What the members of a simple group have in common.
    private struct Tree {
        var flags = SpanFlags()
        var root = GraphMerge.none
        var isRootMatched = false
        /// Edges by evidence.
        var net: UInt64 = 0
        var netKey: UInt64 = 0
        var thread: UInt64 = 0
    }

    /// Decides a simple group, or lets it wait, as `close` would; false when it is not simple. O(spans).
    mutating func closeSimply(
        _ group: UInt32, _ members: Members, _ count: Int, into verdict: inout VerdictBuilder, isFinal: Bool
    ) -> Bool {
        guard !options.datakitCompatible, count <= min(limits.depth, limits.spansPerTrace),
            let tree = simpleTree(members, count) else { return false }
        if !isFinal, !tree.isRootMatched, mayStillWait(group), waitsForCaller(tree.root) {
            groups[group].waitsForEntry = true
            reschedule(group)
            return true
        }
        var id = TraceID.none
        let isKept = keepsSimply(tree, &id)
        // Ids that applications gave are handed down in the order of the tree.
        if isKept, tree.flags.contains(.hasApplication) { return false }
        if isKept {
            keepSimply(members, count, id: id, into: &verdict)
            statistics.tracesKept += 1
            statistics.spansKept += UInt64(count)
        } else {
            dropSimply(members, count, into: &verdict)
            statistics.tracesDropped += 1
            statistics.spansDropped += UInt64(count)
        }
        statistics.countEdges(net: tree.net, netKey: tree.netKey, thread: tree.thread)
        simpleGroups &+= 1
        release(group, members, count)
        return true
    }

    private func simpleTree(_ members: Members, _ count: Int) -> Tree? {
        var tree = Tree()
        var roots = 0
        for place in 0..<count {
            let span = members[place].span
            let record = spans.pointer(span)
            tree.flags.formUnion(record.pointee.flags)
            var hasParent = false
            let isMatched = record.pointee.mate != Self.none
            if isMatched {
                let mate = spans.pointer(record.pointee.mate)
                guard record.pointee.hasStrongNetKey,
                    mate.pointee.responseSequence == record.pointee.responseSequence,
                    mate.pointee.isIncoming != record.pointee.isIncoming else { return nil }
                if record.pointee.isIncoming {
                    hasParent = true
                    let isMirrored = record.pointee.flags.intersection(mate.pointee.flags).contains(.hasFlow)
                        && record.pointee.flow == mate.pointee.flow
                    if isMirrored { tree.net &+= 1 } else { tree.netKey &+= 1 }
                }
            } else if record.pointee.requestSequence != 0, options.closesByTime,
                closed.hasOtherEnd(of: netEnd(record.pointee, 0), datakitCompatible: false) {
                return nil
            }
            if record.pointee.isEntry {
                if options.closesByTime, record.pointee.threadKey != 0,
                    closed.thread(record.pointee.threadKey, isEntry: false) != nil { return nil }
            } else if record.pointee.isIncoming {
                guard isMatched, record.pointee.threadKey == 0 else { return nil }
            } else {
                guard let head = threadHead(record.pointee), isSimpleCall(record, of: spans.pointer(head)) else {
                    return nil
                }
                hasParent = true
                tree.thread &+= 1
            }
            if !hasParent {
                roots &+= 1
                if roots > 1 { return nil }
                tree.root = span
                tree.isRootMatched = isMatched
            }
        }
        return roots == 1 ? tree : nil
    }

    /// Whether `entry` is an entry that was open when the exit began, as far as their clocks tell.
    @inline(__always) private func isSimpleCall(
        _ exit: UnsafeMutablePointer<SpanRecord>, of entry: UnsafeMutablePointer<SpanRecord>
    ) -> Bool {
        guard entry.pointee.isEntry else { return false }
        guard exit.pointee.flags.contains(.hasKernelTime), entry.pointee.flags.contains(.hasKernelTime),
            entry.pointee.hasResponse else { return true }
        return exit.pointee.kernelTime <= entry.pointee.end
    }

    /// The decision of `keeps`; gives the trace id where it took part or is needed.
    private func keepsSimply(_ tree: Tree, _ id: inout TraceID) -> Bool {
        let keepsAll = options.samplingRate >= 1
        let isTrusted = options.trustApplicationSampled && !keepsAll
        if isTrusted, tree.flags.contains(.sampledReject) { return false }
        let isVoted = isTrusted && tree.flags.contains(.sampledKeep)
        if !keepsAll, !isVoted, !(options.samplingRate > 0) { return false }
        id = ebpfTraceID(of: tree.root)
        return keepsAll || isVoted || sampling.keeps(id)
    }

    // MARK: Verdicts

    private mutating func dropSimply(_ members: Members, _ count: Int, into verdict: inout VerdictBuilder) {
        assembly.droppedRows.removeAll()
        for place in 0..<count {
            let record = spans.pointer(members[place].span)
            let slot = slot(of: record.pointee.commit, in: &verdict)
            assembly.droppedRows.append(VerdictBuilder.Row(slot: slot, row: record.pointee.row, kept: 0))
            if options.closesByTime { leaveDropped(record) }
        }
        verdict.drop(assembly.droppedRows)
    }

    @inline(__always) private mutating func leaveDropped(_ record: UnsafeMutablePointer<SpanRecord>) {
        if record.pointee.requestSequence != 0, record.pointee.mate == Self.none {
            closed.add(
                ClosedTraces.NetRecord(end: netEnd(record.pointee, 0), id: .none, span: ClosedTraces.dropped))
        }
        guard record.pointee.isEntry else { return }
        if record.pointee.threadKey != 0 { closed.addDropped(threadKey: record.pointee.threadKey, isEntry: true) }
        if record.pointee.node != Self.none {
            processes.close(record.pointee.node, closedSpan: ClosedTraces.dropped)
            closed.keep(node: record.pointee.node)
        }
    }

    private mutating func keepSimply(
        _ members: Members, _ count: Int, id: TraceID, into verdict: inout VerdictBuilder
    ) {
        let trace = closed.add(ClosedTraces.ClosedTrace(id: id, spans: count, references: 0))
        for place in 0..<count {
            let span = members[place].span
            let record = spans[span]
            var row = VerdictBuilder.Kept(
                flags: .keep, evidence: .none, parent: .none, ebpfTrace: id, trace: id, explicitID: .none)
            if record.isIncoming, record.mate != Self.none {
                let mate = spans[record.mate]
                let isMirrored = record.flags.intersection(mate.flags).contains(.hasFlow) && record.flow == mate.flow
                row.evidence = isMirrored ? .net : .netKey
                row.parent = computedID(record.mate)
            } else if record.isExit, let head = threadHead(record) {
                row.evidence = .thread
                row.parent = computedID(head)
            }
            verdict.keep(row, commit: slot(of: record.commit, in: &verdict), row: record.row)
            if options.closesByTime { leaveKept(span, record, trace) }
        }
        closed.dropIfUnused(trace)
    }

    private mutating func leaveKept(_ span: UInt32, _ record: SpanRecord, _ trace: UInt32) {
        let leavesRequest = record.requestSequence != 0 && record.mate == Self.none
        let leavesThread = record.threadKey != 0 && record.isEntry
        let leavesNode = record.node != Self.none && record.isEntry
        guard leavesRequest || leavesThread || leavesNode else { return }
        let id = computedID(span)
        let isTimed = record.flags.contains(.hasKernelTime) && record.hasResponse
        let left = closed.add(
            ClosedTraces.ClosedSpan(
                id: id, trace: trace, start: record.start, end: isTimed ? record.end : .max, applicationTrace: .none,
                isApplicationHex: false))
        if leavesThread {
            closed.add(
                ClosedTraces.ThreadRecord(
                    key: record.threadKey, start: record.start, id: id, span: left, isEntry: true))
        }
        if leavesRequest { closed.add(ClosedTraces.NetRecord(end: netEnd(record, 0), id: id, span: left)) }
        if leavesNode {
            processes.close(record.node, closedSpan: left)
            closed.keep(node: record.node)
        }
    }
}
