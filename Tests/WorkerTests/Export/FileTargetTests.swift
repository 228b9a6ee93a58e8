import Foundation
import Linking
import Shared
import Synchronization
import Testing

@testable import Worker

/// A disk on which the process is "killed" at the n-th operation: it happens by half or not at all, and none after it.
final class KillingDisk: ExportDisk {
    private struct Killed: Error {}
    private let disk = SystemDisk(isDurable: false)
    private let left: Mutex<Int>
    /// Whether operations that can only happen or not happen do happen at the kill.
    private let isAfter: Bool

    init(killedAt operation: Int, isAfter: Bool) {
        left = Mutex(operation)
        self.isAfter = isAfter
    }

    var isKilled: Bool { left.withLock { $0 <= 0 } }

    private func step<Result>(_ body: () throws -> Result) throws -> Result {
        let now = left.withLock { left in
            left -= 1
            return left
        }
        if now > 0 { return try body() }
        if now == 0 && isAfter { _ = try body() }
        throw Killed()
    }

    func makeFolder(_ path: String) throws { try step { try disk.makeFolder(path) } }
    func names(inFolder path: String) throws -> [String] { try step { try disk.names(inFolder: path) } }
    func open(_ path: String) throws -> Int32 {
        let file = try disk.open(path)
        do { return try step { file } } catch {
            disk.close(file)
            throw error
        }
    }
    func close(_ descriptor: Int32) { disk.close(descriptor) }
    func length(_ descriptor: Int32) throws -> UInt64 { try disk.length(descriptor) }
    func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: UInt64) throws {
        do { try step { try disk.write(bytes, to: descriptor, at: offset) } } catch {
            let half = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)])
            if left.withLock({ $0 == 0 }), !isAfter { try disk.write(half, to: descriptor, at: offset) }
            throw error
        }
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64) throws -> Int {
        try disk.read(into: buffer, from: descriptor, at: offset)
    }
    func truncate(_ descriptor: Int32, to length: UInt64) throws {
        try step { try disk.truncate(descriptor, to: length) }
    }
    func sync(_ descriptor: Int32) throws { try step {} }
    func syncFolder(_ path: String) throws { try step {} }
    func rename(_ source: String, to target: String) throws { try step { try disk.rename(source, to: target) } }
    func remove(_ path: String) throws { try step { try disk.remove(path) } }
    func lock(_ descriptor: Int32) throws { try disk.lock(descriptor) }
}

@Suite struct FileTargetTests {
    private func makeTarget(
        _ folder: String, _ recorder: Recorder, worker: UInt16 = 0, log: String = "log", policy: FilePartPolicy = .live,
        disk: any ExportDisk = SystemDisk(isDurable: false), waiting: ExportWaiting = hurried
    ) -> FileTarget {
        FileTarget(
            folder: folder, worker: WorkerOrdinal(worker), log: log, policy: policy, queue: recorder.queue("file"),
            disk: disk, waiting: waiting, observer: recorder, logger: quiet)
    }

    private func life(
        _ target: FileTarget, _ batches: [ExportBatch], _ recorder: Recorder
    ) async throws -> VerdictBlockID? {
        let fanOut = ExportFanOut(targets: [target], encoder: MarkingEncoder())
        try await fanOut.start()
        for batch in batches { await fanOut.submit(batch) }
        await fanOut.close(grace: .seconds(20))
        return fanOut.acknowledged
    }

    /// Whether the ids 0 ..< 300 are there, each once.
    private func isWhole(_ folder: String) -> Bool { hourIDs(folder).sorted() == Array(0..<300) }

    /// Blocks of several batches, epochs, partitions and hours; 300 spans, ids 0 ..< 300.
    private var blocks: [ExportBatch] {
        let hour: UInt64 = 3_600_000_000_000
        return [
            makeBatch(block: 1, epoch: 10, ids: 0..<40, partitions: [0, 1, 7], ends: false),
            makeBatch(block: 1, epoch: 11, ids: 40..<90, partitions: [1, 7]),
            .end(of: VerdictBlockID(2)),
            makeBatch(block: 3, epoch: 10, ids: 90..<100, partitions: [1]),
            makeBatch(block: 4, epoch: 12, ids: 100..<200, partitions: [0, 1, 2, 3], time: threeOClock + hour),
            makeBatch(block: 5, epoch: 13, ids: 200..<300, partitions: [9], time: threeOClock + hour),
        ]
    }

