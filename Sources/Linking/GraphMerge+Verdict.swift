// From the trees of a closing group to verdicts: traces, ids, sampling, late adoption, and what is left for later.

extension GraphMerge {
    /// Decides a group: applies the rules and gives every span its verdict, or lets
    /// the group wait for an entry or a call that is still to come. O(n log n) in the spans of the group.
    mutating func close(
        _ group: UInt32, _ members: Members, _ count: Int, into verdict: inout VerdictBuilder, isFinal: Bool
    ) {
        assembly.members.removeAll()
        for place in 0..<count {
            assembly.members.append(Assembly.Member(start: start(of: members[place]), span: members[place]))
        }
        applyRules()
        formTraces()
        if !isFinal, mayStillWait(group), waits(for: group) {
            groups[group].waitsForEntry = true
            reschedule(group)
            return
        }
        for trace in assembly.traces.indices { decide(trace, into: &verdict) }
        statistics.count(assembly.refusals)
        release(group, members, count)
    }

    mutating func mayStillWait(_ group: UInt32) -> Bool {
        let state = groups[group]
        return watermark.number < state.lastEpoch &+ options.openWaitEpochs
            && watermark.number < state.firstEpoch &+ options.maxTraceAgeEpochs
    }

    private mutating func waits(for group: UInt32) -> Bool {
        for local in assembly.members.indices
        where assembly.parents[local] == Assembly.none && assembly.closedParents[local].kind == .none {
            let span = assembly.members[local].span
            if assembly.hasNoEntry[local], waitsForEntry(span) { return true }
            if !assembly.isNetMatched[local], waitsForCaller(span) { return true }
        }
        return false
    }

    /// Numbers the traces of the group and lists each one's members in canonical order.
    private mutating func formTraces() {
        let count = assembly.members.count
        assembly.traces.removeAll()
        assembly.traceOf.fill(Assembly.none, count: count)
        for local in 0..<UInt32(count) {
            let root = Int(assembly.forest.root(local))
            if assembly.traceOf[root] == Assembly.none {
                assembly.traceOf[root] = UInt32(assembly.traces.count)
                assembly.traces.append(
                    Assembly.Trace(representative: UInt32(root), firstRoot: Assembly.none, from: 0, count: 0))
            }
            let trace = Int(assembly.traceOf[root])
            assembly.traceOf[Int(local)] = UInt32(trace)
            assembly.traces[trace].count += 1
            if assembly.parents[Int(local)] == Assembly.none, assembly.traces[trace].firstRoot == Assembly.none {
                assembly.traces[trace].firstRoot = local
            }
        }
        var from = 0
        for trace in assembly.traces.indices {
            assembly.traces[trace].from = from
            from += assembly.traces[trace].count
            assembly.traces[trace].count = 0
        }
        assembly.order.fill(0, count: count)
        for local in 0..<count {
            let trace = Int(assembly.traceOf[local])
            assembly.order[assembly.traces[trace].from + assembly.traces[trace].count] = UInt32(local)
            assembly.traces[trace].count += 1
        }
    }

    // MARK: Decision

    /// A closed trace that the spans of an open one belong to.
    struct Adoption {
        /// Index of the closed trace; `nil`: it was dropped.
        var trace: UInt32?
    }

    private mutating func decide(_ number: Int, into verdict: inout VerdictBuilder) {
        let trace = assembly.traces[number]
        let adoption = adopt(trace)
        let id: TraceID
        let isKept: Bool
        if let adoption {
            statistics.lateSpans += UInt64(trace.count)
            countLateVotes(trace)
            id = adoption.trace.map { closed.traces[Int($0)].id } ?? .none
            isKept = adoption.trace != nil
        } else {
            id = ebpfTraceID(of: assembly.members[Int(trace.firstRoot)].span)
            isKept = keeps(trace, id)
        }
        var closedTrace: UInt32?
        if isKept {
            closedTrace = adoption?.trace ?? closed.add(ClosedTraces.ClosedTrace(id: id, spans: 0, references: 0))
            if let closedTrace { closed.grow(closedTrace, by: trace.count) }
            keep(trace, id: id, isLate: adoption != nil, into: &verdict)
            statistics.spansKept += UInt64(trace.count)
        } else {
            for place in trace.from..<(trace.from + trace.count) {
                drop(assembly.members[Int(assembly.order[place])].span, into: &verdict)
            }
            statistics.spansDropped += UInt64(trace.count)
        }
        if adoption == nil {
            if isKept { statistics.tracesKept += 1 } else { statistics.tracesDropped += 1 }
        }
        countEdges(trace)
        if options.closesByTime { leaveKeys(trace, closedTrace: closedTrace) }
        if let closedTrace { closed.dropIfUnused(closedTrace) }
    }

