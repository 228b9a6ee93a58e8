// The short way to close a group, taken by most: one tree that equal keys alone make (docs/adr/0005).
//
// A group is *simple* when
//     each req_seq is there once, or twice as a strong net key with an outgoing and an incoming end (R1);
//     each thread key has at most one entry, each exit has its entry, and began before that entry's end (R3), but for
//     one exit without any: no entry of its thread closed, none of its process was open when it began (R4);
//     nothing closed belongs to it, nobody gave ids, and no two spans were joined for any other reason than such keys;
//     exactly one span has no parent, and no limit of a trace can be reached.
// Then every join is an edge: n spans in one piece with n - 1 edges are a tree. No order is needed, because nothing is
// tied, refused or cut. Anything else takes the general way (`close`), which gives the same result for simple groups.

extension GraphMerge {
    typealias Members = UnsafeMutablePointer<UInt32>

    /// What the members of a simple group have in common.
    private struct Tree {
        var flags = SpanFlags()
        var root = GraphMerge.none
        var isRootMatched = false
        /// The root is an exit whose entry is missing.
        var isRootExit = false
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
        if !isFinal, mayStillWait(group),
            tree.isRootExit ? waitsForEntry(tree.root) : !tree.isRootMatched && waitsForCaller(tree.root) {
            groups[group].waitsForEntry = true
            reschedule(group)
            return true
        }
        var id = TraceID.none
        let isKept = keepsSimply(tree, &id)
        // Ids that applications gave are handed down in the order of the tree.
        if isKept, tree.flags.contains(.hasApplication) { return false }
        if isKept {
            keepSimply(members, count, tree, id: id, into: &verdict)
            statistics.tracesKept += 1
            statistics.spansKept += UInt64(count)
        } else {
            dropSimply(members, count, tree, into: &verdict)
            statistics.tracesDropped += 1
            statistics.spansDropped += UInt64(count)
        }
        statistics.countEdges(net: tree.net, netKey: tree.netKey, thread: tree.thread)
        simpleGroups &+= 1
        release(group, members, count)
        return true
    }