    @Test func everySpanIsInItsHoursFileOnceAndAcknowledged() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        let reached = try await life(makeTarget(folder, recorder), blocks, recorder)
        #expect(reached == VerdictBlockID(5))
        #expect(isWhole(folder))
        #expect(recorder.spans("file") == 300)
        let files = names(folder).filter { !$0.hasPrefix(".") }
        #expect(files.allSatisfy { $0 == "traces-20260102T03.jsonl" || $0 == "traces-20260102T04.jsonl" })
        #expect(files.contains("traces-20260102T04.jsonl"))
    }

    @Test(arguments: [false, true])
    func aKillAtAnyStepLeavesNoRepeatAndNoLoss(isAfter: Bool) async throws {
        var wasKilled = true
        var operation = 1
        while wasKilled {
            let folder = temporaryFolder()
            let disk = KillingDisk(killedAt: operation, isAfter: isAfter)
            let first = Recorder()
            let target = makeTarget(folder, first, disk: disk)
            let fanOut = ExportFanOut(targets: [target], encoder: MarkingEncoder())
            if (try? await fanOut.start()) != nil {
                for batch in blocks {
                    await fanOut.submit(batch)
                    if !disk.isKilled { await fanOut.targets[0].queue.settled(or: disk) }
                }
                #expect(await eventually { disk.isKilled || fanOut.acknowledged == VerdictBlockID(5) })
                await fanOut.close(grace: .zero)
            }
            wasKilled = disk.isKilled

            let second = Recorder()
            let rest = blocks.filter { block in
                operation % 2 == 0 || fanOut.acknowledged.map { block.block > $0 } ?? true
            }
            let reached = try await life(makeTarget(folder, second), rest, second)
            #expect(reached == rest.last?.block)
            #expect(isWhole(folder), "killed at operation \(operation)")
            #expect(second.spans("file") == rest.reduce(0) { $0 + $1.spans.count })
            #expect(
                !names(folder).contains { $0.hasPrefix("part-") || $0.hasSuffix(".open") || $0.hasSuffix(".joining") })
            try? FileManager.default.removeItem(atPath: folder)
            operation += 1
        }
        #expect(operation > 40, "the kills must have reached every step")
    }

    @Test func completedPartsOfAnotherVerdictLogHideNothing() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        _ = try await life(makeTarget(folder, recorder, log: "one"), blocks, recorder)
        _ = try await life(makeTarget(folder, recorder, log: "two"), blocks, recorder)
        #expect(hourIDs(folder).count == 600)
    }

    @Test func aNewOwnerSkipsOnlyWhatTheOldOneWrote() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        let old = makeBatch(block: 1, epoch: 10, ids: 0..<40, partitions: [0, 1])
        _ = try await life(makeTarget(folder, recorder, worker: 1), [old], recorder)
        // Worker 0 takes partitions 0 and 1 of epoch 10 over, and has 2 and epoch 11 of its own in the same block.
        let taken = makeBatch(block: 1, epoch: 10, ids: 0..<60, partitions: [0, 1, 2], ends: false)
        let own = makeBatch(block: 1, epoch: 11, ids: 60..<80, partitions: [0])
        let second = Recorder()
        _ = try await life(makeTarget(folder, second, worker: 0), [taken, own], second)
        #expect(hourIDs(folder).sorted() == Array(0..<80))
        #expect(second.spans("file") == 80)
    }

    @Test func diskErrorsAreRetriedAndCounted() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        let disk = FailingDisk(everyNth: 3)
        let reached = try await life(makeTarget(folder, recorder, disk: disk), blocks, recorder)
        #expect(reached == VerdictBlockID(5))
        #expect(recorder.state.withLock { $0.retries["disk", default: 0] } > 0)
        let after = Recorder()
        _ = try await life(makeTarget(folder, after), [], after)
        #expect(isWhole(folder))
    }

    @Test func aHeaderLargerThanItsRoomIsWrittenWhole() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        var batches: [ExportBatch] = []
        for epoch in 0..<40 as Range<UInt64> {
            batches.append(
                makeBatch(
                    block: 1, epoch: epoch, ids: epoch * 256..<epoch * 256 + 256, partitions: Array(0..<256),
                    ends: epoch == 39))
        }
        _ = try await life(makeTarget(folder, recorder, policy: .replay), batches, recorder)
        let headers = try FileParts(folder: folder, disk: SystemDisk(isDurable: false)).start(worker: WorkerOrdinal(1))
        #expect(headers.headers.map(\.pairs.count) == [40 * 256])
        let output = temporaryFolder() + ".jsonl"
        #expect(try FileParts.join(folder, to: output) == 40 * 256)
        #expect(ids(inLines: contents(output)).elementsEqual(0..<40 * 256))
        #expect(!names(folder).contains { $0.hasSuffix(".open") })
    }

    @Test func partsOfAllWorkersJoinInTheOrderOfEpochWorkerAndPart() async throws {
        let folder = temporaryFolder()
        var policy = FilePartPolicy.replay
        policy.partBytes = 1
        for worker in [1, 0] as [UInt16] {
            let recorder = Recorder()
            let from = UInt64(worker) * 1000
            let batches = [
                makeBatch(block: 1, epoch: 5, ids: from..<from + 10, partitions: [worker]),
                makeBatch(block: 2, epoch: 6, ids: from + 10..<from + 20, partitions: [worker]),
            ]
            _ = try await life(makeTarget(folder, recorder, worker: worker, policy: policy), batches, recorder)
        }
        let output = temporaryFolder() + ".jsonl"
        #expect(try FileParts.join(folder, to: output) == 40)
        let expected = Array(0..<10) + Array(1000..<1010) + Array(10..<20) + Array(1010..<1020) as [UInt64]
        #expect(ids(inLines: contents(output)) == expected)
        #expect(!contents(output).contains("ebpftrace_part"))
    }

    @Test func forgottenBlocksLeaveTheList() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        _ = try await life(makeTarget(folder, recorder), blocks, recorder)
        let target = makeTarget(folder, recorder)
        try await target.start()
        #expect(target.isDone(block: VerdictBlockID(3), epoch: Epoch(10), partition: PartitionID(1)))
        #expect(!target.isDone(block: VerdictBlockID(3), epoch: Epoch(10), partition: PartitionID(0)))
        await target.forget(through: VerdictBlockID(4))
        #expect(!target.isDone(block: VerdictBlockID(3), epoch: Epoch(10), partition: PartitionID(1)))
        #expect(target.isDone(block: VerdictBlockID(5), epoch: Epoch(13), partition: PartitionID(9)))
    }

    @Test func anUnreadableHeaderIsSetAside() async throws {
        let folder = temporaryFolder()
        let recorder = Recorder()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("not a header\n{\"id\":5}\n".utf8).write(
            to: URL(fileURLWithPath: folder + "/part-00000-0000000000.jsonl"))
        let reached = try await life(makeTarget(folder, recorder), blocks, recorder)
        #expect(reached == VerdictBlockID(5))
        #expect(names(folder).contains(".bad-part-00000-0000000000.jsonl"))
        #expect(isWhole(folder))
    }
}

