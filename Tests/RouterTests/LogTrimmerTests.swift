import Testing

@testable import Router

@Suite struct LogTrimmerTests {
    /// `#expect` calls no mutating methods of a value.
    private final class Trimmer {
        private var trimmer = LogTrimmer()
        func note(epoch: UInt64, end: UInt64) { trimmer.note(epoch: epoch, end: end) }
        func due(lowWater: UInt64, payload: UInt64, horizon: UInt64) -> (facts: UInt64, payload: UInt64)? {
            trimmer.due(lowWater: lowWater, payload: payload, horizon: horizon)
        }
    }

    private let mebibyte: UInt64 = 1 << 20

    /// Epochs 1 ... 10, each of ten MiB of facts.
    private func trimmer() -> Trimmer {
        let trimmer = Trimmer()
        for epoch in 1...10 as ClosedRange<UInt64> { trimmer.note(epoch: epoch, end: epoch * 10 * mebibyte) }
        return trimmer
    }

    @Test("facts go up to the end of the last epoch before the horizon, and never beyond the low water")
    func facts() throws {
        let trimmer = trimmer()
        let first = try #require(trimmer.due(lowWater: 95 * mebibyte, payload: 0, horizon: 4))
        #expect(first.facts == 30 * mebibyte)
        let second = try #require(trimmer.due(lowWater: 55 * mebibyte, payload: 0, horizon: 9))
        #expect(second.facts == 55 * mebibyte)
        let third = try #require(trimmer.due(lowWater: 100 * mebibyte, payload: 0, horizon: 9))
        #expect(third.facts == 80 * mebibyte)
    }

    @Test("payload goes with the low water, whatever the horizon")
    func payload() throws {
        let trimmer = trimmer()
        let due = try #require(trimmer.due(lowWater: 50 * mebibyte, payload: 70 * mebibyte, horizon: 0))
        #expect(due.facts == 0 && due.payload == 70 * mebibyte)
    }

    @Test("less than a MiB is not worth a trim, and positions never go back")
    func steps() throws {
        let trimmer = trimmer()
        #expect(trimmer.due(lowWater: 0, payload: mebibyte - 1, horizon: 0) == nil)
        _ = try #require(trimmer.due(lowWater: 95 * mebibyte, payload: 40 * mebibyte, horizon: 5))
        #expect(trimmer.due(lowWater: 0, payload: 0, horizon: 0) == nil, "a worker that starts again knows less")
        let due = try #require(trimmer.due(lowWater: 95 * mebibyte, payload: 10 * mebibyte, horizon: 7))
        #expect(due.facts == 60 * mebibyte && due.payload == 40 * mebibyte)
    }

    @Test("a mark that is told again or late changes nothing")
    func marks() throws {
        let trimmer = trimmer()
        trimmer.note(epoch: 10, end: 900 * mebibyte)
        trimmer.note(epoch: 3, end: 900 * mebibyte)
        let due = try #require(trimmer.due(lowWater: 1000 * mebibyte, payload: 0, horizon: 50))
        #expect(due.facts == 100 * mebibyte)
    }

    @Test("without a mark nothing of the facts goes")
    func noMark() {
        let trimmer = Trimmer()
        #expect(trimmer.due(lowWater: 1 << 40, payload: 0, horizon: 100) == nil)
    }
}
