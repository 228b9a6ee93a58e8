import Foundation
import Linking

@testable import Shared

/// A random generator of one seed (SplitMix64), so that a failure can be run again.
struct LogDice: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

/// A folder of its own that goes away with the value.
final class LogTemporaryFolder {
    let path: String
    init() {
        path = NSTemporaryDirectory() + "/ebpftrace-log-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// What a reader finds in a log from `position` on.
struct LogContents: Equatable {
    var records: [UInt64: [UInt8]] = [:]
    var gaps: [ClosedRange<UInt64>] = []
    var end: UInt64

    init(_ disk: any Disk, _ folder: String, from position: UInt64 = 0, end: UInt64? = nil) throws {
        let reader = RecordLogReader(disk: disk, folder: folder)
        self.end = position
        while let (entry, next) = try reader.next(from: self.end, end: end) {
            switch entry {
            case .record(_, let position, let bytes): records[position] = bytes
            case .gap(let from, let to): gaps.append(from...to)
            }
            precondition(next > self.end, "a reader goes forward")
            self.end = next
        }
    }
}

enum LogSamples {
    static func row(_ dice: inout LogDice, partition: UInt16, offset: UInt32, length: UInt32) -> FactsRow {
        var facts = SpanFacts()
        facts.requestSequence = dice.next()
        facts.responseSequence = dice.next()
        facts.threadKey = dice.next()
        facts.scope = dice.next()
        facts.processID = dice.next()
        facts.threadID = dice.next()
        facts.kernelTime = Int64(bitPattern: dice.next())
        facts.start = Int64(bitPattern: dice.next())
        facts.duration = Int64(bitPattern: dice.next())
        facts.flow = UInt32(truncatingIfNeeded: dice.next())
        facts.initiator = UInt32(truncatingIfNeeded: dice.next())
        facts.id = SpanID(dice.next())
        facts.flags = SpanFlags(rawValue: UInt16(truncatingIfNeeded: dice.next()))
        if dice.below(3) == 0 {
            facts.application = ApplicationIDs(traceLow: dice.next(), traceHigh: dice.next(), parent: dice.next())
        }
        return FactsRow(
            facts: facts, partition: PartitionID(partition), payloadOffset: offset, payloadLength: length)
    }

    /// A body of random bytes, cut into random points.
    static func body(
        _ dice: inout LogDice, points: Int, partitions: Int, longest: Int = 200
    ) -> (bytes: [UInt8], rows: [FactsRow]) {
        var rows: [FactsRow] = []
        var offset = dice.below(8)
        for _ in 0..<points {
            let length = dice.below(longest)
            let partition = UInt16(dice.below(partitions))
            rows.append(row(&dice, partition: partition, offset: UInt32(offset), length: UInt32(length)))
            offset += length + dice.below(8)
        }
        return (dice.bytes(offset), rows)
    }
}