extension TargetQueue {
    /// Gives the target time to take what is there.
    func settled(or disk: KillingDisk) async {
        _ = await eventually(within: 5) { disk.isKilled || self.isEmpty }
    }
}

/// A disk on which every n-th write, rename or sync fails, by half.
final class FailingDisk: ExportDisk {
    private let disk = SystemDisk(isDurable: false)
    private let everyNth: Int
    private let count = Counter()

    init(everyNth: Int) { self.everyNth = everyNth }

    private func fails() -> Bool {
        count.add(1)
        return count.count % everyNth == 0
    }
    private let full = Failure(.disk, "no space left")

    func makeFolder(_ path: String) throws { try disk.makeFolder(path) }
    func names(inFolder path: String) throws -> [String] { try disk.names(inFolder: path) }
    func open(_ path: String) throws -> Int32 { try disk.open(path) }
    func close(_ descriptor: Int32) { disk.close(descriptor) }
    func length(_ descriptor: Int32) throws -> UInt64 { try disk.length(descriptor) }
    func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: UInt64) throws {
        guard fails() else { return try disk.write(bytes, to: descriptor, at: offset) }
        try disk.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), to: descriptor, at: offset)
        throw full
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64) throws -> Int {
        try disk.read(into: buffer, from: descriptor, at: offset)
    }
    func truncate(_ descriptor: Int32, to length: UInt64) throws { try disk.truncate(descriptor, to: length) }
    func sync(_ descriptor: Int32) throws { if fails() { throw full } }
    func syncFolder(_ path: String) throws { if fails() { throw full } }
    func rename(_ source: String, to target: String) throws {
        if fails() { throw full }
        try disk.rename(source, to: target)
    }
    func remove(_ path: String) throws { try disk.remove(path) }
    func lock(_ descriptor: Int32) throws { try disk.lock(descriptor) }
}
