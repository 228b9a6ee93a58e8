import Testing
@testable import Linking

/// Windows and lateness (DESIGN 6), epoch by epoch. Window 4, open_wait 12, max_trace_age 24, late_window 24 epochs.
@Suite struct ClosingTests {
    @Test func aTraceClosesAWindowAfterItsLastSpan() throws {
        let bench = Bench()
        let (root, child) = (entry(1, thread: 5, at: 0), exit(2, thread: 5, at: 1))
        bench.add(root, epoch: 1)
        try bench.advance(to: 4)
        bench.add(child, epoch: 5)
        try bench.advance(to: 8)
        #expect(!bench.isDecided(root))
        try bench.advance(to: 9)
        #expect(bench.parent(child) == root.key)
        let open = bench.merge.openSpans
        #expect(open == 0)
    }

    @Test func stepsOfTheWatermarkDoNotMatter() throws {
        for jumps in [[3, 9, 40], [40], Array(1...40)] as [[UInt64]] {
            let bench = Bench()
            let (root, late) = (entry(1, thread: 5, at: 0), exit(2, thread: 5, at: 1))
            bench.add(root, epoch: 1)
            for epoch in jumps { try bench.advance(to: epoch) }
            bench.add(late, epoch: 41)
            try bench.advance(to: 45)
            // Closed in epoch 5, forgotten 24 epochs after the end of its generation (epoch 5).
            #expect(bench.parent(late) == SpanID.none, "\(jumps)")
        }
    }

    @Test func anExitOfAServerWaitsForItsEntry() throws {
        let bench = Bench()
        let other = entry(9, thread: 4, at: -900, lasting: 1, process: 3)
        let waiting = exit(2, thread: 5, at: 1, process: 3)
        bench.add(other, waiting, epoch: 1)
        try bench.advance(to: 12)
        #expect(bench.isDecided(other) && !bench.isDecided(waiting))
        bench.add(entry(1, thread: 5, at: 0, process: 3), epoch: 13)
        try bench.advance(to: 17)
        #expect(bench.evidence(waiting) == .thread)
    }

    @Test func openWaitEndsAndClientsDoNotWait() throws {
        let bench = Bench()
        let other = entry(9, thread: 4, at: -900, lasting: 1, process: 3)
        let (waiting, client) = (exit(2, thread: 5, at: 1, process: 3), exit(3, thread: 6, at: 1, process: 8))
        bench.add(other, waiting, client, epoch: 1)
        try bench.advance(to: 5)
        #expect(bench.isDecided(client) && !bench.isDecided(waiting))
        try bench.advance(to: 12)
        #expect(!bench.isDecided(waiting))
        try bench.advance(to: 13)
        #expect(bench.isDecided(waiting))
    }

    @Test func noTraceGetsOlderThanItsMaximum() throws {
        let bench = Bench()
        let root = entry(1, thread: 5, at: 0, lasting: 100_000)
        bench.add(root, epoch: 1)
        for epoch in 2...24 as ClosedRange<UInt64> {
            bench.add(exit(epoch, thread: 5, at: Double(epoch)), epoch: epoch)
            try bench.advance(to: epoch)
            #expect(!bench.isDecided(root))
        }
        try bench.advance(to: 25)
        #expect(bench.isDecided(root))
    }

    @Test func aLateExitTakesTraceDecisionAndParent() throws {
        let bench = Bench()
        let root = entry(1, thread: 5, at: 0)
        let late = exit(2, thread: 5, at: 1, .sampledReject)
        let below = entry(2, thread: 6, at: 2)
        bench.add(root, epoch: 1)
        try bench.advance(to: 6)
        bench.add(late, below, epoch: 7)
        try bench.advance(to: 11)
        #expect(bench.parent(late) == root.key && bench.evidence(late) == .thread)
        #expect(bench.trace(below) == bench.trace(root) && bench.parent(below) == late.key)
        #expect(bench.verdict(below)?.flags.contains(.late) == true)
        #expect(bench.verdict(root)?.flags.contains(.late) == false)
        let statistics = bench.merge.statistics
        #expect(statistics.lateSpans == 2 && statistics.lateVotes == 1 && statistics.tracesKept == 1)
    }

