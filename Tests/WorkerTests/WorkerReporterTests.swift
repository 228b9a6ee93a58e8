import Linking
import Testing

@testable import Shared
@testable import Worker

@Suite struct WorkerReporterTests {
    private func reporter(
        acknowledged: UInt64 = 0, verdictEpochs: UInt64? = 10
    ) -> WorkerReporter {
        WorkerReporter(
            ordinal: 3, pid: 42,
            welcome: WorkerWelcome(
                dataDirectory: "/nowhere", logIdentity: "test", router: 0, firstPartition: 0, endPartition: 8,
                epochNanoseconds: 1, lateWindowEpochs: 10, acknowledgedVerdicts: acknowledged, reportedEpoch: nil,
                settled: [], isReplay: false, verdictEpochs: verdictEpochs))
    }

    private func header(_ position: UInt64, epoch: UInt64) -> FactsBlock.Header {
        FactsBlock.Header(
            position: LogPosition(position), epoch: Epoch(epoch), time: 0, payloadPosition: position * 10,
            payloadLength: 0, rowCount: 0)
    }

    /// A block that keeps `kept` spans of partition 1 and drops `sampled` of partition 2, of one commit.
    private func outcome(
        _ block: UInt64, position: UInt64, epoch: UInt64, kept: UInt64, sampled: UInt64
    ) -> VerdictApplier.Outcome {
        var outcome = VerdictApplier.Outcome()
        outcome.batches = [makeBatch(block: block, epoch: epoch, ids: 0..<kept, partitions: [1])]
        let what = VerdictApplier.Dropped(partition: PartitionID(2), epoch: Epoch(epoch), reason: DropReason.sampled)
        if sampled > 0 { outcome.dropped[what] = sampled }
        outcome.ended = [.init(position: LogPosition(position), rows: Int(kept + sampled), appended: 0)]
        return outcome
    }

    private func ended(_ reporter: WorkerReporter, epoch: UInt64, spans: Int, _ outcome: ExportOutcome = .exported) {
        reporter.ended(
            ExportReport(
                target: "file", epoch: Epoch(epoch), partitions: [.init(partition: PartitionID(1), spans: spans)],
                outcome: outcome))
    }

    /// Spans of a report by (target, reason).
    private func counts(_ report: WorkerReport) -> [String: UInt64] {
        var counts: [String: UInt64] = [:]
        for line in report.lines {
            let key = "\(line.target ?? "all")/\(line.reason ?? "-")"
            for place in stride(from: 1, to: line.counts.count, by: 2) { counts[key, default: 0] += line.counts[place] }
        }
        return counts
    }

    @Test("a block's spans are told together with its acknowledgement, never before")
    func together() {
        let reporter = reporter()
        reporter.read(header(100, epoch: 1), rows: 5)
        reporter.applied(VerdictBlockID(0), next: 64, outcome: outcome(0, position: 100, epoch: 1, kept: 3, sampled: 2))
        ended(reporter, epoch: 1, spans: 3)
        let before = reporter.next()
        #expect(before.lines.isEmpty && before.acknowledgedVerdicts == 0 && before.lowWater == 100)
        #expect(reporter.pendingRows == 5)
        reporter.acknowledged(through: VerdictBlockID(0))
        let after = reporter.next()
        #expect(counts(after) == ["file/-": 3, "all/sampled": 2])
        #expect(after.acknowledgedVerdicts == 64 && after.number == before.number + 1)
        #expect(reporter.pendingRows == 0)
        #expect(counts(reporter.next()).isEmpty, "told once")
    }

    @Test("what a target told of a later block waits for that block")
    func laterBlock() {
        let reporter = reporter()
        reporter.read(header(100, epoch: 1), rows: 3)
        reporter.read(header(200, epoch: 1), rows: 4)
        reporter.applied(VerdictBlockID(0), next: 64, outcome: outcome(0, position: 100, epoch: 1, kept: 3, sampled: 0))
        reporter.applied(
            VerdictBlockID(64), next: 128, outcome: outcome(64, position: 200, epoch: 1, kept: 4, sampled: 0))
        ended(reporter, epoch: 1, spans: 7)
        reporter.acknowledged(through: VerdictBlockID(0))
        #expect(counts(reporter.next()) == ["file/-": 3])
        reporter.acknowledged(through: VerdictBlockID(64))
        #expect(counts(reporter.next()) == ["file/-": 4])
    }

    @Test("spans that a target gave up are told by reason")
    func dropped() {
        let reporter = reporter()
        reporter.applied(VerdictBlockID(0), next: 64, outcome: outcome(0, position: 1, epoch: 1, kept: 5, sampled: 0))
        ended(reporter, epoch: 1, spans: 4)
        ended(reporter, epoch: 1, spans: 1, .dropped(.unreadablePoint))
        reporter.acknowledged(through: VerdictBlockID(0))
        let reason = ExportDropReason.unreadablePoint.name
        #expect(counts(reporter.next()) == ["file/-": 4, "file/\(reason)": 1])
    }

