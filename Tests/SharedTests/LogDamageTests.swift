import Linking
import Testing

@testable import Shared

/// Damage at random places of a log: what lies outside is read, what lies inside is told as lost, nothing is made up.
/// One after the other: they compute without a pause, and other tests wait for their turn meanwhile.
@Suite(.serialized) struct LogDamageTests {
    /// One kind of damage; `range` is of bytes of a segment file.
    private enum Damage: CaseIterable {
        case flippedBits, zeros, noise, copiedBytes

        /// Damages the file and returns the bytes that may differ now.
        func apply(to path: String, _ disk: MemoryDisk, used: Int, _ dice: inout LogDice) throws -> Range<Int> {
            let start = dice.below(used)
            let end = min(used, start + 1 + dice.below([8, 100, 3_000][dice.below(3)]))
            var bytes = try disk.contents(path, limit: 1 << 20)
            switch self {
            case .flippedBits: for _ in 0..<3 { bytes[start + dice.below(end - start)] ^= 1 << UInt8(dice.below(8)) }
            case .zeros: for place in start..<end { bytes[place] = 0 }
            case .noise: for place in start..<end { bytes[place] = UInt8(dice.below(256)) }
            case .copiedBytes:
                // Records of another place: whole, but not where they say that they are.
                let source = dice.below(used - (end - start) + 1)
                bytes.replaceSubrange(start..<end, with: Array(bytes[source..<source + end - start]))
            }
            try disk.open(path, .write).write(PayloadBytes(bytes))
            return start..<end
        }
    }

    private struct Written {
        let disk = MemoryDisk()
        var records: [UInt64: [UInt8]] = [:]
        var end: UInt64 = 0
        /// Parts of the log that were damaged.
        var damaged: [Range<UInt64>] = []

        init(_ dice: inout LogDice) throws {
            let log = try RecordLog(disk: disk, folder: "log", segmentBytes: 8192)
            for _ in 0..<40 + dice.below(40) {
                let bytes = dice.bytes(dice.below(6) == 0 ? dice.below(4_000) : dice.below(300))
                records[try log.append(kind: 1, bytes)] = bytes
            }
            end = log.end
        }

        /// Damages one segment; `truncates`: takes its last part away instead.
        mutating func damage(_ dice: inout LogDice, truncates: Bool) throws {
            let bases = try SegmentHeader.bases(in: "log", on: disk)
            let index = dice.below(bases.count)
            let base = bases[index]
            let next = index + 1 < bases.count ? bases[index + 1] : end
            let path = "log/" + SegmentHeader.name(base)
            let size = try disk.contents(path, limit: 1 << 20).count
            let used = min(SegmentHeader.bytes + Int(next - base), size)
            guard used > 0 else { return }
            // A file that ends early has lost all that was behind its end.
            var range = dice.below(used)..<SegmentHeader.bytes + Int(next - base)
            if truncates {
                try disk.open(path, .write).truncate(to: UInt64(range.lowerBound))
            } else {
                let kind = Damage.allCases.randomElement(using: &dice) ?? .noise
                range = try kind.apply(to: path, disk, used: used, &dice)
            }
            let first = UInt64(max(range.lowerBound - SegmentHeader.bytes, 0))
            let behind = UInt64(max(range.upperBound - SegmentHeader.bytes, 0))
            if behind > first { damaged.append(base + first..<base + behind) }
        }

        /// Whether the record at a position has a byte in a damaged part.
        func isHit(_ position: UInt64) -> Bool {
            let bytes = RecordHeader.recordBytes(records[position]?.count ?? 0)
            return damaged.contains { $0.overlaps(position..<position + UInt64(bytes)) }
        }

        /// All that is read was written so; all that is not hit is read; records and gaps make up the whole log.
        func expectAllButTheDamaged(_ contents: LogContents, end: UInt64) {
            #expect(contents.end == end)
            for (position, bytes) in contents.records where records[position] != bytes {
                Issue.record("bytes that nobody wrote at \(position)")
            }
            for position in records.keys where position < end && contents.records[position] == nil {
                #expect(isHit(position), "the record at \(position) was lost with its neighbour")
            }
            let gaps = contents.gaps.reduce(0) { $0 + $1.upperBound - $1.lowerBound }
            let read = contents.records.values.reduce(0) { $0 + RecordHeader.recordBytes($1.count) }
            #expect(gaps + UInt64(read) == end, "every byte is read or told as lost")
        }
    }

    @Test(arguments: 0..<20) func onlyTheDamagedIsLostWhileTheWriterLives(seed: UInt64) throws {
        var dice = LogDice(seed: seed)
        var written = try Written(&dice)
        for _ in 0...dice.below(4) { try written.damage(&dice, truncates: dice.below(6) == 0) }
        written.expectAllButTheDamaged(try LogContents(written.disk, "log", end: written.end), end: written.end)
        // Who was not told an end reads no less of what lies below the last segment, and nothing wrong.
        let untold = try LogContents(written.disk, "log")
        #expect(untold.records.allSatisfy { written.records[$0.key] == $0.value })
        let last = try #require(SegmentHeader.bases(in: "log", on: written.disk).last)
        for position in written.records.keys where position < last && untold.records[position] == nil {
            #expect(written.isHit(position))
        }
    }

