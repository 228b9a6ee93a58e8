// Late spans: how an open trace finds the closed one that it belongs to, and what a closing trace leaves for others.

extension GraphMerge {
    /// The closed trace that the open one belongs to: that of its first root's closed parent, else that of its closed
    /// child with the smallest (start, id). Edges to other closed traces are not made (`late_bridge`).
    mutating func adopt(_ trace: Assembly.Trace) -> Adoption? {
        guard options.closesByTime else { return nil }
        let range = trace.from..<(trace.from + trace.count)
        for place in range { findClosedRequest(Int(assembly.order[place])) }
        var chosen: Adoption?
        for place in range {
            let local = Int(assembly.order[place])
            let parent = assembly.closedParents[local]
            guard parent.kind != .none else { continue }
            let candidate = Adoption(trace: parent.kind == .dropped ? nil : closed.spans[Int(parent.span)].trace)
            let fits = candidate.trace.map { fitsInto($0, trace) } ?? true
            if chosen == nil, fits {
                chosen = candidate
            } else if !fits || chosen?.trace != candidate.trace {
                assembly.refuse(fits ? "late" : Self.ruleName(parent.evidence), fits ? "late_bridge" : "limit")
                assembly.closedParents[local] = Assembly.ClosedParent()
                if !fits { assembly.flags[local].insert(.truncated) }
                continue
            }
            assembly.evidence[local] = parent.evidence
        }
        return chosen ?? adoptFromChild(trace)
    }

    private mutating func fitsInto(_ closedTrace: UInt32, _ trace: Assembly.Trace) -> Bool {
        closed.traces[Int(closedTrace)].spans + trace.count <= limits.spansPerTrace
    }

    /// A root that was called, and whose caller's trace is closed.
    mutating func findClosedRequest(_ local: Int) {
        let span = assembly.members[local].span
        guard options.closesByTime, spans[span].isIncoming, spans[span].hasRequest, !assembly.isNetMatched[local],
            assembly.parents[local] == Assembly.none, assembly.closedParents[local].kind == .none,
            let other = takeClosedEnd(of: span, local) else { return }
        assembly.isNetMatched[local] = true
        let kind: Assembly.ClosedParent.Kind = other.record.span == ClosedTraces.dropped ? .dropped : .kept
        assembly.closedParents[local] = Assembly.ClosedParent(
            kind: kind, span: other.record.span, evidence: other.evidence)
    }

    private mutating func takeClosedEnd(
        of span: UInt32, _ local: Int
    ) -> (record: ClosedTraces.NetRecord, evidence: LinkEvidence)? {
        closed.takeOtherEnd(of: netEnd(span, local), datakitCompatible: options.datakitCompatible)
    }

    private mutating func adoptFromChild(_ trace: Assembly.Trace) -> Adoption? {
        var best: (start: Int64, id: SpanID, span: UInt32)?
        func offer(_ start: Int64, _ id: SpanID, _ span: UInt32) {
            if let old = best, (old.start, old.id) <= (start, id) {
                if old.span != span { assembly.refuse("late", "late_bridge") }
                return
            }
            if best != nil { assembly.refuse("late", "late_bridge") }
            best = (start, id, span)
        }
        for place in trace.from..<(trace.from + trace.count) {
            let local = Int(assembly.order[place])
            let span = assembly.members[local].span
            let record = spans.pointer(span)
            if !record.pointee.isIncoming, record.pointee.hasRequest, !assembly.isNetMatched[local],
                let other = takeClosedEnd(of: span, local) {
                assembly.isNetMatched[local] = true
                offer(other.record.end.start, other.record.id, other.record.span)
            }
            if record.pointee.isEntry, record.pointee.threadKey != 0,
                let exit = closed.thread(record.pointee.threadKey, isEntry: false) {
                offer(exit.start, exit.id, exit.span)
            }
        }
        guard let best else { return nil }
        if best.span == ClosedTraces.dropped { return Adoption(trace: nil) }
        let closedTrace = closed.spans[Int(best.span)].trace
        guard fitsInto(closedTrace, trace) else {
            assembly.refuse("late", "limit")
            return nil
        }
        return Adoption(trace: closedTrace)
    }

    // MARK: Leaving keys

    /// Leaves what a late span may look for: thread keys of entries and of exits without entry, net facts of spans
    /// whose other end did not come, and the entries' nodes in the process index.
    mutating func leaveKeys(_ trace: Assembly.Trace, closedTrace: UInt32?) {
        for place in trace.from..<(trace.from + trace.count) {
            let local = Int(assembly.order[place])
            let span = assembly.members[local].span
            let record = spans[span]
            let leavesThread = record.threadKey != 0 && (record.isEntry || assembly.hasNoEntry[local])
            let leavesRequest = record.hasRequest && !assembly.isNetMatched[local]
            let leavesNode = record.node != Self.none && record.isEntry
            guard leavesThread || leavesRequest || leavesNode else { continue }
            var id = SpanID.none
            var closedSpan = ClosedTraces.dropped
            if let closedTrace {
                id = spanID(span)
                closedSpan = closed.add(self.closedSpan(local, id: id, trace: closedTrace))
            }
            if leavesThread, closedTrace == nil {
                closed.addDropped(threadKey: record.threadKey, isEntry: record.isEntry)
            } else if leavesThread {
                closed.add(
                    ClosedTraces.ThreadRecord(
                        key: record.threadKey, start: start(of: span), id: id, span: closedSpan,
                        isEntry: record.isEntry))
            }
            if leavesRequest {
                closed.add(ClosedTraces.NetRecord(end: netEnd(span, local), id: id, span: closedSpan))
            }
            if leavesNode {
                processes.close(record.node, closedSpan: closedSpan, generation: closed.keepNode())
            }
        }
    }

    private mutating func closedSpan(_ local: Int, id: SpanID, trace: UInt32) -> ClosedTraces.ClosedSpan {
        let member = assembly.members[local].span
        let record = spans[member]
        let isTimed = record.flags.contains(.hasKernelTime) && record.hasResponse
        var span = ClosedTraces.ClosedSpan(
            id: id, trace: trace, start: start(of: member), end: isTimed ? record.end : .max, applicationTrace: .none,
            isApplicationHex: false)
        if local < assembly.applicationTraces.count, options.useApplicationTraceID {
            span.applicationTrace = assembly.applicationTraces[local].id
            span.isApplicationHex = assembly.applicationTraces[local].isHex
        }
        return span
    }
}