    mutating func ebpfTraceID(of span: UInt32) -> TraceID {
        let (request, response) = (spans.requestSequence(of: span), spans.responseSequence(of: span))
        if spans[span].hasStrongNetKey || options.datakitCompatible {
            return EBPFTraceID.of(requestSequence: request, responseSequence: response)
        }
        return EBPFTraceID.ofWeak(requestSequence: request, responseSequence: response, id: computedID(span))
    }

    private mutating func keeps(_ trace: Assembly.Trace, _ id: TraceID) -> Bool {
        // A rate of 1 means that nothing is to be sampled away, votes of applications included (docs/adr/0003).
        if options.samplingRate >= 1, !options.datakitCompatible { return true }
        var hasKeepVote = false
        if options.trustApplicationSampled {
            for place in trace.from..<(trace.from + trace.count) {
                let flags = spans[assembly.members[Int(assembly.order[place])].span].flags
                if flags.contains(.sampledReject) { return false }
                hasKeepVote = hasKeepVote || flags.contains(.sampledKeep)
            }
        }
        return hasKeepVote || sampling.keeps(id)
    }

    private mutating func countLateVotes(_ trace: Assembly.Trace) {
        for place in trace.from..<(trace.from + trace.count) {
            let flags = spans[assembly.members[Int(assembly.order[place])].span].flags
            if !flags.isDisjoint(with: [.sampledKeep, .sampledReject]) { statistics.lateVotes += 1 }
        }
    }

    private mutating func countEdges(_ trace: Assembly.Trace) {
        for place in trace.from..<(trace.from + trace.count) {
            let evidence = assembly.evidence[Int(assembly.order[place])]
            if evidence != .none { statistics.edges[Int(evidence.rawValue)] += 1 }
        }
    }

    // MARK: Kept and dropped

    private mutating func drop(_ span: UInt32, into verdict: inout VerdictBuilder) {
        let record = spans.pointer(span)
        verdict.drop(commit: slot(of: record.pointee.commit, in: &verdict), row: record.pointee.row)
    }

    private mutating func keep(
        _ trace: Assembly.Trace, id: TraceID, isLate: Bool, into verdict: inout VerdictBuilder
    ) {
        let hasApplications = options.useApplicationTraceID && findApplicationTraces(trace)
        let replaced = replacedIDs(trace)
        for place in trace.from..<(trace.from + trace.count) {
            let local = Int(assembly.order[place])
            let span = assembly.members[local].span
            var row = VerdictBuilder.Kept(
                flags: assembly.flags[local].union(.keep), evidence: assembly.evidence[local], parent: .none,
                ebpfTrace: id, trace: id, explicitID: .none)
            if isLate { row.flags.insert(.late) }
            if hasApplications {
                let application = assembly.applicationTraces[local]
                if !application.id.isNone {
                    row.trace = application.id
                    row.flags.insert(.applicationTrace)
                    if application.isHex { row.flags.insert(.applicationHex) }
                }
            }
            row.parent = parentID(local, replaced)
            if !replaced.isEmpty, let own = replaced[span] { row.explicitID = own }
            let record = spans.pointer(span)
            verdict.keep(row, commit: slot(of: record.pointee.commit, in: &verdict), row: record.pointee.row)
        }
    }

    private mutating func parentID(_ local: Int, _ replaced: [UInt32: SpanID]) -> SpanID {
        let parent = assembly.parents[local]
        if parent != Assembly.none {
            let span = assembly.members[Int(parent)].span
            return replaced.isEmpty ? spanID(span) : replaced[span] ?? spanID(span)
        }
        let closedParent = assembly.closedParents[local]
        return closedParent.kind == .kept ? closed.spans[Int(closedParent.span)].id : .none
    }

    /// The id a span is exported with: the sender's, where it gave one, else the computed one.
    mutating func spanID(_ span: UInt32) -> SpanID {
        let given = spans[span].flags.isDisjoint(with: [.givenID, .passThrough]) ? SpanID.none : spans.givenID(of: span)
        return given == .none ? computedID(span) : given
    }