    @Test(arguments: 0..<20) func onlyTheDamagedIsLostWhenTheLogIsOpenedAgain(seed: UInt64) throws {
        var dice = LogDice(seed: seed)
        var written = try Written(&dice)
        for round in 0..<3 {
            for _ in 0...dice.below(2) { try written.damage(&dice, truncates: dice.below(6) == 0) }
            let log = try RecordLog(disk: written.disk, folder: "log", segmentBytes: 8192)
            // What was cut off, a bad record at the end, may be written over.
            let survivors = written.records.filter { !written.isHit($0.key) }
            #expect(log.end >= survivors.keys.max() ?? 0, "seed \(seed), round \(round)")
            #expect(log.end <= written.end)
            written.records = written.records.filter { $0.key < log.end }
            written.end = log.end
            let contents = try LogContents(written.disk, "log", end: log.end)
            written.expectAllButTheDamaged(contents, end: log.end)
            #expect(log.recovery.checkedRecords == contents.records.count)
            #expect(log.recovery.gaps.map(\.from) == contents.gaps.map(\.lowerBound))
            written.records = contents.records
            for _ in 0..<6 {
                let bytes = dice.bytes(dice.below(2_000))
                written.records[try log.append(kind: 1, bytes)] = bytes
            }
            written.end = log.end
            // Damage of what is gone now says nothing about what is written in its place.
            written.damaged = contents.gaps.map { $0.lowerBound..<$0.upperBound }
            written.expectAllButTheDamaged(try LogContents(written.disk, "log", end: log.end), end: log.end)
        }
    }

    @Test func bytesThatLookLikeRecordsMakeTheSearchNeitherWrongNorLong() throws {
        let disk = MemoryDisk()
        let log = try SegmentedLog(disk: disk, folder: "log", segmentBytes: 4 << 20)
        // A sender that knows where its bytes will lie: every 24 of them are the header of a record of 2 MB.
        var forged = [UInt8](repeating: 0, count: 2 << 20)
        let first = RecordHeader.bytes
        forged.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            for place in stride(from: 0, to: bytes.count - 24, by: 24) {
                (start + place).put(RecordHeader.magic, at: 0)
                (start + place).put(UInt32(bytes.count), at: 8)
                (start + place).put(UInt64(first + place), at: 16)
            }
        }
        let body = PayloadBytes(forged)
        _ = try log.append(kind: 1, [body.bytes])
        let small = PayloadBytes([1, 2, 3])
        let next = try log.append(kind: 1, [small.bytes])
        _ = try log.append(kind: 1, [small.bytes])
        withExtendedLifetime((body, small)) {}
        disk.corrupt("log/0000000000000000.seg", at: SegmentHeader.bytes + 8, flipping: 0x40)
        let began = ContinuousClock.now
        let contents = try LogContents(disk, "log", end: log.end)
        #expect(contents.records.count == 2 && contents.gaps == [0...next])
        // 87,000 checksums of 2 MB would take minutes.
        #expect(ContinuousClock.now - began < .seconds(20))
    }

    @Test(arguments: 0..<20) func commitsAroundADamagedOneKeepTheirRows(seed: UInt64) throws {
        var dice = LogDice(seed: seed)
        let disk = MemoryDisk()
        let writer = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 64 << 10)
        var rows: [LogPosition: Set<FactsRow>] = [:]
        for epoch in 1...20 {
            var commit = SpanCommit(epoch: Epoch(UInt64(epoch)), time: Int64(epoch))
            let body = LogSamples.body(&dice, points: 1 + dice.below(30), partitions: 8)
            try commit.add(payload: PayloadBytes(body.bytes), rows: body.rows)
            rows[try writer.append(commit)] = Set(body.rows)
            try writer.appendMark(epoch: Epoch(UInt64(epoch)), time: 0)
        }
        let hit = try #require(rows.keys.sorted().dropLast().randomElement(using: &dice))
        let base = try #require(SegmentHeader.bases(in: "s/facts", on: disk).last { $0 <= hit.offset })
        let offset = SegmentHeader.bytes + Int(hit.offset - base) + dice.below(RecordHeader.bytes + 40)
        disk.corrupt("s/facts/" + SegmentHeader.name(base), at: offset, flipping: 1 << UInt8(dice.below(8)))
        let reopened = try SpanLogWriter(disk: disk, folder: "s", segmentBytes: 64 << 10)
        #expect(reopened.newestEpoch == Epoch(21) && reopened.end == writer.end)
        var found: [LogPosition: Set<FactsRow>] = [:]
        var marks = 0
        let reader = SpanLogReader(disk: disk, folder: "s")
        var place = LogPosition(0)
        while let (record, next) = try reader.next(from: place, end: reopened.end) {
            switch record {
            case .commit(let block): found[place] = Set((0..<UInt32(block.rowCount)).map(block.row))
            case .mark: marks += 1
            case .gap(let from, _): #expect(from == hit)
            }
            place = next
        }
        rows[hit] = nil
        #expect(found == rows && marks == 20)
    }
}
