import Foundation
import Linking
import Shared
import Synchronization
import Testing

@testable import Router

/// The merge's thread on a log in memory, with two workers of four partitions each.
@Suite struct MergeThreadTests {
    private final class Bench: Sendable {
        let thread: MergeThread
        let disk = MemoryDisk()
        let told = Mutex<[(end: UInt64, watermark: UInt64)]>([])
        let refused = Mutex<[PartialGraphHeader]>([])

        init(limits: Limits = Limits(), windowEpochs: UInt64 = 1) throws {
            let box = Mutex<Bench?>(nil)
            thread = MergeThread(
                map: PartitionMap(partitions: 8, workers: 2), limits: limits, syncInterval: 0,
                metrics: MetricsRegistry(), logger: quiet,
                events: .init(
                    verdicts: { end, watermark in
                        box.withLock { $0 }?.told.withLock { $0.append((end, watermark.number)) }
                    },
                    refused: { header in box.withLock { $0 }?.refused.withLock { $0.append(header) } }))
            box.withLock { $0 = self }
            var options = LinkingOptions()
            options.samplingRate = 1
            options.windowEpochs = windowEpochs
            thread.start(
                options: options, log: try RecordLog(disk: disk, folder: "/verdicts", segmentBytes: 1 << 20),
                decided: DecidedRows())
        }

        /// The rows that have a verdict, by commit.
        func decided() throws -> [UInt64: Int] {
            let reader = RecordLogReader(disk: disk, folder: "/verdicts")
            var rows: [UInt64: Int] = [:]
            var position: UInt64 = 0
            while let (entry, next) = try reader.next(from: position, end: thread.progress.verdicts) {
                if case .record(_, _, let bytes) = entry {
                    try bytes.withUnsafeBytes { bytes in
                        for commit in try VerdictDecoder(bytes).commits { rows[commit.position.offset] = commit.rows }
                    }
                }
                position = next
            }
            return rows
        }
    }

    /// A graph of one worker: spans that are linked with nothing.
    private func graph(
        worker: UInt16, epoch: UInt64, piece: UInt32 = 0, isLast: Bool = true, spans: Int, position: UInt64 = 0
    ) -> [UInt8] {
        var encoder = PartialGraphEncoder()
        for row in 0..<spans {
            var facts = SpanFacts()
            facts.flags = .passThrough
            facts.id = SpanID(UInt64(row + 1) << 32 | epoch << 8 | UInt64(worker))
            encoder.append(
                facts, at: RowAddress(router: RouterOrdinal(0), position: LogPosition(position), row: UInt32(row)))
        }
        return encoder.finish(
            PartialGraphHeader(
                firstPartition: worker * 4, endPartition: worker * 4 + 4, epoch: Epoch(epoch), piece: piece,
                isLastPiece: isLast))
    }

    private func expectTaken(_ offer: MergeThread.Offer, at location: SourceLocation = #_sourceLocation) {
        guard case .taken = offer else {
            Issue.record("\(offer)", sourceLocation: location)
            return
        }
    }

