// When a component closes (DESIGN 6). All times are epochs of the log.
//
//     last span in epoch e ──▶ looked at when epoch e + window is complete
//        ├─ a root is an exit of a process that serves requests: its own entry may still come ──▶ e + open_wait
//        ├─ first span in epoch f: f + max_trace_age, whatever still comes
//        └─ else closed: verdict

extension GraphMerge {
    /// Says that all facts of `epoch` and before are in, and closes what has to close. Verdicts go to `verdict`.
    public mutating func advance(to epoch: Epoch, into verdict: inout VerdictBuilder) {
        guard epoch >= watermark else { return }
        watermark = epoch
        for node in closed.advance(to: epoch.number) { processes.removeNode(node) }
        joinExits()
        if options.closesByTime { closeDue(into: &verdict) }
        forgetOldEpochs()
    }

    /// Closes everything: the end of input of a replay or a test.
    public mutating func flush(into verdict: inout VerdictBuilder) {
        for node in closed.advance(to: watermark.number) { processes.removeNode(node) }
        joinExits()
        let roots = groups.groups.indices.filter { isOpenRoot(UInt32($0)) }.map { UInt32($0) }
        joinExits(ofGroups: roots)
        // In the order of the groups' slots; the result does not depend on it.
        for root in roots where isOpenRoot(root) { close(root, into: &verdict, isFinal: true) }
        calendar.removeAll()
    }

    private func isOpenRoot(_ group: UInt32) -> Bool { groups[group].isAlive && groups[group].parent == group }

    /// Puts a group on the calendar page on which it may close, unless it stands on that or an earlier one.
    @inline(__always) mutating func schedule(_ group: UInt32) {
        guard options.closesByTime else { return }
        let due = max(due(group), watermark.number &+ 1)
        guard groups[group].scheduled > due else { return }
        groups[group].scheduled = due
        calendar[due, default: []].append(group)
    }

    @inline(__always) private func due(_ group: UInt32) -> UInt64 {
        let state = groups[group]
        let wait = state.waitsForEntry ? max(options.openWaitEpochs, options.windowEpochs) : options.windowEpochs
        return min(state.lastEpoch &+ wait, state.firstEpoch &+ options.maxTraceAgeEpochs)
    }

    private mutating func closeDue(into verdict: inout VerdictBuilder) {
        var candidates: [UInt32] = []
        for page in calendar.keys.filter({ $0 <= watermark.number }).sorted() {
            candidates += calendar.removeValue(forKey: page) ?? []
        }
        var roots: [UInt32] = []
        for candidate in candidates where groups[candidate].isAlive {
            let root = groups.find(candidate)
            if due(root) <= watermark.number { roots.append(root) } else { reschedule(root) }
        }
        joinExits(ofGroups: roots)
        for candidate in roots where groups[candidate].isAlive {
            let root = groups.find(candidate)
            if due(root) <= watermark.number {
                close(root, into: &verdict, isFinal: false)
            } else {
                reschedule(root)
            }
        }
    }

    /// The page on which the group stood is gone: a new one.
    mutating func reschedule(_ group: UInt32) {
        if groups[group].scheduled <= watermark.number { groups[group].scheduled = .max }
        schedule(group)
    }

    // MARK: Joining by process

    /// Joins the exits without entry that came since the last time, and those whose process got new entries, with the
    /// group of the one entry that was open when they were made. Only groups are joined here; R4 decides at closing.
    private mutating func joinExits() {
        for span in newExits {
            let record = spans[span]
            if hasEntry(record) || joinWithOpenEntry(span) { continue }
            spans[span].node = processes.addNode(span: span, record: record, isExit: true)
        }
        newExits.removeAll(keepingCapacity: true)
        newEntryProcesses.sort()
        var last = ProcessIndex.none
        for process in newEntryProcesses where process != last {
            last = process
            var node = processes.processes[Int(process)].firstExit
            while node != ProcessIndex.none {
                let next = processes.nodes[Int(node)].next
                let span = processes.nodes[Int(node)].span
                if hasEntry(spans[span]) || joinWithOpenEntry(span) {
                    spans[span].node = ProcessIndex.none
                    processes.removeNode(node)
                }
                node = next
            }
        }
        newEntryProcesses.removeAll(keepingCapacity: true)
    }

    /// The same for groups that are about to close: what is open may have changed since.
    private mutating func joinExits(ofGroups roots: [UInt32]) {
        guard infersLinks else { return }
        for root in roots where groups[root].isAlive {
            var span = groups[groups.find(root)].first
            while span != Self.none {
                let next = spans[span].next
                if canInfer(spans[span]), !hasEntry(spans[span]) { _ = joinWithOpenEntry(span) }
                span = next
            }
        }
    }

    /// True when exactly one entry is open at the exit and not closed yet; its group and the exit's are one then.
    private mutating func joinWithOpenEntry(_ span: UInt32) -> Bool {
        let record = spans[span]
        guard case .one(let node) = processes.openEntries(
            of: record.process, at: record.kernelTime, latest: options.inferredLinks == .latest) else { return false }
        let entry = processes.nodes[Int(node)]
        guard !entry.isClosed else { return false }
        let (one, other) = (groups.find(record.group), groups.find(spans[entry.span].group))
        if let root = groups.union(one, other, spans: spans) { schedule(root) }
        return true
    }

    /// True when the trace's root is an exit of a process that serves requests: its own entry may still come.
    func waitsForEntry(_ span: UInt32) -> Bool {
        let record = spans[span]
        guard record.isExit, record.process != Self.none else { return false }
        let horizon = watermark.number > options.lateWindowEpochs ? watermark.number - options.lateWindowEpochs : 0
        return processes.servedRequests(record.process, since: horizon)
    }

    private mutating func forgetOldEpochs() {
        let kept = options.lateWindowEpochs &+ options.maxTraceAgeEpochs
        guard options.closesByTime, watermark.number > kept else { return }
        let horizon = watermark.number - kept
        for epoch in seen.keys where epoch < horizon { seen[epoch] = nil }
        processes.expireServices(before: horizon)
    }
}
