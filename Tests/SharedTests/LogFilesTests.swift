import Foundation
import Linking
import Testing

@testable import Shared

/// The same logs on files of the kernel, and what belongs to files: locks, repair, folders.
@Suite struct LogFilesTests {
    @Test func aReaderFollowsAWriterOnRealFiles() async throws {
        let folder = LogTemporaryFolder()
        let directory = try DataDirectory.open(folder.path)
        let count = 600
        let writing = Task.detached {
            var dice = LogDice(seed: 1)
            let writer = try SpanLogWriter(disk: RealDisk(), folder: directory.spanLog, segmentBytes: 64 << 10)
            for index in 0..<count {
                var commit = SpanCommit(epoch: Epoch(UInt64(index)), time: Int64(index))
                let body = LogSamples.body(&dice, points: 20, partitions: 8)
                try commit.add(payload: PayloadBytes(body.bytes), rows: body.rows)
                _ = try writer.append(commit)
                if index % 50 == 0 { try writer.sync() }
            }
        }
        var dice = LogDice(seed: 1)
        let reader = SpanLogReader(disk: RealDisk(), folder: directory.spanLog)
        let buffer = PointBuffer()
        var place = LogPosition(0)
        for index in 0..<count {
            let body = LogSamples.body(&dice, points: 20, partitions: 8)
            var found: (record: LogRecord, next: LogPosition)?
            while found == nil {
                found = try reader.next(from: place)
                if found == nil { try await Task.sleep(for: .microseconds(200)) }
            }
            guard case (.commit(let block), let next)? = found else {
                Issue.record("at \(place): \(String(describing: found))")
                break
            }
            #expect(block.header.epoch == Epoch(UInt64(index)))
            let rows = (0..<UInt32(block.rowCount)).map(block.row)
            #expect(Set(rows) == Set(body.rows))
            try reader.readPoints(of: block.header, rows, into: buffer)
            let isEqual = rows.indices.allSatisfy { place in
                let start = Int(rows[place].payloadOffset)
                return buffer[place].elementsEqual(body.bytes[start..<start + Int(rows[place].payloadLength)])
            }
            #expect(isEqual)
            place = next
        }
        try await writing.value
    }

    @Test func manyBuffersAreGatheredInOneRecord() throws {
        let folder = LogTemporaryFolder()
        let log = try SegmentedLog(disk: RealDisk(), folder: folder.path, segmentBytes: 1 << 20)
        let parts = (0..<3_000).map { PayloadBytes([UInt8](repeating: UInt8($0 % 251), count: $0 % 5)) }
        let position = try log.append(kind: 4, parts.map(\.bytes))
        withExtendedLifetime(parts) {}
        let expected = (0..<3_000).flatMap { [UInt8](repeating: UInt8($0 % 251), count: $0 % 5) }
        #expect(try LogContents(RealDisk(), folder.path).records[position] == expected)
        #expect(try RealDisk().freeBytes(folder.path) > 0)
    }

    @Test func realFilesSurviveReopeningRollingAndTrimming() throws {
        let folder = LogTemporaryFolder()
        var records: [UInt64: [UInt8]] = [:]
        var dice = LogDice(seed: 2)
        for _ in 0..<5 {
            let log = try RecordLog(disk: RealDisk(), folder: folder.path, segmentBytes: 4096)
            #expect(log.recovery.gaps.isEmpty && log.recovery.cutBytes == 0)
            for _ in 0..<20 {
                let bytes = dice.bytes(dice.below(900))
                records[try log.append(kind: 1, bytes)] = bytes
            }
            try log.sync()
            try log.trim(below: log.end - 6_000)
            records = records.filter { $0.key >= log.begin }
            #expect(try LogContents(RealDisk(), folder.path).records == records)
            let paths = try RealDisk().list(folder.path).map { folder.path + "/" + $0 }
            let sizes = try paths.map { try RealDisk().open($0, .read).size() }
            #expect(log.bytesHeld == sizes.reduce(0, +))
        }
    }

    @Test func aTornTailIsCutAndCounted() throws {
        let disk = MemoryDisk()
        let log = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
        let first = try log.append(kind: 1, [1, 2, 3])
        let second = try log.append(kind: 1, [UInt8](repeating: 7, count: 500))
        disk.corrupt("log/0000000000000000.seg", at: Int(second) + 32 + 300, flipping: 1)
        let reopened = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
        #expect(reopened.end == second && reopened.recovery.cutBytes >= 500 && reopened.recovery.gaps.isEmpty)
        #expect(try LogContents(disk, "log").records == [first: [1, 2, 3]])
        #expect(try disk.list("log") == ["0000000000000000.seg"])
    }

