import Testing

@testable import Shared

/// Random actions on one log against a list of what was appended.
private struct LogModel {
    let folder = "log"
    let disk = MemoryDisk()
    var dice: LogDice
    var log: RecordLog
    /// What must be there, by position.
    var records: [UInt64: [UInt8]] = [:]
    var synced: Set<UInt64> = []
    var trimmed: UInt64 = 0
    var failures = 0
    var actions: [String] = []

    init(seed: UInt64) throws {
        dice = LogDice(seed: seed)
        log = try RecordLog(disk: disk, folder: folder, segmentBytes: 4096)
    }

    mutating func step() throws {
        let choice = dice.below(100)
        switch choice {
        case 0..<60: try append()
        case 60..<70:
            note("sync")
            try log.sync()
            synced = Set(records.keys)
        case 70..<78: try trim()
        case 78..<84: try check(missing: [])
        case 84..<88: try kill()
        case 88..<91: try cutPower(.losesEverythingUnsynchronised)
        case 91..<94: try cutPower(.keepsRandomSectors)
        case 94..<96: try cutPower(.tearsLastWrite)
        case 96..<98: try rot()
        default: try runFull()
        }
    }

    private mutating func note(_ action: String) { actions.append(action) }

    private mutating func append() throws {
        let size = dice.below(10) == 0 ? 3_000 + dice.below(1_041) : dice.below(400)
        let bytes = dice.bytes(size)
        let position = try log.append(kind: 9, bytes)
        note("append \(size) at \(position)")
        #expect(records[position] == nil, "a position is given once")
        records[position] = bytes
    }

    private mutating func trim() throws {
        guard log.end > 0 else { return }
        trimmed = max(trimmed, UInt64(dice.below(Int(log.end) + 1)))
        note("trim \(trimmed)")
        try log.trim(below: trimmed)
        records = records.filter { $0.key >= log.begin }
        #expect(log.begin <= max(trimmed, log.begin))
        #expect(log.bytesHeld <= UInt64(disk.usedBytes))
    }

    /// Reads everything; whatever is read must be what was appended, and only `missing` may be absent.
    private func check(missing: (UInt64) -> Bool) throws {
        try check(missing: missing, end: log.end)
        // Without the end that the writer told, what is behind a bad record of the last segment is not read.
        if log.recovery.gaps.isEmpty { try check(missing: missing, end: nil) }
    }

    private func check(missing: (UInt64) -> Bool, end: UInt64?) throws {
        let contents = try LogContents(disk, folder, end: end)
        let garbage = contents.records.filter { records[$0.key] != $0.value }.keys
        #expect(garbage.isEmpty, "garbage")
        let lost = records.keys.filter { contents.records[$0] == nil && !missing($0) }
        #expect(lost.isEmpty, "lost")
    }

    private func check(missing: Set<UInt64>) throws { try check(missing: { missing.contains($0) }) }

    private mutating func reopen(mayLose: (UInt64) -> Bool) throws {
        log = try RecordLog(disk: disk, folder: folder, segmentBytes: 4096)
        try check(missing: mayLose, end: log.end)
        let contents = try LogContents(disk, folder, end: log.end)
        #expect(contents.end == log.end)
        // A segment that was trimmed shortly before a power cut may be back.
        records = contents.records
        synced = Set(records.keys)
    }

    private mutating func kill() throws {
        note("kill")
        try reopen(mayLose: { _ in false })
    }

    private mutating func cutPower(_ mode: MemoryDisk.PowerCut) throws {
        note("power cut: \(mode)")
        // The unlinks of a trim may be undone: what comes back must still be what it was, which the model forgot.
        try disk.synchronizeFolder(folder)
        disk.cutPower(mode, using: &dice)
        let safe = synced
        try reopen(mayLose: { !safe.contains($0) })
    }

