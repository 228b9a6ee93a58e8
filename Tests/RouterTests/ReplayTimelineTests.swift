import Foundation
import Shared
import Testing

@testable import Router

@Suite struct ReplayTimelineTests {
    private let folder: ReplayFolder
    init() throws { folder = try ReplayFolder() }

    private static func batch(_ node: String, _ arrival: Int, _ first: Int, _ count: Int) -> String {
        #"{"node": "\#(node)", "arrive_us": \#(arrival), "first": \#(first), "count": \#(count)}"# + "\n"
    }

    private func input(_ batches: String, points: Int, timed: Bool = true) throws -> ReplayInput {
        let file = try folder.write("input.pb", ReplaySamples.protobuf(0..<points))
        try folder.write("batches.jsonl", batches)
        return try ReplayInput(paths: [file], timed: timed)
    }

    @Test func recordedBatchesAreBodiesCutAt256() throws {
        let batches = Self.batch("n1", 5, 0, 3) + Self.batch("n2", 5, 3, 600) + Self.batch("n1", 9, 603, 1)
        let bodies = try input(batches, points: 604).all()
        #expect(bodies.map(\.points) == [3, 256, 256, 88, 1])
        #expect(bodies.map(\.agent) == ["n1", "n2", "n2", "n2", "n1"])
        #expect(bodies.map(\.arrival) == [5000, 5000, 5000, 5000, 9000])
        #expect(bodies[2].bytes == ReplaySamples.protobuf(259..<515))
    }

    @Test func agentsComeAlsoWithoutTimes() throws {
        let input = try input(Self.batch("n1", 5, 0, 3) + Self.batch("n2", 6, 3, 1), points: 4, timed: false)
        #expect(input.totalPoints == 4)
        let bodies = try input.all()
        #expect(bodies.map(\.agent) == ["n1", "n2"])
        #expect(bodies.map(\.arrival) == [nil, nil])
    }

    @Test func timelineFormIsReadGzippedToo() throws {
        let line = #"{"at_ms":7,"wall_ns":1701468816370072265,"agent":"node-1","agent_ip":"10.10.0.1","first":0,"#
            + #""points":2,"lp_at":0,"lp_bytes":1,"pb_at":0,"pb_bytes":1}"#
        try folder.write("timeline.jsonl.gz", ReplaySamples.gzip(Array(line.utf8)))
        let file = try folder.write("input.pb", ReplaySamples.protobuf(0..<2))
        let bodies = try ReplayInput(paths: [file], timed: true).all()
        #expect(bodies.map(\.arrival) == [1_701_468_816_370_072_265])
        #expect(bodies.map(\.agent) == ["node-1"])
    }

    @Test func timedWithoutTimelineNamesWhatIsMissing() throws {
        let file = try folder.write("input.pb", ReplaySamples.protobuf(0..<2))
        let failure = failure { _ = try ReplayInput(paths: [file], timed: true) }
        #expect(failure?.code == .fileMissing)
        #expect(failure?.message.contains("batches.jsonl") == true)
    }

    @Test(arguments: [
        (batch("a", 1, 0, 3) + batch("a", 2, 2, 3), "overlap"),
        (batch("a", 1, 0, 3) + batch("a", 2, 4, 1), "gap"),
        (batch("a", 1, 1, 4), "gap"),
        (batch("a", 2, 0, 3) + batch("a", 1, 3, 2), "sort"),
        (batch("a", 2, 0, 4), "names 4 points"),
        (batch("a", 2, 0, 6), "holds 5"),
        ("{\"first\":0}", "needs first, count"),
        ("first,count\n", "JSON"),
        (#"{"node":"a","arrive_us":99999999999999999,"first":0,"count":5}"#, "needs"),
        (#"{"node":"a","arrive_us":1,"first":-1,"count":5}"#, "range"),
        (#"{"node":"a","arrive_us":1,"first":9223372036854775807,"count":5}"#, "range"),
        ("", "names 0 points"),
    ])
    func badTimelineIsBadInput(_ batches: String, _ word: String) throws {
        let failure = failure { _ = try input(batches, points: 5).all() }
        #expect(failure?.code == .badInput)
        #expect(failure?.message.contains(word) == true, "\(failure?.message ?? "no failure")")
        #expect(failure?.message.contains("batches.jsonl") == true)
    }

    @Test func filesAreMergedByArrival() throws {
        for (name, times) in [("a", [10, 30, 50]), ("b", [20, 30, 60]), ("c", [5])] {
            let base = name == "a" ? 0 : name == "b" ? 100 : 200
            try folder.write("\(name)/input.pb", ReplaySamples.protobuf(base..<(base + times.count)))
            let batches = times.enumerated().map { Self.batch(name, $1, $0, 1) }.joined()
            try folder.write("\(name)/batches.jsonl", batches)
        }
        let input = try ReplayInput(paths: ["a", "b", "c"].map { folder.path + "/" + $0 }, timed: true)
        #expect(input.totalPoints == 7)
        let bodies = try input.all()
        #expect(bodies.compactMap(\.arrival) == [5, 10, 20, 30, 30, 50, 60].map { $0 * 1000 })
        #expect(bodies.compactMap(\.agent) == ["c", "a", "b", "a", "b", "a", "b"])
    }

    @Test(arguments: ["threads-chain", "nginx-dnat", "node-w3c", "dd-pool"])
    func recordedScenarioIsCutIntoItsBatches(_ name: String) throws {
        let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/real/\(name)").path
        guard FileManager.default.fileExists(atPath: fixture) else {
            try Test.cancel("\(fixture) is not there")
        }
        let input = try ReplayInput(paths: [fixture], timed: true)
        let bodies = try input.all()
        #expect(input.points == input.totalPoints)
        #expect(bodies.allSatisfy { (1...256).contains($0.points) && ["n1", "n2", "n3"].contains($0.agent) })
        let arrivals = bodies.compactMap(\.arrival)
        #expect(arrivals.count == bodies.count && arrivals == arrivals.sorted())
    }
}