    @Test func aLateExitAfterTheClosedEntrysEndHasNoParent() throws {
        let bench = Bench()
        let (root, late) = (entry(1, thread: 5, at: 0, lasting: 10), exit(2, thread: 5, at: 50))
        bench.add(root, epoch: 1)
        try bench.advance(to: 6)
        bench.add(late, epoch: 7)
        try bench.advance(to: 11)
        #expect(bench.parent(late) == SpanID.none && bench.trace(late) != bench.trace(root))
        #expect(bench.refused("R3", "thread_closed") == 1)
    }

    @Test func aLateGuessFindsTheClosedEntryOfItsProcess() throws {
        let bench = Bench()
        let (root, late) = (entry(1, thread: 5, at: 0, process: 3), exit(2, thread: 8, at: 1, process: 3))
        bench.add(root, epoch: 1)
        try bench.advance(to: 6)
        bench.add(late, epoch: 7)
        try bench.advance(to: 30)
        #expect(bench.parent(late) == root.key && bench.evidence(late) == .process)
    }

    @Test func aLateCalledSpanFindsItsCallerOnce() throws {
        let bench = Bench()
        let (caller, late, second) = (exit(1, at: 0), entry(1, at: 1), entry(1, at: 2))
        bench.add(caller, epoch: 1)
        try bench.advance(to: 6)
        bench.add(late, epoch: 7)
        try bench.advance(to: 11)
        bench.add(second, epoch: 12)
        try bench.advance(to: 16)
        #expect(bench.parent(late) == caller.key && bench.evidence(late) == .net)
        #expect(bench.parent(second) == SpanID.none)
    }

    @Test func aLateCallerTakesTheTraceOfItsClosedChild() throws {
        let bench = Bench()
        let (called, caller, owner) = (entry(1, at: 1), exit(1, thread: 5, at: 0), entry(2, thread: 5, at: -1))
        bench.add(called, epoch: 1)
        try bench.advance(to: 6)
        bench.add(caller, owner, epoch: 7)
        try bench.advance(to: 11)
        #expect(bench.trace(caller) == bench.trace(called) && bench.trace(owner) == bench.trace(called))
        #expect(bench.parent(caller) == owner.key && bench.parent(called) == SpanID.none)
    }

    @Test func aLateEntryTakesTheTraceOfItsFirstClosedExit() throws {
        let bench = Bench()
        let (exitOne, exitTwo) = (exit(1, thread: 5, at: 3), exit(2, thread: 5, at: 8))
        let late = entry(9, thread: 5, at: 0)
        bench.add(exitOne, epoch: 1)
        try bench.advance(to: 6)
        bench.add(exitTwo, epoch: 7)
        try bench.advance(to: 11)
        bench.add(late, epoch: 12)
        try bench.advance(to: 16)
        #expect(bench.trace(late) == bench.trace(exitOne) && bench.trace(exitOne) != bench.trace(exitTwo))
    }

    @Test func anEntryWaitsForTheExitOfACallerThatReports() throws {
        let bench = Bench()
        let before = exit(40, at: -900, initiator: 7 << 20)
        let called = entry(1, thread: 5, at: 1, initiator: 7 << 20)
        let outside = entry(2, thread: 6, at: 1, initiator: 9 << 20)
        bench.add(before, called, outside, epoch: 1)
        try bench.advance(to: 5)
        #expect(bench.isDecided(outside) && !bench.isDecided(called))
        let caller = exit(1, at: 0, initiator: 7 << 20)
        bench.add(caller, epoch: 10)
        try bench.advance(to: 14)
        #expect(bench.parent(called) == caller.key && bench.trace(called) == bench.trace(caller))
        let lost = entry(3, thread: 8, at: 1, initiator: 7 << 20)
        bench.add(lost, epoch: 15)
        try bench.advance(to: 26)
        #expect(!bench.isDecided(lost))
        try bench.advance(to: 27)
        #expect(bench.isDecided(lost))
    }