    /// Spans whose given id another span of the trace has too: all but the first in canonical order take the computed
    /// id. Empty, without any work, for a trace without given ids.
    private mutating func replacedIDs(_ trace: Assembly.Trace) -> [UInt32: SpanID] {
        let range = trace.from..<(trace.from + trace.count)
        func span(_ place: Int) -> UInt32 { assembly.members[Int(assembly.order[place])].span }
        guard range.contains(where: { spans[span($0)].flags.contains(.givenID) }) else { return [:] }
        let members = range.map(span)
        var taken: Set<SpanID> = []
        for span in members where !spans[span].flags.contains(.givenID) { taken.insert(spanID(span)) }
        var replaced: [UInt32: SpanID] = [:]
        for span in members where spans[span].flags.contains(.givenID) {
            if taken.insert(spans.givenID(of: span)).inserted { continue }
            replaced[span] = computedID(span)
            statistics.spanIDConflicts += 1
        }
        return replaced
    }

    /// The application trace id in effect at each span: its own, else its parent's; nothing goes upwards.
    /// False when the trace has none at all.
    private mutating func findApplicationTraces(_ trace: Assembly.Trace) -> Bool {
        let range = trace.from..<(trace.from + trace.count)
        var hasAny = false
        if assembly.applicationTraces.count < assembly.members.count {
            assembly.applicationTraces.fill(Assembly.ApplicationTrace(), count: assembly.members.count)
        }
        for place in range {
            let local = Int(assembly.order[place])
            var own = Assembly.ApplicationTrace()
            let span = assembly.members[local].span
            if spans[span].flags.contains(.hasApplication) {
                let ids = spans.application(of: span)
                own.id = TraceID(high: ids.traceHigh, low: ids.traceLow)
                own.isHex = spans[span].flags.contains(.applicationHex)
            }
            if own.id.isNone, assembly.closedParents[local].kind == .kept {
                let parent = closed.spans[Int(assembly.closedParents[local].span)]
                own.id = parent.applicationTrace
                own.isHex = parent.isApplicationHex
            }
            own.isKnown = !own.id.isNone || assembly.parents[local] == Assembly.none
            hasAny = hasAny || !own.id.isNone
            assembly.applicationTraces[local] = own
        }
        guard hasAny else { return false }
        for place in range { inheritApplicationTrace(Int(assembly.order[place])) }
        return true
    }

    /// Walks up to the next span whose trace id is known and brings it down the same way.
    private mutating func inheritApplicationTrace(_ local: Int) {
        assembly.walk.removeAll()
        var place = local
        while !assembly.applicationTraces[place].isKnown {
            assembly.walk.append(UInt32(place))
            place = Int(assembly.parents[place])
        }
        let known = assembly.applicationTraces[place]
        for step in assembly.walk.indices { assembly.applicationTraces[Int(assembly.walk[step])] = known }
    }

    // MARK: Afterwards

    @inline(__always) mutating func slot(of commit: UInt32, in verdict: inout VerdictBuilder) -> UInt32 {
        let record = commits[Int(commit)]
        if record.slot != Self.none, verdict.holds(record.slot, router: record.router, position: record.position) {
            return record.slot
        }
        let slot = verdict.add(router: record.router, position: record.position)
        commits[Int(commit)].slot = slot
        return slot
    }

    /// Takes the spans of a decided group out of all tables.
    mutating func release(_ group: UInt32, _ members: Members, _ count: Int) {
        for place in 0..<count {
            let span = members[place]
            let record = spans.pointer(span)
            if record.pointee.marks.contains(.headsRequest) {
                requestTable.remove(KeyTable.hash(spans.requestSequence(of: span)), span)
            }
            if record.pointee.marks.contains(.headsThread) {
                threadTable.remove(KeyTable.hash(record.pointee.threadKey), span)
            }
            if record.pointee.node != Self.none, !record.pointee.marks.contains(.knowsEntry) {
                if record.pointee.isExit {
                    processes.removeExit(record.pointee.node)
                } else if !options.closesByTime {
                    leavingNodes.append(record.pointee.node)
                }
            }
            if record.pointee.process != Self.none { processes.release(record.pointee.process) }
            releaseCommit(record.pointee.commit)
            spans.remove(span)
        }
        groups.remove(group)
    }

    @inline(__always) private mutating func releaseCommit(_ commit: UInt32) {
        commits[Int(commit)].references -= 1
        guard commits[Int(commit)].references == 0 else { return }
        let record = commits[Int(commit)]
        commitOf[CommitKey(router: record.router, position: record.position)] = nil
        freeCommits.append(commit)
    }
}
