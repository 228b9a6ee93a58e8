// Rules R1 to R5 over one closing group (DESIGN 5, docs/linking.md). The proposals of all rules are collected first;
// then edges are made in canonical order (rule, child's start, child's id), so the result is a function of the set.

extension GraphMerge {
    /// Brings the members of a group into canonical order and lets the rules propose each one's parent.
    mutating func applyRules() {
        orderMembers()
        assembly.reset()
        for local in assembly.members.indices {
            let record = spans[assembly.members[local].span]
            if record.hasRequest { assembly.netEnds.append(netEnd(assembly.members[local].span, local)) }
            if record.threadKey != 0 {
                let isTimed = record.flags.contains(.hasKernelTime)
                assembly.threadEnds.append(
                    Assembly.ThreadEnd(
                        threadKey: record.threadKey, kernelTime: isTimed ? record.kernelTime : .min,
                        local: UInt32(local), isEntry: record.isEntry, hasKernelTime: isTimed))
            } else if !record.isEntry {
                assembly.hasNoEntry[local] = true
            }
        }
        matchRequests()
        matchThreads()
        inferParents()
        growForest()
    }

    private mutating func orderMembers() {
        assembly.members.sort { $0.start < $1.start }
        orderEqualStarts()
        for local in assembly.members.indices { spans[assembly.members[local].span].local = UInt32(local) }
    }

    /// Brings members with one and the same start into the order of their ids, which are computed only for them.
    private mutating func orderEqualStarts() {
        var from = 0
        while from < assembly.members.count {
            var to = from + 1
            while to < assembly.members.count, assembly.members[to].start == assembly.members[from].start { to += 1 }
            if to - from > 1 {
                var ids = (from..<to).map { place in
                    (id: computedID(assembly.members[place].span), span: assembly.members[place].span)
                }
                ids.sort { $0.id < $1.id }
                for place in from..<to { assembly.members[place].span = ids[place - from].span }
            }
            from = to
        }
    }

    // MARK: R1, R2

    private mutating func matchRequests() {
        guard !assembly.netEnds.isEmpty else { return }
        assembly.matcher.match(assembly.netEnds.buffer, datakitCompatible: options.datakitCompatible)
        for place in assembly.matcher.edges.indices {
            let edge = assembly.matcher.edges[place]
            assembly.parents[Int(edge.child)] = edge.parent
            assembly.evidence[Int(edge.child)] = edge.evidence
            assembly.isNetMatched[Int(edge.child)] = true
            assembly.isNetMatched[Int(edge.parent)] = true
        }
    }

    // MARK: R3

    private mutating func matchThreads() {
        if assembly.threadEnds.count > 1 {
            assembly.threadEnds.sort { one, other in
                if one.threadKey != other.threadKey { return one.threadKey < other.threadKey }
                if one.isEntry != other.isEntry { return one.isEntry }
                return (one.kernelTime, one.local) < (other.kernelTime, other.local)
            }
        }
        var from = 0
        while from < assembly.threadEnds.count {
            let key = assembly.threadEnds[from].threadKey
            var entriesEnd = from
            while entriesEnd < assembly.threadEnds.count, assembly.threadEnds[entriesEnd].threadKey == key,
                assembly.threadEnds[entriesEnd].isEntry { entriesEnd += 1 }
            var to = entriesEnd
            while to < assembly.threadEnds.count, assembly.threadEnds[to].threadKey == key { to += 1 }
            if entriesEnd > from {
                for place in entriesEnd..<to { linkByThread(place, entries: from..<entriesEnd) }
            } else {
                for place in from..<to { assembly.hasNoEntry[Int(assembly.threadEnds[place].local)] = true }
            }
            from = to
        }
    }

    private mutating func linkByThread(_ place: Int, entries: Range<Int>) {
        let exit = assembly.threadEnds[place]
        let local = Int(exit.local)
        let record = spans[assembly.members[local].span]
        // An incoming span that is no entry tries the thread only when no request was found for it.
        if record.isIncoming, assembly.parents[local] != Assembly.none { return }
        let chosen = chooseEntry(for: exit, entries)
        let parent = spans[assembly.members[Int(chosen.local)].span]
        if !options.datakitCompatible, exit.hasKernelTime, chosen.hasKernelTime, parent.hasResponse,
            exit.kernelTime > parent.end {
            assembly.refuse("R3", "thread_closed")
            return
        }
        assembly.parents[local] = chosen.local
        assembly.evidence[local] = .thread
    }

