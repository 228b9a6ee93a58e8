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
        if options.closesByTime {
            repeat {
                let stop = nextStop(before: epoch)
                step(to: stop, into: &verdict)
            } while watermark < epoch
        } else {
            watermark = epoch
            joinExits()
        }
        forgetOldEpochs()
    }

    /// Closes everything: the end of input of a replay or a test.
    public mutating func flush(into verdict: inout VerdictBuilder) { _ = flush(into: &verdict, atMost: .max) }

    /// The same in steps, for inputs whose verdicts together would need much memory: decides traces until about
    /// `spansMax` spans have their verdict. True when nothing is left; else the caller takes the verdicts and calls
    /// again. No span may come in between.
    public mutating func flush(into verdict: inout VerdictBuilder, atMost spansMax: Int) -> Bool {
        for epoch in early.keys.sorted() { insertEarly(epoch) }
        joinExits()
        // In the order of the groups' slots; the result does not depend on it.
        var alive: [UInt32] = []
        var spansAhead = 0
        for place in groups.groups.indices where groups.groups[place].isAlive {
            if spansAhead >= spansMax { break }
            spansAhead += Int(groups.groups[place].count)
            alive.append(UInt32(place))
        }
        close(alive, into: &verdict, isFinal: true)
        guard groups.count == 0 || alive.isEmpty else { return false }
        calendar.removeAll()
        openPage.removeAll()
        if leavingNodes.isEmpty { return true }
        let generation = ProcessIndex.EntryNode.generationCount - 1
        for node in leavingNodes {
            processes.close(node, closedSpan: ClosedTraces.dropped, generation: generation)
        }
        processes.sweep(generation: generation)
        leavingNodes.removeAll()
        return true
    }

    /// The next epoch in which something happens, at most `epoch`.
    private mutating func nextStop(before epoch: Epoch) -> UInt64 {
        fileOpenPage()
        let next = watermark.advanced(by: 1).number
        if hasNews || epoch.number <= next { return min(next, epoch.number) }
        var stop = epoch.number
        for page in calendar.keys { stop = min(stop, page) }
        for early in early.keys { stop = min(stop, early) }
        return max(stop, next)
    }

    private mutating func step(to epoch: UInt64, into verdict: inout VerdictBuilder) {
        insertEarly(epoch)
        watermark = Epoch(epoch)
        hasNews = false
        callers.advance(to: epoch)
        for generation in closed.advance(to: epoch) { processes.sweep(generation: generation) }
        joinExits()
        closeDue(into: &verdict)
    }

    /// Puts a group on the calendar page on which it may close, unless it stands on that or an earlier one.
    @inline(__always) mutating func schedule(_ group: UInt32) {
        guard options.closesByTime else { return }
        let due = due(group)
        guard groups[group].scheduled > due else { return }
        groups[group].scheduled = due
        if due != openPageEpoch {
            fileOpenPage()
            openPageEpoch = due
        }
        openPage.append(group)
    }

    /// Puts the open page into the calendar. Spans of one epoch make groups for one page: a dictionary's hash for each
    /// of them would cost more than the joining.
    private mutating func fileOpenPage() {
        if openPage.isEmpty { return }
        calendar[openPageEpoch, default: []].append(contentsOf: openPage.buffer)
        openPage.removeAll()
    }

    @inline(__always) private func due(_ group: UInt32) -> UInt64 {
        let state = groups[group]
        let wait = state.waitsForEntry ? max(options.openWaitEpochs, options.windowEpochs) : options.windowEpochs
        return min(state.lastEpoch &+ wait, state.firstEpoch &+ options.maxTraceAgeEpochs)
    }

    private mutating func closeDue(into verdict: inout VerdictBuilder) {
        fileOpenPage()
        for page in calendar.keys.filter({ $0 <= watermark.number }).sorted() {
            var ready: [UInt32] = []
            for group in calendar.removeValue(forKey: page) ?? [] where groups[group].isAlive {
                if due(group) > watermark.number {
                    reschedule(group)
                } else if groups[group].scheduled <= watermark.number {
                    // A slot that was used again may stand on the page twice.
                    groups[group].scheduled = .max
                    ready.append(group)
                }
            }
            close(ready, into: &verdict, isFinal: false)
        }
    }

    /// Decides groups, a batch at a time.
    private mutating func close(_ ready: [UInt32], into verdict: inout VerdictBuilder, isFinal: Bool) {
        var from = 0
        while from < ready.count {
            let batch = ready[from..<min(ready.count, from + Gathering.groupsAtOnce)]
            gathering.gather(
                batch, groups: groups, spans: spans, requests: requestTable, threads: threadTable,
                closed: closed)
            for (place, group) in batch.enumerated() {
                let range = gathering.range(of: place)
                let members = gathering.members.base + range.lowerBound
                if !groups[group].isIrregular, closesSimply,
                    closeSimply(group, members, range.count, into: &verdict, isFinal: isFinal) { continue }
                groups[group].isIrregular = true
                close(group, members, range.count, into: &verdict, isFinal: isFinal)
            }
            from = batch.endIndex
        }
    }

    /// The page on which the group stood is gone: a new one.
    mutating func reschedule(_ group: UInt32) {
        if groups[group].scheduled <= watermark.number { groups[group].scheduled = .max }
        schedule(group)
    }

    // MARK: Joining by process

    /// Joins the exits without entry that came since the last step, and those still waiting whose process got entries,
    /// with the group of the entry that R4 names. Only groups are joined here; R4 decides at closing.
    private mutating func joinExits() {
        let touched = processes.takeTouched()
        for place in newExits.indices {
            prefetchExit(place + 12)
            let span = newExits[place]
            if let entry = entry(of: spans.pointer(span)) {
                know(entry: entry, of: span)
            } else if !isInferred(span) {
                spans[span].node = processes.addExit(span: span, process: spans[span].process)
            }
        }
        newExits.removeAll()
        for process in touched {
            var node = processes.processes[Int(process)].firstExit
            while node != ProcessIndex.none {
                newExits.append(processes.exits[Int(node)].span)
                node = processes.exits[Int(node)].next
            }
        }
        for place in newExits.indices {
            prefetchExit(place + 12)
            let span = newExits[place]
            let entry = entry(of: spans.pointer(span))
            guard entry != nil || isInferred(span) else { continue }
            processes.removeExit(spans[span].node)
            spans[span].node = ProcessIndex.none
            if let entry { know(entry: entry, of: span) }
        }
        newExits.removeAll()
    }

    /// Three steps ahead of the joining: the exit, its thread key's slot, and the span that the slot names.
    @inline(__always) private func prefetchExit(_ place: Int) {
        if place < newExits.count { spans.prefetch(newExits[place]) }
        if place >= 4, place - 4 < newExits.count {
            threadTable.prefetch(KeyTable.hash(spans[newExits[place - 4]].threadKey))
        }
        if place >= 8, place - 8 < newExits.count,
            let other = threadTable.peek(KeyTable.hash(spans[newExits[place - 8]].threadKey)) { spans.prefetch(other) }
    }

    /// Joins an exit without an entry of its thread with the one that was open at its time. True when no entry that may
    /// still come joins its group with another one. (Under `latest` a later entry may take its place.)
    private mutating func isInferred(_ span: UInt32) -> Bool {
        let record = spans.pointer(span)
        let answer = processes.openEntries(
            of: record.pointee.process, at: record.pointee.kernelTime, latest: options.inferredLinks == .latest)
        if case .one(let node) = answer, !processes.entries[Int(node)].isClosed {
            let other = spans[processes.entries[Int(node)].span].group
            let joined = groups.union(record.pointee.group, other, spans: spans)
            groups[joined].isIrregular = true
            schedule(joined)
        }
        return answer != .nobody && options.inferredLinks == .unique
    }

    /// True when the trace's root was called from an end whose calls are reported: its caller's exit may still come
    /// (docs/adr/0004). Not when that exit's trace is closed already: then nothing more is needed.
    mutating func waitsForCaller(_ span: UInt32) -> Bool {
        let record = spans.pointer(span)
        return record.pointee.isIncoming && record.pointee.hasRequest && record.pointee.flags.contains(.hasFlow)
            && callers.contains(spans.initiator(of: span))
            && !closed.hasOtherEnd(of: netEnd(span, 0), datakitCompatible: options.datakitCompatible)
    }

    /// True when the trace's root is an exit of a process that serves requests: its own entry may still come.
    mutating func waitsForEntry(_ span: UInt32) -> Bool {
        let record = spans.pointer(span)
        guard record.pointee.isExit, record.pointee.process != Self.none else { return false }
        let horizon = watermark.number > options.lateWindowEpochs ? watermark.number - options.lateWindowEpochs : 0
        return processes.servedRequests(record.pointee.process, since: horizon)
    }

    private mutating func forgetOldEpochs() {
        let kept = options.lateWindowEpochs &+ options.maxTraceAgeEpochs
        guard options.closesByTime, watermark.number > kept else { return }
        let horizon = watermark.number - kept
        for epoch in seen.keys.filter({ $0 < horizon }) { seen[epoch] = nil }
        processes.expireServices(before: horizon)
    }
}