    @Test func aBadRecordInTheMiddleIsPassedOverAlone() throws {
        for hitLast in [false, true] {
            let disk = MemoryDisk()
            let log = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
            var positions: [UInt64] = []
            for index in 0..<13 {
                positions.append(try log.append(kind: 1, [UInt8](repeating: UInt8(index), count: 700)))
            }
            let bases = try SegmentHeader.bases(in: "log", on: disk)
            let base = try #require(hitLast ? bases.last : bases.dropFirst().first)
            let inside = positions.filter { $0 >= base && $0 < base + 5 * 728 }
            disk.corrupt("log/" + SegmentHeader.name(base), at: Int(inside[1] - base) + 60, flipping: 4)
            // A reader that is told the end goes on at once.
            let live = try LogContents(disk, "log", end: log.end)
            #expect(live.end == log.end && live.gaps == [inside[1]...inside[2]])
            let reopened = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
            #expect(reopened.recovery.gaps == [.init(from: inside[1], to: inside[2])])
            #expect(reopened.recovery.cutBytes == 0)
            let added = try reopened.append(kind: 1, [9])
            #expect(added == log.end)
            let contents = try LogContents(disk, "log", end: reopened.end)
            #expect(Set(contents.records.keys) == Set(positions).subtracting([inside[1]]).union([added]))
            #expect(contents.gaps == [inside[1]...inside[2]])
        }
    }

    @Test func onlyWhatAPowerCutCanHarmIsCheckedWhenSoAsked() throws {
        let disk = MemoryDisk()
        let log = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
        for _ in 0..<100 {
            try log.append(kind: 1, [UInt8](repeating: 1, count: 976))
            try log.sync()
        }
        let all = try SegmentedLog(disk: disk, folder: "log", segmentBytes: 4096)
        let some = try SegmentedLog(disk: disk, folder: "log", segmentBytes: 4096, verify: .unsynchronized)
        #expect(all.recovery.checkedRecords == 100 && some.recovery.checkedRecords <= 8)
        #expect(all.end == some.end && some.end == log.end)
    }

    @Test func aFullDiskDoesNotKeepALogFromOpening() throws {
        for damage in [false, true] {
            let disk = MemoryDisk()
            var log = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
            let positions = try (0..<3).map { _ in try log.append(kind: 1, [UInt8](repeating: 3, count: 500)) }
            if damage { disk.corrupt("log/0000000000000000.seg", at: 32 + Int(positions[1]) + 50, flipping: 1) }
            disk.limitSpace(to: 2_000)
            log = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
            #expect(throws: Failure.self) { try log.append(kind: 1, [UInt8](repeating: 3, count: 2_000)) }
            #expect(try LogContents(disk, "log", end: log.end).records.count == (damage ? 2 : 3))
            disk.limitSpace(to: nil)
            let added = try log.append(kind: 1, [5])
            #expect(try LogContents(disk, "log", end: log.end).records[added] == [5])
            #expect(added >= positions[2])
        }
    }

    @Test func aFailedAppendLeavesNothingBehindTheEnd() throws {
        let disk = MemoryDisk()
        let log = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
        disk.failWrites(after: 900)
        #expect(throws: Failure.self) { try log.append(kind: 1, [UInt8](repeating: 0xff, count: 1_000)) }
        disk.failWrites(after: nil)
        let position = try log.append(kind: 1, [1])
        #expect(position == 0)
        let file = try disk.contents("log/0000000000000000.seg", limit: 4096)
        #expect(file.count == 4096 && file.dropFirst(32 + Int(log.end)).allSatisfy { $0 == 0 })
    }

    @Test func tooLongARecordIsRefused() throws {
        let log = try RecordLog(disk: MemoryDisk(), folder: "log", segmentBytes: 4096)
        try log.append(kind: 1, [UInt8](repeating: 1, count: 4096 - 32 - 24))
        let longer = [UInt8](repeating: 1, count: 4096 - 32 - 23)
        let failure = #expect(throws: Failure.self) { try log.append(kind: 1, longer) }
        #expect(failure?.code == .limit)
    }

    @Test func aDataDirectoryHasOneOwner() throws {
        let folder = LogTemporaryFolder()
        var owner: DataDirectory? = try DataDirectory.open(folder.path + "/", processID: 4_242)
        let failure = #expect(throws: Failure.self) { try DataDirectory.open(folder.path) }
        #expect(failure?.code == .locked && failure?.message.contains("process 4242") == true)
        #expect(owner?.path == folder.path)
        try owner?.writeListeners(Array("{}".utf8))
        #expect(try RealDisk().contents(folder.path + "/listeners.json", limit: 10) == Array("{}".utf8))
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o700)
        owner = nil
        _ = try DataDirectory.open(folder.path)
    }

    @Test func aDataDirectoryThatCannotBeMadeSaysSo() throws {
        let folder = LogTemporaryFolder()
        try RealDisk().makeFolder(folder.path)
        _ = try RealDisk().open(folder.path + "/file", .create)
        let failure = #expect(throws: Failure.self) { try DataDirectory.open(folder.path + "/file/data") }
        #expect(failure?.code == .cannotCreate && failure?.description.contains("/file") == true)
        let missing = #expect(throws: Failure.self) { try RealDisk().open(folder.path + "/none", .read) }
        #expect(missing?.code == .fileMissing)
    }

    @Test func aLockInMemoryActsLikeTheRealOne() throws {
        let disk = MemoryDisk()
        let owner = try DataDirectory.open("data", on: disk, processID: 7)
        let failure = #expect(throws: Failure.self) { try DataDirectory.open("data", on: disk, processID: 8) }
        #expect(failure?.code == .locked && failure?.message.contains("process 7") == true)
        disk.releaseLocks()
        let next = try DataDirectory.open("data", on: disk, processID: 8)
        withExtendedLifetime((owner, next)) {}
    }
}
