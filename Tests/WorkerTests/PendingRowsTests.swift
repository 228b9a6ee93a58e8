import Linking
import Testing

@testable import Shared
@testable import Worker

@Suite struct PendingRowsTests {
    /// `#expect` calls no mutating methods of a value.
    private final class Rows {
        private var rows = PendingRows()
        func add(_ header: FactsBlock.Header, rows count: Int) { rows.add(header, rows: count) }
        func finish(_ position: LogPosition, rows count: Int) { rows.finish(position, rows: count) }
        func lowWater() -> (facts: LogPosition, payload: UInt64) { rows.lowWater() }
        func epoch(of position: LogPosition) -> Epoch? { rows.epoch(of: position) }
        func giveUp(through epoch: Epoch) -> [Epoch] { rows.giveUp(through: epoch) }
        var count: Int { rows.count }
    }

    private func header(_ position: UInt64, epoch: UInt64 = 1) -> FactsBlock.Header {
        FactsBlock.Header(
            position: LogPosition(position), epoch: Epoch(epoch), time: 0, payloadPosition: position * 10,
            payloadLength: 0, rowCount: 0)
    }

    @Test("the low water is the oldest commit with rows that have not ended")
    func lowWater() {
        let rows = Rows()
        #expect(rows.lowWater() == (LogPosition(0), 0))
        for position in [100, 200, 300] { rows.add(header(UInt64(position)), rows: 2) }
        #expect(rows.lowWater() == (LogPosition(100), 1000))
        rows.finish(LogPosition(200), rows: 2)
        #expect(rows.lowWater() == (LogPosition(100), 1000), "commits leave in their order")
        rows.finish(LogPosition(100), rows: 1)
        #expect(rows.lowWater() == (LogPosition(100), 1000))
        #expect(rows.count == 3)
        rows.finish(LogPosition(100), rows: 1)
        #expect(rows.lowWater() == (LogPosition(300), 3000))
        rows.finish(LogPosition(300), rows: 2)
        #expect(rows.lowWater() == (LogPosition(300), 3000), "at the end: the newest commit, never beyond it")
        #expect(rows.count == 0)
    }

    @Test("a commit without own rows holds nothing up; rows of unknown commits change nothing")
    func nothingOwned() {
        let rows = Rows()
        rows.add(header(100), rows: 0)
        rows.add(header(200), rows: 1)
        rows.finish(LogPosition(150), rows: 5)
        rows.finish(LogPosition(50), rows: 5)
        #expect(rows.lowWater() == (LogPosition(200), 2000))
        #expect(rows.count == 1)
    }

    @Test("more ends than rows never make room for others")
    func tooMany() {
        let rows = Rows()
        rows.add(header(100), rows: 1)
        rows.add(header(200), rows: 1)
        rows.finish(LogPosition(100), rows: 9)
        #expect(rows.count == 1)
    }

    @Test("thousands of commits come and go; the low water is right at each of them")
    func many() {
        let rows = Rows()
        for number in 1...20_000 {
            rows.add(header(UInt64(number)), rows: 1)
            if number > 10 { rows.finish(LogPosition(UInt64(number - 10)), rows: 1) }
            #expect(rows.lowWater().facts == LogPosition(UInt64(max(1, number - 9))))
        }
        #expect(rows.count == 10)
    }

    @Test("giving up ends the rows of an epoch and before, and names the epochs that had some")
    func giveUp() {
        let rows = Rows()
        for (position, epoch) in [(100, 1), (200, 1), (300, 2), (400, 3), (500, 4)] {
            rows.add(header(UInt64(position), epoch: UInt64(epoch)), rows: 2)
        }
        rows.finish(LogPosition(300), rows: 2)
        #expect(rows.epoch(of: LogPosition(200)) == Epoch(1))
        #expect(rows.epoch(of: LogPosition(300)) == nil, "all of it has ended")
        #expect(rows.giveUp(through: Epoch(3)) == [Epoch(1), Epoch(3)])
        #expect(rows.count == 2)
        #expect(rows.lowWater() == (LogPosition(500), 5000))
        #expect(rows.giveUp(through: Epoch(3)) == [])
    }
}

@Suite struct EpochLossesTests {
    @Test("a loss is taken once, as far as it is settled; the rest later")
    func parts() {
        var losses = EpochLosses()
        losses.add(3...7, "a")
        losses.add(3...7, "a")
        losses.add(9...9, "b")
        let early = losses.take(through: 2)
        #expect(early.isEmpty)
        let first = losses.take(through: 5)
        #expect(first.map(\.epochs) == [3...5] && first.map(\.reason) == ["a"])
        let rest = losses.take(through: 20)
        #expect(rest.map(\.epochs) == [6...7, 9...9] && rest.map(\.reason) == ["a", "b"])
        let again = losses.take(through: .max)
        #expect(again.isEmpty)
    }

    @Test("rows without end are explained by a loss of their epoch, else they have no verdict")
    func unknown() {
        var losses = EpochLosses()
        losses.add(3...7, "a")
        losses.addUnknown(5)
        losses.addUnknown(8)
        let taken = losses.take(through: 8)
        #expect(taken.map(\.epochs) == [3...7, 8...8])
        #expect(taken.map(\.reason) == ["a", "no_verdict"])
    }

    @Test("the list is bounded, and what does not fit is still told as rows without verdict")
    func isBounded() {
        var losses = EpochLosses()
        for epoch in 0..<5000 as Range<UInt64> { losses.add(epoch...epoch, "a") }
        losses.addUnknown(4000)
        let taken = losses.take(through: .max)
        #expect(taken.count == 1025)
        #expect(taken.last?.reason == "no_verdict")
    }

    @Test("the last epoch there is does no harm")
    func lastEpoch() {
        var losses = EpochLosses()
        losses.add(0 ... .max, "a")
        let taken = losses.take(through: .max)
        #expect(taken.map(\.epochs) == [0 ... .max])
    }
}