    @Test func aDroppedTraceStaysDropped() throws {
        var options = Bench.options
        options.samplingRate = 0.999_999
        let bench = Bench(options)
        let root = entry(1, thread: 5, at: 0, .sampledReject)
        let called = entry(3, at: 0, .sampledReject)
        let late = exit(2, thread: 5, at: 1, .sampledKeep)
        let (caller, below) = (exit(3, at: -1, .sampledKeep), entry(2, at: 2))
        bench.add(root, called, epoch: 1)
        try bench.advance(to: 6)
        bench.add(late, below, caller, epoch: 7)
        try bench.advance(to: 11)
        for span in [late, below, caller] { #expect(bench.isDecided(span) && bench.verdict(span) == nil) }
        #expect(bench.merge.statistics.tracesDropped == 2)
    }

    @Test func twoClosedTracesAreNeverJoined() throws {
        let bench = Bench()
        let (owner, called) = (entry(1, thread: 5, at: 0), entry(2, at: 2))
        let bridge = exit(2, thread: 5, at: 1)
        bench.add(owner, called, epoch: 1)
        try bench.advance(to: 6)
        bench.add(bridge, epoch: 7)
        try bench.advance(to: 11)
        // The parent's trace wins.
        #expect(bench.trace(bridge) == bench.trace(owner) && bench.parent(bridge) == owner.key)
        #expect(bench.trace(called) != bench.trace(owner))
    }

    @Test func severalClosedParentsAreABridgeToTheFirst() throws {
        let bench = Bench()
        let (one, other) = (entry(1, thread: 5, at: 0), entry(2, thread: 6, at: 0))
        let (first, second) = (exit(7, thread: 5, at: 1), exit(7, thread: 6, at: 2))
        bench.add(one, other, epoch: 1)
        try bench.advance(to: 6)
        // Equal req_seq and no entry: one group, but two traces.
        bench.add(first, second, epoch: 7)
        try bench.advance(to: 11)
        #expect(bench.parent(first) == one.key && bench.parent(second) == other.key)
        let bridgedOne = exit(8, thread: 15, at: 3, process: 3)
        let bridgedOther = exit(9, thread: 15, at: 4, process: 4)
        let ownerOne = entry(20, thread: 21, at: 2, process: 3)
        let ownerOther = entry(22, thread: 23, at: 3, process: 4)
        bench.add(ownerOne, ownerOther, epoch: 12)
        try bench.advance(to: 17)
        bench.add(bridgedOne, bridgedOther, epoch: 18)
        try bench.advance(to: 40)
        #expect(bench.parent(bridgedOne) == ownerOne.key && bench.parent(bridgedOther) == SpanID.none)
        #expect(bench.trace(bridgedOther) == bench.trace(ownerOne))
        #expect(bench.refused("late", "late_bridge") == 1)
    }

    @Test func keysAreForgottenAfterTheLateWindow() throws {
        for (delay, isFound) in [(24, true), (31, false)] as [(UInt64, Bool)] {
            let bench = Bench()
            let (root, late) = (entry(1, thread: 5, at: 0, process: 3), exit(2, thread: 5, at: 1, process: 3))
            bench.add(root, epoch: 1)
            try bench.advance(to: 5)
            try bench.advance(to: 4 + delay)
            bench.add(late, epoch: 5 + delay)
            try bench.flush()
            #expect(bench.parent(late) == (isFound ? root.key : SpanID.none))
            let (processes, _) = (bench.merge.processes.processCount, 0)
            if !isFound { #expect(processes <= 1) }
        }
    }

    @Test func aLateSpanInheritsTheApplicationTrace() throws {
        let bench = Bench()
        var root = entry(1, thread: 5, at: 0)
        root.facts.flags.formUnion([.hasApplication, .applicationHex])
        root.facts.application = ApplicationIDs(traceLow: 4)
        root.facts.id = root.facts.computedID
        let late = exit(2, thread: 5, at: 1)
        bench.add(root, epoch: 1)
        try bench.advance(to: 6)
        bench.add(late, epoch: 7)
        try bench.advance(to: 11)
        #expect(bench.verdict(late)?.traceID == TraceID(high: 0, low: 4))
        #expect(bench.verdict(late)?.flags.contains([.late, .applicationTrace, .applicationHex]) == true)
    }

    @Test func aClosedTraceThatIsFullTakesNoMore() throws {
        var limits = Limits()
        limits.spansPerTrace = 2
        let bench = Bench(Bench.options, limits: limits)
        let (root, first, second) = (entry(1, thread: 5, at: 0), exit(2, thread: 5, at: 1), exit(3, thread: 5, at: 2))
        bench.add(root, epoch: 1)
        try bench.advance(to: 6)
        bench.add(first, epoch: 7)
        try bench.advance(to: 12)
        bench.add(second, epoch: 13)
        try bench.advance(to: 20)
        #expect(bench.parent(first) == root.key && bench.parent(second) == SpanID.none)
        #expect(bench.verdict(second)?.flags.contains(.truncated) == true)
    }

    @Test func repeatedAndOverlappingPiecesAreTold() throws {
        func piece(_ partitions: ClosedRange<UInt16>, number: UInt32, epoch: UInt64) -> [UInt8] {
            var encoder = PartialGraphEncoder()
            encoder.append(
                exit(1).facts, at: RowAddress(router: RouterOrdinal(0), position: LogPosition(1), row: 0))
            return encoder.finish(
                PartialGraphHeader(
                    firstPartition: partitions.lowerBound, endPartition: partitions.upperBound, epoch: Epoch(epoch),
                    piece: number, isLastPiece: true))
        }
        var merge = GraphMerge()
        func insert(_ bytes: [UInt8]) throws -> GraphMerge.Insertion {
            try bytes.withUnsafeBytes { try merge.insert($0) }
        }
        #expect(try insert(piece(0...4, number: 0, epoch: 1)) == .inserted(spans: 1))
        #expect(try insert(piece(0...4, number: 0, epoch: 1)) == .repeated)
        #expect(try insert(piece(0...4, number: 1, epoch: 1)) == .inserted(spans: 1))
        #expect(try insert(piece(2...6, number: 0, epoch: 1)) == .refusedOverlap)
        #expect(try insert(piece(4...6, number: 0, epoch: 1)) == .inserted(spans: 1))
        #expect(try insert(piece(2...6, number: 0, epoch: 2)) == .inserted(spans: 1))
    }

    @Test func piecesOfLaterEpochsWaitForTheirTime() throws {
        var merge = GraphMerge()
        var encoder = PartialGraphEncoder()
        encoder.append(
            exit(1).facts, at: RowAddress(router: RouterOrdinal(0), position: LogPosition(1), row: 0))
        let bytes = encoder.finish(
            PartialGraphHeader(firstPartition: 0, endPartition: 4, epoch: Epoch(90), piece: 0, isLastPiece: true))
        let insertion = try bytes.withUnsafeBytes { try merge.insert($0) }
        #expect(insertion == .inserted(spans: 1))
        var verdict = VerdictBuilder()
        merge.advance(to: Epoch(89), into: &verdict)
        #expect((merge.openSpans, verdict.count) == (0, 0))
        merge.advance(to: Epoch(93), into: &verdict)
        #expect((merge.openSpans, verdict.count) == (1, 0))
        merge.advance(to: Epoch(94), into: &verdict)
        #expect((merge.openSpans, verdict.count) == (0, 1))
    }
}