    /// The latest entry whose `ktime` is not after the exit's, else the earliest; without kernel times the first.
    private mutating func chooseEntry(for exit: Assembly.ThreadEnd, _ entries: Range<Int>) -> Assembly.ThreadEnd {
        if entries.count == 1 { return assembly.threadEnds[entries.lowerBound] }
        var low = entries.lowerBound
        guard exit.hasKernelTime, assembly.threadEnds[entries.upperBound - 1].hasKernelTime else {
            return assembly.threadEnds[low]
        }
        var high = entries.upperBound
        // Entries without a kernel time stand before all that have one.
        while low < high {
            let middle = (low + high) / 2
            if assembly.threadEnds[middle].kernelTime > exit.kernelTime { high = middle } else { low = middle + 1 }
        }
        return assembly.threadEnds[max(entries.lowerBound, low - 1)]
    }

    // MARK: R4, R5

    private mutating func inferParents() {
        for local in assembly.members.indices where assembly.hasNoEntry[local] {
            if assembly.parents[local] == Assembly.none { inferParent(local) }
        }
        if options.datakitCompatible { return }
        var from = 0
        while from < assembly.threadEnds.count {
            var to = from + 1
            while to < assembly.threadEnds.count,
                assembly.threadEnds[to].threadKey == assembly.threadEnds[from].threadKey { to += 1 }
            if assembly.hasNoEntry[Int(assembly.threadEnds[from].local)] { inferSiblings(from..<to) }
            from = to
        }
    }

    /// A closed request or a closed entry with the thread key (the span is late), else R4.
    private mutating func inferParent(_ local: Int) {
        findClosedRequest(local)
        if assembly.closedParents[local].kind != .none { return }
        let record = spans.pointer(assembly.members[local].span)
        if record.pointee.threadKey != 0, let late = closed.thread(record.pointee.threadKey, isEntry: true) {
            assembly.hasNoEntry[local] = false
            linkToClosed(local, span: late.span, evidence: .thread)
            return
        }
        guard canInfer(record) else { return }
        switch processes.openEntries(
            of: record.pointee.process, at: record.pointee.kernelTime, latest: options.inferredLinks == .latest) {
        case .nobody: break
        case .several: assembly.refuse("R4", "ambiguous")
        case .one(let node):
            let entry = processes.entries[Int(node)]
            if entry.isClosed {
                linkToClosed(local, span: entry.span, evidence: .process)
                return
            }
            let parent = spans[entry.span].local
            // Elsewhere only when another entry that was open too is forgotten by now.
            guard parent < UInt32(assembly.members.count), assembly.members[Int(parent)].span == entry.span else {
                assembly.refuse("R4", "ambiguous")
                return
            }
            assembly.parents[local] = parent
            assembly.evidence[local] = .process
        }
    }

    private mutating func linkToClosed(_ local: Int, span: UInt32, evidence: LinkEvidence) {
        if span == ClosedTraces.dropped {
            assembly.closedParents[local] = Assembly.ClosedParent(kind: .dropped, span: span, evidence: evidence)
            return
        }
        let record = spans[assembly.members[local].span]
        if evidence == .thread, !options.datakitCompatible, record.flags.contains(.hasKernelTime),
            record.kernelTime > closed.spans[Int(span)].end {
            assembly.refuse("R3", "thread_closed")
            return
        }
        assembly.closedParents[local] = Assembly.ClosedParent(kind: .kept, span: span, evidence: evidence)
    }

