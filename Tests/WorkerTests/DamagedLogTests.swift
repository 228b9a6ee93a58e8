import Linking
import Shared
import Testing

/// Faults of a disk or of a peer: spans are dropped under a name, none is held for ever, and the log can be trimmed.
@Suite struct DamagedLogTests {
    /// Everything that was accepted has left, and everything below the end of the facts can be trimmed.
    private func expectClosed(_ harness: WorkerHarness, _ ended: [String: UInt64], last: LogPosition) async throws {
        #expect(await harness.settles(), "spans are held: \(harness.ended)")
        #expect(harness.ended == ended)
        #expect(harness.violations == 0)
        #expect(harness.pendingRows == 0)
        #expect(await eventually { harness.lowWater >= last.offset }, "the log cannot be trimmed")
        try await harness.stop()
    }

    @Test("undamaged: every span is exported")
    func undamaged() async throws {
        let harness = try await WorkerHarness()
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        let second = try harness.commit(epoch: 2, ids: 6..<9)
        try harness.log.mark(2)
        try harness.log.keep([first, second])
        harness.tell(watermark: 2)
        #expect(await eventually { harness.exported.spans == Array(1..<9) })
        try await expectClosed(harness, ["": 8], last: second)
    }

    @Test("facts damaged before they are read are dropped as unreadable_facts, those around them are exported")
    func factsBeforeReading() async throws {
        let harness = try await WorkerHarness()
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        let second = try harness.commit(epoch: 2, ids: 6..<9)
        try harness.log.damage("span-log/facts", at: second.offset)
        harness.tell()
        #expect(await harness.readsAll())
        let third = try harness.commit(epoch: 2, ids: 9..<13)
        try harness.log.mark(2)
        harness.tell()
        #expect(await harness.readsAll())
        // The merge gave its verdict about the damaged rows too: it cannot, but a worker that started again may find
        // the verdicts of facts that it could read before.
        try harness.log.keep([first, third])
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        #expect(await eventually { harness.exported.spans == Array(1..<6) + Array(9..<13) })
        try await expectClosed(harness, ["": 9, "unreadable_facts": 3], last: third)
    }

