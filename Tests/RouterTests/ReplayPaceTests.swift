import Testing

@testable import Router

@Suite struct ReplayPaceTests {
    @Test func bodiesAreDueAtTheirDistanceDividedBySpeed() throws {
        var pace = try #require(RecordedPace(speed: 40))
        let origin: Int64 = 1_795_346_480_414_199_000
        let due = [0, 1_000_000_000, 80_000_000_000].map { pace.due(origin + $0) }
        #expect(due == [.zero, .milliseconds(25), .seconds(2)])
    }

    @Test func arrivalBeforeTheFirstOrFarAwayIsStillAMoment() throws {
        var pace = try #require(RecordedPace(speed: 0.001))
        #expect(pace.due(-5) == .zero)
        #expect(pace.due(-10) == .zero)
        #expect(pace.due(.max) == .zero)
        var slow = try #require(RecordedPace(speed: 0.001))
        #expect(slow.due(0) == .zero)
        #expect(slow.due(.max) == .nanoseconds(9_000_000_000_000_000_000))
    }

    @Test(arguments: [0, -1, .nan, .infinity, 1e7])
    func speedOutsideItsRangeIsRefused(_ speed: Double) { #expect(RecordedPace(speed: speed) == nil) }

    private static func body(_ agent: String?, _ number: Int) -> ReplayBody {
        ReplayBody(bytes: [], points: 1, arrival: nil, agent: agent, file: "f", firstPoint: number)
    }

    @Test func bodiesOfOneAgentGoOneAfterAnother() {
        var schedule = PostSchedule(concurrency: 4)
        for (number, agent) in ["a", "a", "b", "a", "b"].enumerated() {
            schedule.add(Self.body(agent, number), due: .zero)
        }
        #expect(schedule.start(at: .zero)?.firstPoint == 0)
        #expect(schedule.start(at: .zero)?.firstPoint == 2)
        #expect(schedule.start(at: .zero) == nil)
        schedule.finish(agent: "a")
        #expect(schedule.start(at: .zero)?.firstPoint == 1)
        #expect(schedule.start(at: .zero) == nil)
        schedule.finish(agent: "b")
        #expect(schedule.start(at: .zero)?.firstPoint == 4)
        schedule.finish(agent: "a")
        #expect(schedule.start(at: .zero)?.firstPoint == 3)
        schedule.finish(agent: "a")
        #expect(!schedule.isIdle)
        schedule.finish(agent: "b")
        #expect(schedule.isIdle)
    }

    @Test func atMostSoManyAreUnderWay() {
        var schedule = PostSchedule(concurrency: 2)
        for number in 0..<3 { schedule.add(Self.body(nil, number), due: .zero) }
        #expect(schedule.start(at: .zero) != nil)
        #expect(schedule.start(at: .zero) != nil)
        #expect(schedule.start(at: .zero) == nil)
        #expect(schedule.nextDue() == nil)
        schedule.finish(agent: nil)
        #expect(schedule.start(at: .zero)?.firstPoint == 2)
    }

    @Test func nothingGoesBeforeItIsDue() {
        var schedule = PostSchedule()
        schedule.add(Self.body("a", 0), due: .seconds(1))
        schedule.add(Self.body("b", 1), due: .seconds(2))
        #expect(schedule.start(at: .milliseconds(999)) == nil)
        #expect(schedule.nextDue() == .seconds(1))
        #expect(schedule.start(at: .seconds(1))?.firstPoint == 0)
        #expect(schedule.start(at: .seconds(1)) == nil)
        #expect(schedule.nextDue() == .seconds(2))
    }
}