    /// R5: exits (also a single one) with one thread key and no entry are one trace; a parent that R4 found for one of
    /// them is the parent of the others too where it was open.
    private mutating func inferSiblings(_ places: Range<Int>) {
        var found: [UInt32] = []
        var first: UInt32?
        var exits = 0
        for place in places {
            let local = Int(assembly.threadEnds[place].local)
            guard spans[assembly.members[local].span].isExit else { continue }
            exits += 1
            if let first { assembly.siblings.append((first, UInt32(local))) }
            first = first ?? UInt32(local)
            if assembly.evidence[local] == .process { found.append(assembly.parents[local]) }
        }
        guard exits > 0 else { return }
        if found.count > 1 { found.sort { (entryTime($0), $0) < (entryTime($1), $1) } }
        for place in places {
            let end = assembly.threadEnds[place]
            let local = Int(end.local)
            guard spans[assembly.members[local].span].isExit, assembly.parents[local] == Assembly.none,
                assembly.closedParents[local].kind == .none else { continue }
            if let parent = lastOpen(of: found, at: end) {
                assembly.parents[local] = parent
                assembly.evidence[local] = .process
            } else {
                assembly.flags[local].insert(.rootMissing)
            }
        }
    }

    private mutating func entryTime(_ local: UInt32) -> Int64 { spans[assembly.members[Int(local)].span].kernelTime }

    /// Of parents sorted by kernel time the last that began before the exit, if it was still open then.
    private mutating func lastOpen(of parents: [UInt32], at exit: Assembly.ThreadEnd) -> UInt32? {
        guard exit.hasKernelTime else { return nil }
        var low = 0
        var high = parents.count
        while low < high {
            let middle = (low + high) / 2
            if entryTime(parents[middle]) > exit.kernelTime { high = middle } else { low = middle + 1 }
        }
        guard low > 0 else { return nil }
        let parent = parents[low - 1]
        return exit.kernelTime <= spans[assembly.members[Int(parent)].span].end ? parent : nil
    }

    // MARK: Edges

    private mutating func growForest() {
        assembly.forest.reset(count: assembly.members.count)
        for rule in LinkEvidence.allCases where rule != .none {
            for local in assembly.members.indices
            where assembly.evidence[local] == rule && assembly.parents[local] != Assembly.none {
                let refusal = assembly.forest.hang(
                    UInt32(local), below: assembly.parents[local], depthLimit: limits.depth,
                    sizeLimit: limits.spansPerTrace)
                guard let refusal else { continue }
                assembly.parents[local] = Assembly.none
                assembly.evidence[local] = .none
                if refusal == .limit { assembly.flags[local].insert(.truncated) }
                assembly.refuse(Self.ruleName(rule), refusal == .limit ? "limit" : "cycle")
            }
        }
        for place in assembly.siblings.indices {
            let (one, other) = assembly.siblings[place]
            let isJoined = assembly.forest.join(one, other, sizeLimit: limits.spansPerTrace)
            if !isJoined { assembly.refuse("R5", "limit") }
        }
    }

    static func ruleName(_ evidence: LinkEvidence) -> String {
        switch evidence {
        case .none: "none"
        case .net: "R1a"
        case .netKey: "R1b"
        case .netWeak: "R2"
        case .thread: "R3"
        case .process: "R4"
        }
    }

    // MARK: Ids

    /// The id made of the span's facts; of a pass-through span, that of its bytes.
    mutating func computedID(_ span: UInt32) -> SpanID {
        let record = spans.pointer(span)
        if record.pointee.flags.contains(.passThrough) { return spans.givenID(of: span) }
        var facts = SpanFacts()
        facts.requestSequence = spans.requestSequence(of: span)
        facts.responseSequence = spans.responseSequence(of: span)
        facts.threadKey = record.pointee.threadKey
        facts.kernelTime = record.pointee.kernelTime
        facts.start = start(of: span)
        facts.flow = record.pointee.flow
        facts.initiator = spans.initiator(of: span)
        facts.flags = record.pointee.flags
        if record.pointee.process != Self.none {
            let key = processes.keys.base + Int(record.pointee.process)
            facts.processID = key.pointee.processID
            facts.threadID = key.pointee.threadID
        }
        if record.pointee.flags.contains(.hasApplication) { facts.application = spans.application(of: span) }
        return facts.computedID
    }
}