    @Test("a damaged commit between sound ones of one segment is lost alone")
    func factsBetweenOthers() async throws {
        let harness = try await WorkerHarness()
        let commits = try (0..<5).map { try harness.commit(epoch: 1, ids: $0 * 10 + 1..<$0 * 10 + 5) }
        try harness.log.damage("span-log/facts", at: commits[1].offset)
        try harness.log.damage("span-log/facts", at: commits[3].offset)
        try harness.log.mark(1)
        try harness.log.keep([commits[0], commits[2], commits[4]])
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        #expect(
            await eventually {
                harness.exported.spans == Array(1..<5) + Array(21..<25) + Array(41..<45)
            })
        try await expectClosed(harness, ["": 12, "unreadable_facts": 8], last: commits[4])
    }

    @Test("facts damaged after they were read are dropped as unreadable_facts when their verdict comes")
    func factsAfterReading() async throws {
        let harness = try await WorkerHarness()
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        let second = try harness.commit(epoch: 2, ids: 6..<9)
        try harness.log.mark(2)
        harness.tell()
        #expect(await harness.readsAll())
        try harness.log.damage("span-log/facts", at: second.offset)
        try harness.log.keep([first, second])
        harness.tell(watermark: 2)
        #expect(await eventually { harness.exported.spans == Array(1..<6) })
        #expect(await eventually { harness.pendingRows == 3 })
        try await Task.sleep(for: .milliseconds(300))
        #expect(harness.pendingRows == 3, "not before every verdict about the epoch was given")
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        try await expectClosed(harness, ["": 5, "unreadable_facts": 3], last: second)
    }

    @Test("a damaged record of the verdict log: its spans are dropped as unreadable_verdict, later blocks apply")
    func damagedVerdict() async throws {
        let harness = try await WorkerHarness()
        let commits = try (1...3).map { try harness.commit(epoch: $0, ids: $0 * 10..<$0 * 10 + 4) }
        try harness.log.mark(3)
        try harness.log.keep([commits[0]])
        let damaged = try harness.log.keep([commits[1]])
        try harness.log.damage("verdict-log", at: damaged)
        harness.tell(watermark: 3)
        #expect(await eventually { harness.exported.spans == Array(10..<14) })
        try harness.log.keep([commits[2]])
        harness.tell(watermark: 4)
        #expect(await eventually { harness.exported.spans == Array(10..<14) + Array(30..<34) })
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        try await expectClosed(harness, ["": 8, "unreadable_verdict": 4], last: commits[2])
    }

    @Test("a damaged record of the verdict log between sound ones is lost alone")
    func damagedVerdictBetweenOthers() async throws {
        let harness = try await WorkerHarness()
        let commits = try (1...4).map { try harness.commit(epoch: $0, ids: $0 * 10..<$0 * 10 + 4) }
        try harness.log.mark(4)
        let blocks = try commits.map { try harness.log.keep([$0]) }
        try harness.log.damage("verdict-log", at: blocks[1])
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        #expect(
            await eventually {
                harness.exported.spans == Array(10..<14) + Array(30..<34) + Array(40..<44)
            })
        try await expectClosed(harness, ["": 12, "unreadable_verdict": 4], last: commits[3])
    }

    @Test("a sound record that is no verdict block is not tried for ever")
    func nonsenseVerdict() async throws {
        let harness = try await WorkerHarness()
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        let second = try harness.commit(epoch: 1, ids: 6..<9)
        try harness.log.mark(1)
        try harness.log.appendNonsense()
        try harness.log.keep([second])
        harness.tell(watermark: 2)
        #expect(await eventually { harness.exported.spans == Array(6..<9) })
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        try await expectClosed(harness, ["": 3, "unreadable_verdict": 5], last: first)
    }

    @Test("a graph that the router refuses is not sent again; its spans are dropped as refused_graph")
    func refusedGraph() async throws {
        let harness = try await WorkerHarness()
        harness.router.withLock { $0.graphStatus = 400 }
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        try harness.log.mark(1)
        harness.tell(watermark: 1)
        #expect(await eventually { harness.router.withLock { $0.graphs } == 1 })
        harness.router.withLock { $0.graphStatus = 200 }
        let second = try harness.commit(epoch: 2, ids: 6..<9)
        try harness.log.mark(2)
        try harness.log.keep([second])
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        try await expectClosed(harness, ["": 3, "refused_graph": 5], last: first)
        #expect(harness.router.withLock { $0.graphs } == 3)
    }

    @Test("a graph that the merge refused later: its spans are dropped as refused_graph")
    func graphRefusedByTheMerge() async throws {
        let harness = try await WorkerHarness()
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        try harness.log.mark(1)
        harness.router.withLock { router in
            router.ends.lost = [
                LostEpochs(from: 1, to: 1, firstPartition: 0, endPartition: 4, reason: DropReason.refusedGraph)
            ]
        }
        try harness.log.mark(20)
        harness.tell(watermark: 20)
        try await expectClosed(harness, ["refused_graph": 5], last: first)
    }

    @Test("spans that get no verdict at all are dropped as no_verdict once none can come")
    func noVerdict() async throws {
        let harness = try await WorkerHarness()
        let first = try harness.commit(epoch: 1, ids: 1..<6)
        try harness.log.mark(20)
        harness.tell(watermark: 1 + WorkerHarness.verdictEpochs - 1)
        #expect(await harness.readsAll())
        try await Task.sleep(for: .milliseconds(400))
        #expect(harness.pendingRows == 5, "their verdict may still come")
        harness.tell(watermark: 1 + WorkerHarness.verdictEpochs)
        try await expectClosed(harness, ["no_verdict": 5], last: first)
    }
}