    @Test("an epoch is merged once every worker has told all of it, in order, and its verdicts are in the log")
    func waitsForAll() async throws {
        let bench = try Bench()
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 1, spans: 3, position: 100)))
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 2, spans: 0)))
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 3, spans: 0)))
        expectTaken(bench.thread.offer(graph(worker: 1, epoch: 1, isLast: false, spans: 1, position: 200)))
        try await Task.sleep(for: .milliseconds(50))
        #expect(bench.thread.progress.watermark == Epoch(0), "worker 1 has more to tell")
        expectTaken(bench.thread.offer(graph(worker: 1, epoch: 1, piece: 1, spans: 1, position: 300)))
        try await eventually { bench.thread.progress.watermark == Epoch(1) }
        for epoch in 2...3 as ClosedRange<UInt64> {
            expectTaken(bench.thread.offer(graph(worker: 1, epoch: epoch, spans: 0)))
        }
        try await eventually { bench.thread.progress.watermark == Epoch(3) }
        #expect(try bench.decided() == [100: 3, 200: 1, 300: 1])
        try await eventually { bench.told.withLock { $0.last?.watermark } == 3 }
        #expect(bench.told.withLock { $0.last?.end } == bench.thread.progress.verdicts)
        await bench.thread.stop()
    }

    @Test("a torn graph is told as refused; the epoch goes on with the others")
    func tornGraph() async throws {
        let bench = try Bench()
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 1, isLast: false, spans: 2, position: 100)))
        let torn = Array(graph(worker: 0, epoch: 1, piece: 1, spans: 40, position: 150).dropLast(8))
        expectTaken(bench.thread.offer(torn))
        for epoch in 1...3 as ClosedRange<UInt64> {
            expectTaken(bench.thread.offer(graph(worker: 1, epoch: epoch, spans: 1, position: 200 + epoch)))
            if epoch > 1 { expectTaken(bench.thread.offer(graph(worker: 0, epoch: epoch, spans: 0))) }
        }
        try await eventually { bench.thread.progress.watermark == Epoch(3) }
        #expect(try bench.decided()[100] == 2)
        #expect(try bench.decided()[201] == 1)
        #expect(try bench.decided()[150] == nil)
        let refused = bench.refused.withLock { $0 }
        #expect(refused.map(\.piece) == [1] && refused.map(\.epoch) == [Epoch(1)] && refused[0].firstPartition == 0)
        await bench.thread.stop()
    }

    @Test("a graph of partitions that are no worker's, and bytes that are no graph, are refused at once")
    func strangers() async throws {
        let bench = try Bench()
        var encoder = PartialGraphEncoder()
        let header = PartialGraphHeader(
            firstPartition: 2, endPartition: 6, epoch: Epoch(1), piece: 0, isLastPiece: true)
        for bytes in [encoder.finish(header), [], [1, 2, 3], Array("EPG1".utf8)] {
            guard case .refused(let reason) = bench.thread.offer(bytes) else {
                Issue.record("\(bytes) was not refused")
                continue
            }
            #expect(!reason.isEmpty)
        }
        await bench.thread.stop()
    }

    @Test("beyond the bound of waiting epochs graphs are wanted later")
    func bounded() async throws {
        var limits = Limits()
        limits.unackedPartials = 3
        let bench = try Bench(limits: limits)
        for epoch in 1...3 as ClosedRange<UInt64> {
            expectTaken(bench.thread.offer(graph(worker: 0, epoch: epoch, spans: 1)))
        }
        guard case .later = bench.thread.offer(graph(worker: 0, epoch: 4, spans: 1)) else {
            Issue.record("a fourth epoch waits")
            return
        }
        expectTaken(bench.thread.offer(graph(worker: 1, epoch: 3, spans: 1)))
        try await eventually { bench.thread.progress.watermark == Epoch(3) }
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 4, spans: 1)))
        await bench.thread.stop()
    }

    @Test("what a worker told before it started again is forgotten, but for epochs that were merged")
    func restarted() async throws {
        let bench = try Bench()
        for worker in 0...1 as ClosedRange<UInt16> {
            expectTaken(bench.thread.offer(graph(worker: worker, epoch: 1, spans: 1, position: 10 + UInt64(worker))))
        }
        try await eventually { bench.thread.progress.watermark == Epoch(1) }
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 2, spans: 1, position: 20)))
        bench.thread.restarted(WorkerOrdinal(0))
        expectTaken(bench.thread.offer(graph(worker: 1, epoch: 2, spans: 1, position: 21)))
        try await Task.sleep(for: .milliseconds(50))
        #expect(bench.thread.progress.watermark == Epoch(1), "worker 0 is to tell again")
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 1, spans: 1, position: 10)))
        expectTaken(bench.thread.offer(graph(worker: 0, epoch: 2, spans: 1, position: 20)))
        try await eventually { bench.thread.progress.watermark == Epoch(2) }
        bench.thread.flush(after: Epoch(2))
        try await eventually { bench.thread.progress.isFlushed }
        #expect(try bench.decided() == [10: 1, 11: 1, 20: 1, 21: 1])
        await bench.thread.stop()
    }
}
