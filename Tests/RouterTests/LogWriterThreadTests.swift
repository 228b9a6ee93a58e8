import Linking
import NIOCore
import NIOPosix
import Shared
import Synchronization
import Testing

@testable import Router

@Suite(.serialized, .timeLimit(.minutes(1))) struct LogWriterThreadTests {
    private static let second = 1_000_000_000
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    /// A wall clock that stands until it is moved.
    private final class Wall: Sendable {
        private let time: Mutex<Int>
        init(_ seconds: Int) { time = Mutex(seconds * 1_000_000_000) }
        func advance(seconds: Int) { time.withLock { $0 += seconds * 1_000_000_000 } }
        var now: Int { time.withLock { $0 } }
    }

    private final class Progress: Sendable {
        let all = Mutex<[LogProgress]>([])
        var last: LogProgress? { all.withLock { $0.last } }
    }

    private func body(_ text: String, rows: Int = 1) -> CommitBody {
        let row = FactsRow(
            facts: SpanFacts(), partition: PartitionID(1), payloadOffset: 0, payloadLength: UInt32(text.utf8.count))
        return CommitBody(payload: PayloadBytes(Array(text.utf8)), rows: Array(repeating: row, count: rows))
    }

    private func start(
        _ disk: any Disk, wall: Wall = Wall(100), driven: Bool = false, metrics: MetricsRegistry = MetricsRegistry(),
        _ change: (inout LogWriterThread.Options) -> Void = { _ in }
    ) throws -> LogWriterThread {
        // Window 8 s: epochs of 2 s.
        var options = LogWriterThread.Options(
            clock: EpochClock(window: 8 * Self.second, isDriven: driven) { wall.now })
        // Other tests keep both cores busy for seconds: only a test of the wait itself has a short one.
        options.limits.ingestWaitMilliseconds = 120_000
        change(&options)
        let writer = LogWriterThread(options: options, metrics: metrics, logger: quiet)
        writer.start(log: try SpanLogWriter(disk: disk, folder: "log", segmentBytes: 64 << 10), on: loop)
        return writer
    }

    private func submit(_ writer: LogWriterThread, _ body: CommitBody) -> EventLoopFuture<IngestAnswer> {
        writer.submit(body, on: loop)
    }

    private enum Entry: Equatable {
        case commit(epoch: UInt64, rows: Int)
        case mark(UInt64)
        case gap
    }

    private func entries(_ disk: any Disk) throws -> [Entry] {
        let reader = SpanLogReader(disk: disk, folder: "log")
        var entries: [Entry] = []
        var position = LogPosition(0)
        while let (record, next) = try reader.next(from: position) {
            switch record {
            case .commit(let block): entries.append(.commit(epoch: block.header.epoch.number, rows: block.rowCount))
            case .mark(let epoch, _): entries.append(.mark(epoch.number))
            case .gap: entries.append(.gap)
            }
            position = next
        }
        return entries
    }

    @Test func bodiesAreAnsweredOnceTheLogHasThem() async throws {
        let disk = MemoryDisk()
        let metrics = MetricsRegistry()
        let writer = try start(disk, metrics: metrics)
        #expect(try await submit(writer, body("one", rows: 3)).get() == .accepted)
        #expect(try await submit(writer, body("two", rows: 4)).get() == .accepted)
        try await blocking { writer.stop() }
        #expect(try entries(disk) == [.mark(49), .commit(epoch: 50, rows: 3), .commit(epoch: 50, rows: 4)])
        #expect(metrics.counter(Metric.spansAccepted).value == 7)
        #expect(try await submit(writer, body("late")).get() != .accepted)
    }

    @Test func nobodyIsAnsweredBeforeTheAppendAndTheWaitingGoIntoOneCommit() async throws {
        let disk = GatedDisk()
        let writer = try start(disk)
        #expect(try await submit(writer, body("first")).get() == .accepted)
        disk.hold()
        let held = submit(writer, body("held"))
        try await eventually { disk.heldWrites == 1 }
        let waiting = (0..<5).map { submit(writer, body("w\($0)")) }
        let answered = Atomic(0)
        for future in waiting + [held] { future.whenComplete { _ in answered.add(1, ordering: .relaxed) } }
        try await Task.sleep(for: .milliseconds(100))
        #expect(answered.load(ordering: .relaxed) == 0)
        #expect(writer.queuedBytes > 0)
        disk.release()
        for future in waiting + [held] { #expect(try await future.get() == .accepted) }
        try await blocking { writer.stop() }
        #expect(try entries(disk).suffix(2) == [.commit(epoch: 50, rows: 1), .commit(epoch: 50, rows: 5)])
        #expect(writer.queuedBytes == 0)
    }

    @Test func diskThatHangsHoldsNobodyUpForLong() async throws {
        let disk = GatedDisk()
        let metrics = MetricsRegistry()
        let writer = try start(disk, metrics: metrics) { $0.limits.ingestWaitMilliseconds = 500 }
        #expect(try await submit(writer, body("first")).get() == .accepted)
        disk.hold()
        let answers = [submit(writer, body("a")), submit(writer, body("b"))]
        for answer in answers {
            guard case .busy = try await answer.get() else {
                return #expect(Bool(false), "answered though the disk hangs")
            }
        }
        #expect(metrics.counter(Metric.commitFailures, "timed_out").value == 2)
        disk.release()
        #expect(try await submit(writer, body("after")).get() == .accepted)
        try await blocking { writer.stop() }
    }

    @Test func fullQueueRefusesAtOnce() async throws {
        let disk = GatedDisk()
        let writer = try start(disk) { $0.limits.ingestQueueBytes = 1_000 }
        #expect(try await submit(writer, body("first")).get() == .accepted)
        disk.hold()
        let big = String(repeating: "x", count: 1_000)
        let waiting = [submit(writer, body(big)), submit(writer, body(big))]
        guard case .busy(let seconds, _) = try await submit(writer, body("more")).get() else {
            return #expect(Bool(false), "taken over the bound")
        }
        #expect(seconds > 0)
        disk.release()
        for answer in waiting { #expect(try await answer.get() == .accepted) }
        try await blocking { writer.stop() }
    }

    @Test func fullDiskIsWaitedForThenRefusedAndTakesAgain() async throws {
        let disk = MemoryDisk()
        let writer = try start(disk) {
            $0.limits.ingestWaitMilliseconds = 700
            $0.retryNanoseconds = 5_000_000
        }
        #expect(try await submit(writer, body("first")).get() == .accepted)
        disk.failWrites(after: 0)
        guard case .busy = try await submit(writer, body("no")).get() else { return #expect(Bool(false)) }
        // The writer lets go of a body that was answered; what it still had in hand might go into the log.
        try await eventually { writer.queuedBytes == 0 }
        let waits = submit(writer, body("waits"))
        try await Task.sleep(for: .milliseconds(30))
        disk.failWrites(after: nil)
        #expect(try await waits.get() == .accepted)
        try await blocking { writer.stop() }
        let commit = Entry.commit(epoch: 50, rows: 1)
        #expect(try entries(disk).filter { $0 != .gap } == [.mark(49), commit, commit])
    }

    @Test func logOverItsBoundRefuses() async throws {
        let writer = try start(MemoryDisk()) {
            $0.limits.logBytes = 1_000
            $0.limits.ingestWaitMilliseconds = 50
        }
        let answers = try await [submit(writer, body("a")).get(), submit(writer, body("b")).get()]
        #expect(answers.contains { if case .busy = $0 { true } else { false } })
        try await blocking { writer.stop() }
    }

    @Test func bodyThatFitsNoSegmentIsRefusedAloneAndItsNeighboursAreTaken() async throws {
        let disk = GatedDisk()
        let writer = try start(disk)
        #expect(try await submit(writer, body("first")).get() == .accepted)
        disk.hold()
        let held = submit(writer, body("held"))
        try await eventually { disk.heldWrites == 1 }
        let small = [submit(writer, body("a")), submit(writer, body("b"))]
        let huge = submit(writer, body(String(repeating: "x", count: 128 << 10)))
        disk.release()
        for answer in small + [held] { #expect(try await answer.get() == .accepted) }
        guard case .busy = try await huge.get() else { return #expect(Bool(false)) }
        try await blocking { writer.stop() }
    }

    @Test func commitsKeepToTheirBounds() async throws {
        let disk = GatedDisk()
        let writer = try start(disk) { $0.limits.commitSpans = 10 }
        disk.hold()
        let first = submit(writer, body("first"))
        try await eventually { disk.heldWrites == 1 }
        let others = (0..<4).map { _ in submit(writer, body("x", rows: 4)) }
        disk.release()
        for answer in others + [first] { #expect(try await answer.get() == .accepted) }
        try await blocking { writer.stop() }
        let rows = try entries(disk).compactMap { if case .commit(_, let rows) = $0 { rows } else { nil } }
        #expect(rows.reduce(0, +) == 17 && rows.allSatisfy { $0 <= 10 } && rows.count <= 4)
    }

    @Test func marksComeAtEveryBorderAlsoWhenIdle() async throws {
        let disk = MemoryDisk()
        let wall = Wall(100)
        let progress = Progress()
        let writer = try start(disk, wall: wall)
        writer.onProgress { new in progress.all.withLock { $0.append(new) } }
        try await eventually { progress.last?.mark == Epoch(49) }
        for border in 50..<53 as Range<UInt64> {
            wall.advance(seconds: 2)
            try await eventually {
                writer.wake()
                return progress.last?.mark == Epoch(border)
            }
        }
        #expect(try await submit(writer, body("x")).get() == .accepted)
        // A step back of the clock takes nothing back: epochs never go backwards in a log.
        wall.advance(seconds: -60)
        writer.wake()
        #expect(try await submit(writer, body("y")).get() == .accepted)
        let end = writer.progress?.end
        try await blocking { writer.stop() }
        #expect(
            try entries(disk) == [
                .mark(49), .mark(50), .mark(51), .mark(52), .commit(epoch: 53, rows: 1), .commit(epoch: 53, rows: 1),
            ])
        #expect(progress.last?.end == end && end != nil)
    }

    @Test func marksComeByThemselvesOnARealClock() async throws {
        let disk = MemoryDisk()
        var options = LogWriterThread.Options(clock: EpochClock(window: 200_000_000))
        options.sync = .interval(nanoseconds: 10_000_000)
        let writer = LogWriterThread(options: options, metrics: MetricsRegistry(), logger: quiet)
        writer.start(log: try SpanLogWriter(disk: disk, folder: "log", segmentBytes: 64 << 10), on: loop)
        try await Task.sleep(for: .milliseconds(600))
        try await blocking { writer.stop() }
        let marks = try entries(disk).compactMap { if case .mark(let epoch) = $0 { epoch } else { nil } }
        #expect(marks.count >= 5 && marks == marks.sorted() && Set(marks).count == marks.count)
    }

    @Test func callerDrivesTheEpochsOfAReplay() async throws {
        let disk = MemoryDisk()
        let writer = try start(disk, driven: true)
        let first = submit(writer, body("a"))
        try await writer.appendMark(Epoch(6))
        #expect(try await first.get() == .accepted)
        #expect(try await submit(writer, body("b", rows: 2)).get() == .accepted)
        try await writer.appendMark(Epoch(6))
        try await writer.appendMark(Epoch(3))
        try await writer.appendMark(Epoch(9))
        #expect(writer.progress?.mark == Epoch(9))
        try await blocking { writer.stop() }
        #expect(try entries(disk) == [.commit(epoch: 0, rows: 1), .mark(6), .commit(epoch: 7, rows: 2), .mark(9)])
        await #expect(throws: Failure.self) { try await writer.appendMark(Epoch(10)) }
    }

    @Test func restartGoesOnBehindTheNewestEpoch() async throws {
        let disk = MemoryDisk()
        let wall = Wall(100)
        let first = try start(disk, wall: wall)
        #expect(try await submit(first, body("a")).get() == .accepted)
        try await blocking { first.stop() }
        let second = try start(disk, wall: wall)
        #expect(try await submit(second, body("b")).get() == .accepted)
        #expect(second.progress?.mark == Epoch(49))
        try await blocking { second.stop() }
        #expect(try entries(disk) == [.mark(49), .commit(epoch: 50, rows: 1), .commit(epoch: 50, rows: 1)])
    }

    @Test(arguments: [SyncPolicy.always, .interval(nanoseconds: 20_000_000)])
    func answersOutliveAPowerCutByPolicy(policy: SyncPolicy) async throws {
        let disk = MemoryDisk()
        let metrics = MetricsRegistry()
        let writer = try start(disk, metrics: metrics) { $0.sync = policy }
        #expect(try await submit(writer, body("a")).get() == .accepted)
        if policy != .always {
            let syncs = metrics.histogram(Metric.logSync)
            try await eventually { syncs.snapshot.counts.reduce(0, +) >= 1 }
        }
        var random = SystemRandomNumberGenerator()
        try await blocking { writer.stop() }
        disk.cutPower(.losesEverythingUnsynchronised, using: &random)
        #expect(try entries(disk).contains(.commit(epoch: 50, rows: 1)))
    }

    @Test func jobsRunOnTheThreadInOrder() async throws {
        let writer = try start(MemoryDisk())
        let answer = submit(writer, body("a"))
        let ends = Mutex<[LogPosition]>([])
        writer.perform { log in ends.withLock { $0.append(log.end) } }
        #expect(try await answer.get() == .accepted)
        try await blocking { writer.stop() }
        #expect(ends.withLock { $0 } == [writer.progress?.end].compactMap { $0 })
    }
}
