import Linking
import Testing

@testable import Shared

@Suite struct LedgerTests {
    private let slice = Ledger.Slice(PartitionID(3), Epoch(7))

    @Test func whatIsNeitherExportedNorDroppedIsHeld() throws {
        var ledger = Ledger()
        let file = try ledger.target("file")
        let dataway = try ledger.target("dataway")
        let sampled = try ledger.reason("sampled")
        let refused = try ledger.reason("refused")
        ledger.accept(slice, 100)
        ledger.drop(slice, reason: sampled, 60)
        ledger.export(slice, to: file, 40)
        ledger.export(slice, to: dataway, 10)
        ledger.drop(slice, for: dataway, reason: refused, 5)
        #expect(ledger.held(for: file) == 0 && ledger.held(for: dataway) == 25)
        #expect(ledger.checkBalance().isEmpty)
        #expect(ledger.fold(through: Epoch(7)).isEmpty && ledger.openSlices == 1)
        ledger.export(slice, to: dataway, 25)
        #expect(ledger.fold(through: Epoch(6)).isEmpty && ledger.openSlices == 1)
        #expect(ledger.fold(through: Epoch(7)).isEmpty && ledger.openSlices == 0)
        #expect(ledger.accepted == 100)
        #expect(
            ledger.lines == [
                .init(target: "", reason: "sampled", count: 60), .init(target: "file", reason: nil, count: 40),
                .init(target: "dataway", reason: nil, count: 35), .init(target: "dataway", reason: "refused", count: 5),
            ])
    }

    @Test func aSpanThatLeavesTwiceIsAViolation() throws {
        var ledger = Ledger()
        let file = try ledger.target("file")
        ledger.accept(slice, 2)
        ledger.export(slice, to: file, 3)
        #expect(ledger.checkBalance().map(\.resolved) == [3])
        #expect(ledger.fold(through: Epoch(9)).count == 1 && ledger.violationCount == 1)
        // After folding, too: there is nothing left that could leave.
        ledger.export(slice, to: file, 1)
        #expect(ledger.checkBalance().map(\.accepted) == [0])
    }

    @Test func aTargetThatWasRemovedHoldsNothingAndOneThatWasAddedOnlyWhatHasNotEnded() throws {
        var ledger = Ledger()
        let old = try ledger.target("old")
        ledger.accept(slice, 9)
        ledger.drop(slice, reason: try ledger.reason("sampled"), 2)
        ledger.export(slice, to: old, 4)
        try ledger.retarget(to: ["new"], reason: "before_target")
        let new = try #require(ledger.targets.first)
        #expect(ledger.targets.count == 1 && ledger.held(for: new) == 3 && ledger.checkBalance().isEmpty)
        ledger.export(slice, to: new, 3)
        #expect(ledger.fold(through: Epoch(7)).isEmpty && ledger.openSlices == 0)
        #expect(ledger.lines.contains(.init(target: "old", reason: nil, count: 4)), "its spans stay in the totals")
        #expect(ledger.lines.contains(.init(target: "new", reason: "before_target", count: 4)))
    }

    @Test func whatIsHeldIsSettledForAllTargets() throws {
        var ledger = Ledger()
        let one = try ledger.target("one")
        let two = try ledger.target("two")
        ledger.accept(slice, 9)
        ledger.export(slice, to: one, 4)
        ledger.export(slice, to: two, 2)
        let lost = try ledger.reason("lost")
        let slice = slice
        let others = ledger.settle(where: { $0 != slice }, reason: lost)
        let own = ledger.settle(where: { $0 == slice }, reason: lost)
        #expect(others == 0 && own == 7)
        #expect(ledger.held(for: one) == 0 && ledger.held(for: two) == 0 && ledger.checkBalance().isEmpty)
        let again = ledger.settle(where: { $0 == slice }, reason: lost)
        #expect(again == 0, "once")
    }

    @Test func aSnapshotIsReadAsItWasWrittenOrNotAtAll() throws {
        let positions = LedgerPositions(
            acceptedEnd: 77, partitions: 8, acknowledged: [5, 900], reportedEpochs: [nil, 4],
            settled: [LostEpochs(from: 1, to: 2, firstPartition: 0, endPartition: 4, reason: "x")])
        let snapshot = LedgerSnapshot(ledger: try random(1), positions: positions)
        let bytes = try snapshot.encode()
        #expect(try LedgerSnapshot.decode(bytes) == snapshot)
        for place in stride(from: 0, to: bytes.count, by: 7) {
            var damaged = bytes
            damaged[place] ^= 4
            #expect(throws: Failure.self) { try LedgerSnapshot.decode(damaged) }
            #expect(throws: Failure.self) { try LedgerSnapshot.decode(Array(bytes[..<place])) }
        }
        let same = positions.fitted(to: PartitionMap(partitions: 8, workers: 2), verdictsEnd: 100)
        #expect(same.acknowledged == [5, 100] && same.reportedEpochs == [nil, 4])
        let more = positions.fitted(to: PartitionMap(partitions: 8, workers: 3), verdictsEnd: 1000)
        #expect(more.acknowledged == [5, 5, 5] && more.reportedEpochs == [nil, nil, nil])
    }

    private func random(_ seed: UInt64) throws -> Ledger {
        var dice = LogDice(seed: seed)
        var ledger = Ledger()
        let targets = [Ledger.Name.everyTarget, try ledger.target("a"), try ledger.target("é")]
        let reasons = [try ledger.reason("sampled"), try ledger.reason("duplicate")]
        for _ in 0..<200 {
            let slice = Ledger.Slice(PartitionID(UInt16(dice.below(4))), Epoch(UInt64(dice.below(8))))
            ledger.accept(slice, UInt64(dice.below(1_000)))
            ledger.drop(slice, for: targets[dice.below(3)], reason: reasons[dice.below(2)], UInt64(dice.below(50)))
            ledger.export(slice, to: targets[1 + dice.below(2)], UInt64(dice.below(50)))
        }
        _ = ledger.fold(through: Epoch(2))
        return ledger
    }

    @Test(arguments: 0..<10) func aSnapshotInALogComesBackEqual(seed: UInt64) throws {
        let ledger = try random(seed)
        let disk = MemoryDisk()
        let log = try RecordLog(disk: disk, folder: "ledger", segmentBytes: 64 << 10)
        let position = try log.append(kind: 1, ledger.encode())
        let bytes = try #require(try LogContents(disk, "ledger").records[position])
        let back = try Ledger.decode(bytes)
        #expect(back == ledger && back.lines == ledger.lines && back.checkBalance() == ledger.checkBalance())
    }

    @Test func aDamagedSnapshotIsAFailureAndNeverATrap() throws {
        let bytes = try random(1).encode()
        var dice = LogDice(seed: 1)
        for length in stride(from: 0, to: bytes.count, by: 13) {
            #expect(throws: Failure.self) { try Ledger.decode(Array(bytes[..<length])) }
        }
        for _ in 0..<1_500 {
            var damaged = bytes
            for _ in 0...dice.below(4) { damaged[dice.below(bytes.count)] = UInt8(dice.below(256)) }
            guard let ledger = try? Ledger.decode(damaged) else { continue }
            _ = (ledger.accepted, ledger.lines, ledger.held(), ledger.checkBalance())
        }
    }

    @Test(arguments: 0..<10) func foldingChangesNoTotal(seed: UInt64) throws {
        var dice = LogDice(seed: seed)
        var ledger = Ledger()
        let target = try ledger.target("file")
        let reason = try ledger.reason("late")
        for epoch in 0..<50 {
            let slice = Ledger.Slice(PartitionID(0), Epoch(UInt64(epoch)))
            let count = UInt64(10 + dice.below(100))
            let dropped = UInt64(dice.below(10))
            ledger.accept(slice, count)
            ledger.drop(slice, reason: reason, dropped)
            ledger.export(slice, to: target, count - dropped)
        }
        let before = (ledger.accepted, ledger.lines)
        #expect(ledger.fold(through: Epoch(UInt64(dice.below(60)))).isEmpty)
        #expect(ledger.accepted == before.0 && ledger.lines == before.1)
        #expect(ledger.lines.reduce(0) { $0 + $1.count } == ledger.accepted)
    }
}
