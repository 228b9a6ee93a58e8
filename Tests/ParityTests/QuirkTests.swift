import Foundation
import ProductSupport
import Testing

/// Where the collector's result is a defect: what ours does instead.
extension Parity {
    @Suite(.serialized) struct QuirkTests {
        static let scenarios = [
            "duplicate-batch", "duplicate-server-side", "odd-fields", "sampling-two-windows", "shared-thread-id",
            "three-windows",
        ]
        static let modes = ["none", "datakit"]

        /// Every kept trace whole, each span once, with its true parent and the trace id of the whole tree.
        private func expectWhole(
            _ scenario: ConformanceScenario, _ spans: [ExportedSpan], rate: Double
        ) async throws {
            let truth = try await scenario.truth()
            let kept = truth.filter { ConformanceScenario.isKept($0.fullTreeEbpfTraceId, rate: rate) }
            let identityOf = Dictionary(truth.map { ($0.id, $0.identity) }) { first, _ in first }
            let (ours, byID) = (spans.byIdentity, spans.byID)
            #expect(Set(ours.keys) == Set(kept.map(\.identity)), "kept are the traces that the rule keeps, whole")
            #expect(spans.count == ours.count, "each span comes once")
            for wanted in kept {
                guard let span = ours[wanted.identity]?.first else { continue }
                let parent = span.ebpfParentID == "0" ? nil : byID[span.ebpfParentID]?.identity ?? "not exported"
                #expect(parent == identityOf[wanted.parent], "parent of \(wanted.identity)")
                #expect(span.ebpfTraceID == wanted.fullTreeEbpfTraceId, "trace of \(wanted.identity)")
                #expect(span.traceID != "0")
            }
        }

        @Test("duplicate-batch: the collector exports all twice; ours once, all linked", arguments: modes)
        func duplicateBatch(_ mode: String) async throws {
            let scenario = try await ConformanceScenario("duplicate-batch")
            #expect(scenario.expected.count == 120)
            let replay = try await scenario.replay(["--compat", mode])
            #expect(replay.spans.count == 60)
            try await expectWhole(scenario, replay.spans, rate: 1)
            #expect(replay.summary.contains("duplicate 60"), "repeats are counted: \(replay.summary)")
        }

        @Test(
            "duplicate-server-side: the collector unlinks the first copies, past sampling; ours does not",
            arguments: modes)
        func duplicateServerSide(_ mode: String) async throws {
            let scenario = try await ConformanceScenario("duplicate-server-side")
            #expect(scenario.expected.count { $0.ebpfTraceId == "0" } == 39)
            let replay = try await scenario.replay(["--compat", mode])
            #expect(!replay.spans.contains { $0.ebpfTraceID == "0" || $0.traceID == "0" })
            try await expectWhole(scenario, replay.spans, rate: 0.3)
            #expect(replay.summary.contains("duplicate 39"), "repeats are counted: \(replay.summary)")
        }

        @Test("sampling-two-windows: the collector forgets the decision with the window; ours is one a trace")
        func samplingTwoWindows() async throws {
            let scenario = try await ConformanceScenario("sampling-two-windows")
            #expect(scenario.expected.count == 242)
            let replay = try await scenario.replay(["--compat", "datakit"])
            try await expectWhole(scenario, replay.spans, rate: 0.4)
        }

        /// One exit of the generator begins after the end of its entry, where R3 makes no edge; so our traces count.
        @Test("sampling-two-windows: with our rules, too, a trace is kept or dropped as a whole")
        func samplingOfWholeTraces() async throws {
            let scenario = try await ConformanceScenario("sampling-two-windows")
            let all = try await scenario.replay([], rate: 1).spans
            let kept = try await scenario.replay([]).spans
            let wanted = Dictionary(grouping: all, by: \.ebpfTraceID).filter {
                ConformanceScenario.isKept($0.key, rate: 0.4)
            }
            #expect(all.count == 360 && wanted.count > 10 && kept.count < 200)
            #expect(kept.map(\.canonical).sorted() == wanted.values.joined().map(\.canonical).sorted())
        }