    @Test("duplicates are told with their epoch")
    func duplicates() {
        let reporter = reporter()
        reporter.finished(
            epoch: Epoch(4), duplicates: [.init(partition: PartitionID(2), epoch: Epoch(4)): 6])
        let report = reporter.next()
        #expect(report.readEpoch == 4 && counts(report) == ["all/duplicate": 6])
    }

    @Test("blocks that had ended before a restart end their rows and are not told again")
    func skipped() {
        let reporter = reporter(acknowledged: 64)
        reporter.read(header(100, epoch: 1), rows: 5)
        reporter.skipped(outcome(0, position: 100, epoch: 1, kept: 3, sampled: 2), next: 64)
        let report = reporter.next()
        #expect(report.lines.isEmpty && report.acknowledgedVerdicts == 64 && reporter.pendingRows == 0)
    }

    @Test("news is what the report before did not say")
    func news() {
        let reporter = reporter()
        _ = reporter.next()
        _ = reporter.next()
        #expect(!reporter.isNews)
        reporter.finished(epoch: Epoch(1), duplicates: [:])
        _ = reporter.next()
        #expect(reporter.isNews)
    }

    @Test("an epoch is settled once its verdicts are all given and acknowledged, not earlier")
    func settles() {
        let reporter = reporter()
        reporter.read(header(100, epoch: 1), rows: 5)
        reporter.finished(epoch: Epoch(20), duplicates: [:])
        reporter.lose(1...1, DropReason.unreadableFacts)
        reporter.reached(PeerEnds(facts: 200, verdicts: 64, watermark: 11))
        #expect(reporter.next().settled.isEmpty, "a block is not acknowledged")
        reporter.reached(PeerEnds(facts: 200, verdicts: 128, watermark: 12))
        reporter.applied(VerdictBlockID(0), next: 64, outcome: outcome(0, position: 100, epoch: 1, kept: 3, sampled: 0))
        ended(reporter, epoch: 1, spans: 3)
        reporter.acknowledged(through: VerdictBlockID(0))
        let report = reporter.next()
        #expect(counts(report) == ["file/-": 3], "what ended is told first")
        #expect(
            report.settled == [
                LostEpochs(from: 1, to: 1, firstPartition: 0, endPartition: 8, reason: DropReason.unreadableFacts)
            ])
        #expect(report.lowWater == 100 && reporter.pendingRows == 0)
    }

    @Test("epochs whose mark was not read are not settled, whatever the watermark")
    func unread() {
        let reporter = reporter()
        reporter.finished(epoch: Epoch(3), duplicates: [:])
        reporter.lose(2...5, DropReason.unreadableFacts)
        reporter.reached(PeerEnds(facts: 1, verdicts: 0, watermark: 100))
        #expect(reporter.next().settled.map(\.to) == [3])
        reporter.finished(epoch: Epoch(9), duplicates: [:])
        reporter.reached(PeerEnds(facts: 1, verdicts: 0, watermark: 101))
        #expect(reporter.next().settled.map(\.from) == [4])
    }

    @Test("at the end of a replay everything is settled; without closing times nothing before")
    func replay() {
        let reporter = reporter(verdictEpochs: nil)
        reporter.read(header(100, epoch: 1), rows: 5)
        reporter.finished(epoch: Epoch(1), duplicates: [:])
        reporter.reached(PeerEnds(facts: 200, verdicts: 0, watermark: 1000))
        #expect(reporter.next().settled.isEmpty)
        reporter.reached(PeerEnds(facts: 200, verdicts: 0, areFinal: true, watermark: 1000))
        #expect(reporter.next().settled.map(\.reason) == [DropReason.noVerdict])
        #expect(reporter.pendingRows == 0)
    }

    @Test("graphs that the merge refused are noted once, and only those of the own partitions")
    func refusedGraphs() {
        let reporter = reporter()
        let own = LostEpochs(from: 2, to: 2, firstPartition: 0, endPartition: 8, reason: DropReason.refusedGraph)
        let other = LostEpochs(from: 2, to: 2, firstPartition: 8, endPartition: 16, reason: DropReason.refusedGraph)
        reporter.finished(epoch: Epoch(5), duplicates: [:])
        for _ in 0..<3 { reporter.reached(PeerEnds(facts: 1, verdicts: 0, watermark: 20, lost: [other, own])) }
        #expect(reporter.next().settled == [own])
        reporter.reached(PeerEnds(facts: 1, verdicts: 0, watermark: 20, lost: [other, own]))
        #expect(reporter.next().settled.isEmpty)
    }
}