    private mutating func simpleTree(_ members: Members, _ count: Int) -> Tree? {
        var tree = Tree()
        var roots = 0
        for place in 0..<count {
            let span = members[place]
            let record = spans.pointer(span)
            tree.flags.formUnion(record.pointee.flags)
            var hasParent = false
            let isMatched = record.pointee.mate != Self.none
            if isMatched {
                let mate = spans.pointer(record.pointee.mate)
                guard record.pointee.hasStrongNetKey, haveEqualResponses(span, record.pointee.mate),
                    mate.pointee.isIncoming != record.pointee.isIncoming else { return nil }
                if record.pointee.isIncoming {
                    hasParent = true
                    let isMirrored = record.pointee.flags.intersection(mate.pointee.flags).contains(.hasFlow)
                        && record.pointee.flow == mate.pointee.flow
                    if isMirrored { tree.net &+= 1 } else { tree.netKey &+= 1 }
                }
            } else if record.pointee.hasRequest, options.closesByTime,
                closed.hasOtherEnd(of: netEnd(span, 0), datakitCompatible: false) {
                return nil
            }
            if record.pointee.isEntry {
                if options.closesByTime, record.pointee.threadKey != 0,
                    closed.thread(record.pointee.threadKey, isEntry: false) != nil { return nil }
            } else if record.pointee.isIncoming {
                guard isMatched, record.pointee.threadKey == 0 else { return nil }
            } else if let entry = entry(of: record) {
                guard isSimpleCall(record, of: spans.pointer(entry)) else { return nil }
                hasParent = true
                tree.thread &+= 1
            } else {
                guard roots == 0, mayBeRoot(record) else { return nil }
                tree.isRootExit = true
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

    @inline(__always) private func haveEqualResponses(_ one: UInt32, _ other: UInt32) -> Bool {
        guard spans[one].response == spans[other].response else { return false }
        return spans[one].marks.union(spans[other].marks).isDisjoint(with: .wide)
            || spans.responseSequence(of: one) == spans.responseSequence(of: other)
    }

    /// Whether an exit without entry stays without: no closed entry of its thread, none of its process that was open.
    @inline(never) private mutating func mayBeRoot(_ exit: UnsafeMutablePointer<SpanRecord>) -> Bool {
        if exit.pointee.threadKey != 0, closed.thread(exit.pointee.threadKey, isEntry: true) != nil { return false }
        guard canInfer(exit) else { return true }
        return processes.openEntries(
            of: exit.pointee.process, at: exit.pointee.kernelTime, latest: options.inferredLinks == .latest) == .nobody
    }

    /// Whether the exit began before the entry's end, as far as their clocks tell.
    @inline(__always) private func isSimpleCall(
        _ exit: UnsafeMutablePointer<SpanRecord>, of entry: UnsafeMutablePointer<SpanRecord>
    ) -> Bool {
        guard exit.pointee.flags.contains(.hasKernelTime), entry.pointee.flags.contains(.hasKernelTime),
            entry.pointee.hasResponse else { return true }
        return exit.pointee.kernelTime <= entry.pointee.end
    }

    /// The decision of `keeps`; gives the trace id where it took part or is needed.
    private mutating func keepsSimply(_ tree: Tree, _ id: inout TraceID) -> Bool {
        let keepsAll = options.samplingRate >= 1
        let isTrusted = options.trustApplicationSampled && !keepsAll
        if isTrusted, tree.flags.contains(.sampledReject) { return false }
        let isVoted = isTrusted && tree.flags.contains(.sampledKeep)
        if !keepsAll, !isVoted, !(options.samplingRate > 0) { return false }
        id = ebpfTraceID(of: tree.root)
        return keepsAll || isVoted || sampling.keeps(id)
    }

    // MARK: Verdicts

    private mutating func dropSimply(
        _ members: Members, _ count: Int, _ tree: Tree, into verdict: inout VerdictBuilder
    ) {
        assembly.droppedRows.removeAll()
        for place in 0..<count {
            let span = members[place]
            let record = spans.pointer(span)
            let slot = slot(of: record.pointee.commit, in: &verdict)
            assembly.droppedRows.append(VerdictBuilder.Row(slot: slot, row: record.pointee.row, kept: 0))
            if options.closesByTime { leaveDropped(span, record) }
        }
        verdict.drop(assembly.droppedRows)
        if options.closesByTime, tree.isRootExit, spans[tree.root].threadKey != 0 {
            closed.addDropped(threadKey: spans[tree.root].threadKey, isEntry: false)
        }
    }

    @inline(__always) private mutating func leaveDropped(
        _ span: UInt32, _ record: UnsafeMutablePointer<SpanRecord>
    ) {
        if record.pointee.hasRequest, record.pointee.mate == Self.none {
            closed.add(
                ClosedTraces.NetRecord(end: netEnd(span, 0), id: .none, span: ClosedTraces.dropped))
        }
        guard record.pointee.isEntry else { return }
        if record.pointee.threadKey != 0 { closed.addDropped(threadKey: record.pointee.threadKey, isEntry: true) }
        if record.pointee.node != Self.none {
            processes.close(
                record.pointee.node, closedSpan: ClosedTraces.dropped, generation: closed.keepNode())
        }
    }

    private mutating func keepSimply(
        _ members: Members, _ count: Int, _ tree: Tree, id: TraceID, into verdict: inout VerdictBuilder
    ) {
        let trace = closed.add(ClosedTraces.ClosedTrace(id: id, spans: count, references: 0))
        for place in 0..<count {
            let span = members[place]
            let record = spans.pointer(span)
            var row = VerdictBuilder.Kept(
                flags: .keep, evidence: .none, parent: .none, ebpfTrace: id, trace: id, explicitID: .none)
            let isRootExit = tree.isRootExit && span == tree.root
            if record.pointee.isIncoming, record.pointee.mate != Self.none {
                let mate = spans.pointer(record.pointee.mate)
                let isMirrored = record.pointee.flags.intersection(mate.pointee.flags).contains(.hasFlow)
                    && record.pointee.flow == mate.pointee.flow
                row.evidence = isMirrored ? .net : .netKey
                row.parent = computedID(record.pointee.mate)
            } else if isRootExit {
                if record.pointee.threadKey != 0 { row.flags.insert(.rootMissing) }
            } else if record.pointee.isExit, let entry = entry(of: record) {
                row.evidence = .thread
                row.parent = computedID(entry)
            }
            verdict.keep(row, commit: slot(of: record.pointee.commit, in: &verdict), row: record.pointee.row)
            if options.closesByTime { leaveKept(span, record, trace, isRootExit) }
        }
        closed.dropIfUnused(trace)
    }

    private mutating func leaveKept(
        _ span: UInt32, _ pointer: UnsafeMutablePointer<SpanRecord>, _ trace: UInt32, _ isRootExit: Bool
    ) {
        let record = pointer.pointee
        let leavesRequest = record.hasRequest && record.mate == Self.none
        let leavesThread = record.threadKey != 0 && (record.isEntry || isRootExit)
        let leavesNode = record.node != Self.none && record.isEntry
        guard leavesRequest || leavesThread || leavesNode else { return }
        let id = computedID(span)
        let isTimed = record.flags.contains(.hasKernelTime) && record.hasResponse
        let left = closed.add(
            ClosedTraces.ClosedSpan(
                id: id, trace: trace, start: start(of: span), end: isTimed ? record.end : .max, applicationTrace: .none,
                isApplicationHex: false))
        if leavesThread {
            closed.add(
                ClosedTraces.ThreadRecord(
                    key: record.threadKey, start: start(of: span), id: id, span: left, isEntry: !isRootExit))
        }
        if leavesRequest { closed.add(ClosedTraces.NetRecord(end: netEnd(span, 0), id: id, span: left)) }
        if leavesNode {
            processes.close(record.node, closedSpan: left, generation: closed.keepNode())
        }
    }
}