    private mutating func rot() throws {
        let paths = disk.paths.filter { $0.hasSuffix(".seg") }
        guard let path = paths.randomElement(using: &dice) else { return }
        let offset = dice.below(4096)
        note("rot \(path) at \(offset)")
        disk.corrupt(path, at: offset, flipping: UInt8(1 << dice.below(8)))
        let bases = paths.compactMap { SegmentHeader.base(ofName: String($0.dropFirst(folder.count + 1))) }.sorted()
        let base = SegmentHeader.base(ofName: String(path.dropFirst(folder.count + 1))) ?? 0
        let next = bases.first { $0 > base } ?? .max
        guard offset >= SegmentHeader.bytes else { return try reopen(mayLose: { _ in false }) }
        let hit = base + UInt64(offset - SegmentHeader.bytes)
        // The record that has the rotten byte may be lost, no other.
        let bytes = records.mapValues { UInt64(RecordHeader.recordBytes($0.count)) }
        let mayLose = { (position: UInt64) in
            position <= hit && hit < next && position + (bytes[position] ?? 0) > hit
        }
        try check(missing: mayLose, end: log.end)
        try reopen(mayLose: mayLose)
    }

    private mutating func runFull() throws {
        let breaks = Bool.random(using: &dice)
        let room = dice.below(6_000)
        note("\(breaks ? "broken" : "full") after \(room)")
        if breaks { disk.failWrites(after: room) } else { disk.limitSpace(to: disk.usedBytes + room % 4_000) }
        for _ in 0..<30 {
            do { try append() } catch let failure as Failure {
                #expect(failure.code == .disk)
                failures += 1
            }
        }
        if dice.below(3) == 0 { try reopen(mayLose: { _ in false }) }
        disk.failWrites(after: nil)
        disk.limitSpace(to: nil)
        try append()
        try check(missing: [])
    }
}

@Suite struct LogModelTests {
    @Test(arguments: 0..<24) func whateverHappensTheLogHoldsWhatItAcknowledged(seed: UInt64) throws {
        var model = try LogModel(seed: seed)
        for _ in 0..<150 {
            do { try model.step() } catch {
                Issue.record("seed \(seed): \(error) after \(model.actions.suffix(6))")
                return
            }
        }
    }

    @Test func theActionsReallyFailAndRecover() throws {
        var failures = 0
        for seed in 1_000..<1_005 {
            var model = try LogModel(seed: UInt64(seed))
            for _ in 0..<150 { try model.step() }
            failures += model.failures
        }
        #expect(failures > 10, "the disk was full or broken often enough to mean something")
    }

    @Test(arguments: 0..<8) func anyPrefixOfTheBytesGivesAPrefixOfTheRecords(seed: UInt64) throws {
        var dice = LogDice(seed: seed)
        let source = MemoryDisk()
        let log = try RecordLog(disk: source, folder: "log", segmentBytes: 4096)
        var records: [(position: UInt64, bytes: [UInt8])] = []
        for _ in 0..<8 {
            let bytes = dice.bytes(dice.below(300))
            records.append((try log.append(kind: 1, bytes), bytes))
        }
        let whole = try source.contents("log/0000000000000000.seg", limit: 1 << 20)
        for length in stride(from: 0, through: Int(log.end) + 40, by: 3) {
            let disk = MemoryDisk()
            try disk.makeFolder("log")
            try disk.open("log/0000000000000000.seg", .create).write(PayloadBytes(Array(whole[..<length])))
            let reopened = try RecordLog(disk: disk, folder: "log", segmentBytes: 4096)
            let survivors = records.filter { Int($0.position) + 32 + 24 + $0.bytes.count <= length }
            let contents = try LogContents(disk, "log")
            #expect(contents.records.count == survivors.count, "seed \(seed), \(length) bytes")
            for record in survivors { #expect(contents.records[record.position] == record.bytes) }
            #expect(contents.gaps.isEmpty)
            let next = try reopened.append(kind: 1, [1, 2, 3])
            #expect(try LogContents(disk, "log").records[next] == [1, 2, 3])
        }
    }
}