        @Test(
            "three-windows: the collector splits traces over three windows; ours finds every parent", arguments: modes)
        func threeWindows(_ mode: String) async throws {
            let scenario = try await ConformanceScenario("three-windows")
            #expect(scenario.meta.exportedWithTruthParent == 119)
            let replay = try await scenario.replay(["--compat", mode])
            #expect(replay.spans.count == 129)
            try await expectWhole(scenario, replay.spans, rate: 1)
        }

        /// The generator gave three exits the thread id of an entry on another node that begins after them; no field
        /// says so, and ours keeps them with the entry of their own process.
        @Test(
            "shared-thread-id: with the collector the later entry takes all exits; ours takes the entry open then",
            arguments: modes)
        func sharedThreadID(_ mode: String) async throws {
            let scenario = try await ConformanceScenario("shared-thread-id")
            #expect(scenario.meta.exportedWithTruthParent == 72)
            let spans = try await scenario.replay(["--compat", mode]).spans
            let truth = try await scenario.truth()
            let identityOf = Dictionary(truth.map { ($0.id, $0.identity) }) { first, _ in first }
            let parentOf = Dictionary(truth.map { ($0.identity, identityOf[$0.parent] ?? "") }) { first, _ in first }
            let byID = spans.byID
            #expect(spans.count == 84 && byID.count == 84)
            var right = 0
            for span in spans {
                let parent = byID[span.ebpfParentID]
                if parent?.identity ?? "" == parentOf[span.identity] { right += 1 }
                if let parent { #expect(parent.ebpfTraceID == span.ebpfTraceID, "parent of \(span.identity)") }
            }
            #expect(right >= 81, "true parents")
        }

        @Test(
            "odd-fields: the collector drops 39 spans silently; ours passes them through, or counts each by its reason")
        func oddFields() async throws {
            let scenario = try await ConformanceScenario("odd-fields")
            #expect(scenario.meta.spansSent == 144 && scenario.expected.count == 105)
            let all = try await scenario.replay(["--compat", "none"])
            #expect(all.spans.count == 144)
            // Six senders give six spans of six traces the same id; within a trace ids are unique.
            #expect(Set(all.spans.map { $0.ebpfTraceID + $0.spanID }).count == 144)
            #expect(!all.spans.contains { $0.spanID == "0" || $0.ebpfTraceID == "0" })
            let strict = try await scenario.replay(["--compat", "datakit"])
            #expect(Set(strict.spans.map(\.identity)) == Set(scenario.expected.map(\.span)))
            #expect(strict.summary.contains("missing_field 39"), "no silent loss: \(strict.summary)")
        }

        @Test("odd-fields: a span_id given by the sender is kept", arguments: modes)
        func givenIDs(_ mode: String) async throws {
            let scenario = try await ConformanceScenario("odd-fields")
            let lines = try await SpanBodies(fixture: "conformance/odd-fields").lineProtocol.flatMap { $0 }
            let given = lines.compactMap { line -> String? in
                guard let start = line.range(of: "span_id=") else { return nil }
                let digits = line[start.upperBound...].prefix { $0 != "," && $0 != " " }
                guard digits.hasSuffix("i"), let number = Int64(digits.dropLast()) else { return nil }
                let hex = String(UInt64(bitPattern: number), radix: 16)
                return String(repeating: "0", count: 16 - hex.count) + hex
            }
            try #require(!given.isEmpty)
            let exported = Set(scenario.expected.map(\.spanId))
            let ours = Set(try await scenario.replay(["--compat", mode]).spans.map(\.spanID))
            for id in given where exported.contains(id) { #expect(ours.contains(id), "\(id) is not kept") }
            #expect(given.contains(where: exported.contains))
        }
    }
}
