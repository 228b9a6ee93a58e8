import Foundation
import Linking
import Testing

@testable import Shared

/// A commit that was appended, as it must be read back.
private struct SpanSample {
    var position: LogPosition
    var epoch: Epoch
    var payload: [UInt8] = []
    /// Sorted by partition, in the order of arrival within one.
    var rows: [FactsRow] = []

    init(_ commit: SpanCommit, position: LogPosition, epoch: Epoch) {
        self.position = position
        self.epoch = epoch
        var arrived: [FactsRow] = []
        for body in commit.bodies {
            for var row in body.rows {
                row.payloadOffset += UInt32(payload.count)
                arrived.append(row)
            }
            body.payload.withUnsafeBytes { payload.append(contentsOf: $0) }
        }
        rows = arrived.enumerated()
            .sorted { ($0.element.partition, $0.offset) < ($1.element.partition, $1.offset) }.map(\.element)
    }

    func point(_ row: FactsRow) -> [UInt8] {
        Array(payload[Int(row.payloadOffset)..<Int(row.payloadOffset + row.payloadLength)])
    }
}

private func commit(_ dice: inout LogDice, epoch: UInt64, bodies: Int = 3, points: Int = 8) throws -> SpanCommit {
    var commit = SpanCommit(epoch: Epoch(epoch), time: Int64(epoch) * 5_000_000_000)
    for _ in 0..<bodies {
        let body = LogSamples.body(&dice, points: dice.below(points + 1), partitions: 16, longest: 120)
        try commit.add(payload: PayloadBytes(body.bytes), rows: body.rows)
    }
    return commit
}

@Suite struct LogSpanTests {
    private func rows(_ block: FactsBlock) -> [FactsRow] {
        var rows: [FactsRow] = []
        var inOrder = true
        block.forEachRow { index, row in
            inOrder = inOrder && index == UInt32(rows.count)
            rows.append(row)
        }
        #expect(inOrder)
        return rows
    }

    @Test func rowsAndPointsComeBackAsTheyWere() throws {
        var dice = LogDice(seed: 3)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "span-log", segmentBytes: 64 << 10)
        let reader = SpanLogReader(disk: disk, folder: "span-log")
        let buffer = PointBuffer()
        var place = LogPosition(0)
        for round in 0..<60 {
            let commit = try commit(&dice, epoch: 7, bodies: 1 + round % 5, points: 40)
            let sample = SpanSample(commit, position: try writer.append(commit), epoch: Epoch(7))
            guard case (.commit(let block), let next)? = try reader.next(from: place, end: writer.end) else {
                Issue.record("no commit at \(place)")
                return
            }
            place = next
            #expect(block.header.position == sample.position)
            #expect(block.header.time == 35_000_000_000)
            #expect(rows(block) == sample.rows)
            for range in block.partitions {
                #expect(block.rows(of: range.partition) == range.rows)
                block.forEachRow(of: range.partition) { index, row in
                    #expect(row.partition == range.partition && block.row(at: index) == row)
                }
            }
            #expect(block.rows(of: PartitionID(999)).isEmpty)
            let few = (0..<UInt32(sample.rows.count)).filter { _ in dice.below(9) == 0 }.shuffled(using: &dice)
            for wanted in [Array(0..<UInt32(sample.rows.count)), few, []] {
                let (header, found) = try reader.facts(at: sample.position, rows: wanted)
                #expect(found == wanted.map { sample.rows[Int($0)] })
                try reader.readPoints(of: header, found, into: buffer)
                #expect(buffer.count == found.count)
                #expect(found.indices.allSatisfy { buffer[$0].elementsEqual(sample.point(found[$0])) })
            }
        }
        #expect(try reader.next(from: place, end: writer.end) == nil)
    }

    @Test func farPointsOfALargePayloadAreReadInRuns() throws {
        var dice = LogDice(seed: 4)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 4 << 20)
        let body = LogSamples.body(&dice, points: 600, partitions: 4, longest: 2_000)
        var commit = SpanCommit(epoch: Epoch(1), time: 1)
        try commit.add(payload: PayloadBytes([]), rows: [])
        try commit.add(payload: PayloadBytes(body.bytes), rows: body.rows)
        let sample = SpanSample(commit, position: try writer.append(commit), epoch: Epoch(1))
        let reader = SpanLogReader(disk: disk, folder: "s")
        let wanted = (0..<UInt32(600)).filter { _ in dice.below(40) == 0 }
        let (header, found) = try reader.facts(at: sample.position, rows: wanted)
        let buffer = PointBuffer()
        try reader.readPoints(of: header, found, into: buffer)
        #expect(wanted.count > 5)
        #expect(found.indices.allSatisfy { buffer[$0].elementsEqual(sample.point(found[$0])) })
    }

    @Test func ownedBytesAreWrittenWithoutACopy() throws {
        final class Owner {}
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
        defer { memory.deallocate() }
        memory.copyBytes(from: (0..<64).map { UInt8($0) })
        let bytes = PayloadBytes(UnsafeRawBufferPointer(memory), owner: Owner())
        #expect(bytes.bytes.baseAddress == UnsafeRawPointer(memory.baseAddress))
        #expect(bytes.withUnsafeBytes { Array($0) } == (0..<64).map { UInt8($0) })
    }

    @Test func epochsNeverGoBackAlsoAfterReopening() throws {
        var dice = LogDice(seed: 5)
        let disk = MemoryDisk()
        var writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 16 << 10)
        _ = try writer.append(try commit(&dice, epoch: 9))
        _ = try writer.append(try commit(&dice, epoch: 4))
        try writer.appendMark(epoch: Epoch(9), time: 1)
        try writer.appendMark(epoch: Epoch(3), time: 2)
        writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 16 << 10)
        #expect(writer.newestEpoch == Epoch(10))
        _ = try writer.append(try commit(&dice, epoch: 2))
        var seen: [String] = []
        let reader = SpanLogReader(disk: disk, folder: "s")
        var place = LogPosition(0)
        while let (record, next) = try reader.next(from: place) {
            switch record {
            case .commit(let block): seen.append("commit \(block.header.epoch)")
            case .mark(let epoch, _): seen.append("mark \(epoch)")
            case .gap: seen.append("gap")
            }
            place = next
        }
        #expect(seen == ["commit 9", "commit 9", "mark 9", "mark 9", "commit 10"])
    }

    @Test(arguments: 0..<20) func aPowerCutLeavesOnlyWholeCommits(seed: UInt64) throws {
        var dice = LogDice(seed: seed)
        let disk = MemoryDisk()
        var samples: [LogPosition: SpanSample] = [:]
        var safe: Set<LogPosition> = []
        // Facts that survived an earlier power cut without their payload.
        var lost: Set<LogPosition> = []
        for mode in [MemoryDisk.PowerCut.keepsRandomSectors, .tearsLastWrite, .losesEverythingUnsynchronised] {
            let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 8 << 10)
            for _ in 0..<dice.below(30) {
                let commit = try commit(&dice, epoch: 1)
                let position = try writer.append(commit)
                samples[position] = SpanSample(commit, position: position, epoch: Epoch(1))
                if dice.below(6) == 0 {
                    try writer.sync()
                    safe = Set(samples.keys).subtracting(lost)
                }
            }
            disk.cutPower(mode, using: &dice)
            let reopened = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 8 << 10)
            let (seen, whole) = try readBack(disk, samples, safe, end: reopened.end, seed)
            #expect(safe.isSubset(of: whole), "seed \(seed)")
            samples = samples.filter { seen.contains($0.key) }
            safe = whole
            lost = seen.subtracting(whole)
        }
    }

    /// Reads all; a commit that was synchronised must have its payload, another one may say that it is lost.
    private func readBack(
        _ disk: MemoryDisk, _ samples: [LogPosition: SpanSample], _ safe: Set<LogPosition>, end: LogPosition,
        _ seed: UInt64
    ) throws -> (seen: Set<LogPosition>, whole: Set<LogPosition>) {
        let reader = SpanLogReader(disk: disk, folder: "s")
        let buffer = PointBuffer()
        var seen: Set<LogPosition> = []
        var whole: Set<LogPosition> = []
        var place = LogPosition(0)
        while let (record, next) = try reader.next(from: place, end: end) {
            place = next
            guard case .commit(let block) = record else { continue }
            let sample = try #require(samples[block.header.position], "seed \(seed): garbage")
            #expect(rows(block) == sample.rows, "seed \(seed)")
            seen.insert(block.header.position)
            do {
                try reader.readPoints(of: block.header, sample.rows, into: buffer)
                let isEqual = sample.rows.indices.allSatisfy { buffer[$0].elementsEqual(sample.point(sample.rows[$0])) }
                #expect(isEqual, "seed \(seed)")
                whole.insert(block.header.position)
            } catch {
                #expect(error.code == .corrupt && !safe.contains(block.header.position), "seed \(seed)")
            }
        }
        return (seen, whole)
    }

    @Test func factsWhosePayloadIsMissingAreCutOff() throws {
        var dice = LogDice(seed: 6)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 16 << 10)
        let first = try writer.append(try commit(&dice, epoch: 1))
        let payloadEnd = writer.payloadEnd
        let second = try writer.append(try commit(&dice, epoch: 2))
        try writer.appendMark(epoch: Epoch(2), time: 0)
        try disk.open("s/payload/0000000000000000.seg", .write).truncate(to: payloadEnd + 32 + 30)
        let reopened = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 16 << 10)
        #expect(reopened.recovery.commitsWithoutPayload == 1)
        #expect(reopened.end == second && reopened.newestEpoch == Epoch(1))
        let reader = SpanLogReader(disk: disk, folder: "s")
        let (_, next) = try #require(try reader.next(from: first))
        #expect(try reader.next(from: next) == nil)
        #expect(try reopened.append(try commit(&dice, epoch: 3)) == second)
        #expect(try reader.next(from: next) != nil)
    }

    @Test func trimmedSegmentsAreAGapForReaders() throws {
        var dice = LogDice(seed: 7)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 8 << 10)
        var positions: [LogPosition] = []
        for _ in 0..<40 { positions.append(try writer.append(try commit(&dice, epoch: 1))) }
        let reader = SpanLogReader(disk: disk, folder: "s")
        let header = try reader.block(at: positions[0]).header
        let held = writer.bytesHeld
        #expect(try reader.next(from: writer.end) == nil)
        try writer.trim(factsBelow: positions[20], payloadBelow: writer.payloadEnd)
        #expect(writer.bytesHeld < held)
        let late = SpanLogReader(disk: disk, folder: "s")
        guard case (.gap(let from, let to), let next)? = try late.next(from: positions[0]) else {
            Issue.record("no gap")
            return
        }
        #expect(from == positions[0] && to == writer.begin && next == to && to <= positions[20])
        #expect(throws: Failure.self) { try reader.readPoints(of: header, [], into: PointBuffer()) }
        #expect(throws: Failure.self) { try reader.block(at: LogPosition(.max)) }
        #expect(throws: Failure.self) { try reader.facts(at: positions[25], rows: [9_999]) }
    }

    @Test func damagedFactsAreAGapAndNeverATrap() throws {
        var dice = LogDice(seed: 8)
        var bytes = [UInt8]()
        do {
            var encoder = FactsEncoder()
            bytes = Array(encoder.encode(try commit(&dice, epoch: 1), epoch: Epoch(1), payloadPosition: 0))
        }
        for _ in 0..<20_000 {
            var damaged = bytes
            for _ in 0...dice.below(3) { damaged[dice.below(min(damaged.count, 200))] = UInt8(dice.below(256)) }
            if dice.below(4) == 0 { damaged.removeLast(dice.below(damaged.count)) }
            damaged.withUnsafeBytes { body in
                let memory = RawBytes(copying: body)
                guard let block = try? FactsBlock(memory.bytes, at: 0, in: memory) else { return }
                var rows = 0
                block.forEachRow { _, row in
                    rows += 1
                    #expect(UInt64(row.payloadOffset) + UInt64(row.payloadLength) <= UInt64(block.header.payloadLength))
                }
                #expect(rows == block.rowCount)
            }
        }
    }

    @Test func pointsOfSeveralCommitsLieInOneBuffer() throws {
        var dice = LogDice(seed: 12)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 64 << 10)
        let reader = SpanLogReader(disk: disk, folder: "s")
        let buffer = PointBuffer()
        var expected: [[UInt8]] = []
        var damaged: (header: FactsBlock.Header, rows: [FactsRow])?
        for round in 0..<30 {
            let payloadPosition = writer.payloadEnd
            let commit = try commit(&dice, epoch: 3, bodies: 1 + round % 3, points: 40)
            let sample = SpanSample(commit, position: try writer.append(commit), epoch: Epoch(3))
            // All rows, half of them, and few: read as a whole and in runs.
            let wanted = (0..<UInt32(sample.rows.count)).filter { _ in dice.below([1, 2, 30][round % 3]) == 0 }
            let (header, found) = try reader.facts(at: sample.position, rows: wanted)
            try reader.readPoints(of: header, found, into: buffer, appending: true)
            expected += found.map { Array(sample.point($0)) }
            if round == 20 {
                damaged = try reader.facts(at: sample.position, rows: Array(0..<UInt32(sample.rows.count)))
                let name = try #require(SegmentHeader.bases(in: "s/payload", on: disk).last { $0 <= payloadPosition })
                let place = SegmentHeader.bytes + Int(payloadPosition - name) + 4
                disk.corrupt("s/payload/" + SegmentHeader.name(name), at: place, flipping: 1)
            }
            if let damaged {
                #expect(throws: Failure.self) {
                    try reader.readPoints(of: damaged.header, damaged.rows, into: buffer, appending: true)
                }
            }
            #expect(buffer.count == expected.count)
        }
        #expect(expected.indices.allSatisfy { buffer[$0].elementsEqual(expected[$0]) })
        #expect(buffer.byteCount >= expected.reduce(0) { $0 + $1.count })
        buffer.removeAll()
        #expect(buffer.count == 0 && buffer.byteCount == 0)
    }

    @Test func aBlockStaysAsItIsWhileOthersAreRead() throws {
        var dice = LogDice(seed: 13)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 64 << 10)
        let reader = SpanLogReader(disk: disk, folder: "s")
        let samples = try (0..<20).map { _ in
            let commit = try commit(&dice, epoch: 3)
            return SpanSample(commit, position: try writer.append(commit), epoch: Epoch(3))
        }
        let blocks = try samples.map { try reader.block(at: $0.position) }
        var place = LogPosition(0)
        while let (_, next) = try reader.next(from: place, end: writer.end) { place = next }
        #expect(zip(blocks, samples).allSatisfy { rows($0) == $1.rows })
    }

    @Test func damagedPayloadIsAFailureOfItsCommitOnly() throws {
        var dice = LogDice(seed: 10)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 64 << 10)
        let first = try writer.append(try commit(&dice, epoch: 1))
        let payloadPosition = writer.payloadEnd
        let second = try writer.append(try commit(&dice, epoch: 1))
        let reader = SpanLogReader(disk: disk, folder: "s")
        let blocks = try [first, second].map { try reader.block(at: $0) }
        for offset in [0, 8, 16, 30] {
            let place = 32 + Int(payloadPosition) + offset
            disk.corrupt("s/payload/0000000000000000.seg", at: place, flipping: 2)
            let failure = #expect(throws: Failure.self) {
                try reader.readPoints(of: blocks[1], rows: Array(0..<UInt32(blocks[1].rowCount)), into: PointBuffer())
            }
            #expect(failure?.code == .corrupt)
            try reader.readPoints(of: blocks[0], rows: [0, 1], into: PointBuffer())
            disk.corrupt("s/payload/0000000000000000.seg", at: place, flipping: 2)
        }
        try reader.readPoints(of: blocks[1], rows: [1, 0], into: PointBuffer())
    }

    @Test func aFullDiskIsAFailureAndTheLogGoesOn() throws {
        var dice = LogDice(seed: 9)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 8 << 10)
        var held: Set<LogPosition> = []
        disk.limitSpace(to: 40 << 10)
        var failures = 0
        for _ in 0..<60 {
            do { held.insert(try writer.append(try commit(&dice, epoch: 1))) } catch let failure as Failure {
                #expect(failure.code == .disk && failure.message.contains("free space"))
                failures += 1
            }
        }
        #expect(failures > 10)
        disk.limitSpace(to: nil)
        for _ in 0..<10 { held.insert(try writer.append(try commit(&dice, epoch: 1))) }
        var place = LogPosition(0)
        let reader = SpanLogReader(disk: disk, folder: "s")
        var seen: Set<LogPosition> = []
        while let (record, next) = try reader.next(from: place, end: writer.end) {
            guard case .commit(let block) = record else {
                Issue.record("\(record)")
                return
            }
            seen.insert(block.header.position)
            place = next
        }
        #expect(seen == held)
    }
}
