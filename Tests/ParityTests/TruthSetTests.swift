import Foundation
import ProductSupport
import Testing

/// Modelled traffic with the answer key; the sets are no part of the repository.
extension Parity {
    @Suite(
        .serialized,
        .enabled(
            if: Product.truth != nil,
            "the truth sets are not here; put them at ../shared/truth or name their folder in EBPFTRACE_TRUTH"))
    struct TruthSetTests {
        private static let exact = [
            "edge_precision>=0.999", "edge_recall>=0.999", "wrong_trace_rate==0", "missing==0", "duplicated==0",
            "spans_in_cycles==0", "parents_outside_trace==0",
        ]

        private func folder(_ set: String) throws -> String { try #require(Product.truth) + "/" + set }

        private func replay(_ set: String, _ arguments: [String] = []) async throws -> Replay.Result {
            try await Replay.run(["--sampling-rate", "1", "--workers", "2"] + arguments, [try folder(set)])
        }

        @Test("every link is right", arguments: ["hotel-per-request", "media-nat", "hotel-agent-bug"])
        func score(_ set: String) async throws {
            let output = try await replay(set)
            try await Score.check(
                "truth_score.py", [output.output, try folder(set) + "/truth.jsonl.gz"], require: Self.exact)
        }

        @Test("with random thread ids the in-process links come from pid, thread and time alone")
        func evidence() async throws {
            let spans = try await replay("hotel-agent-bug").spans
            let exits = spans.filter { $0.fields["direction"] == "outgoing" && $0.ebpfParentID != "0" }
            #expect(exits.count > 4000)
            #expect(exits.allSatisfy { $0.evidence == "process" })
        }

        private func expectSplits(_ set: String, window: String, atMost percent: Double) async throws {
            let untimed = try await replay(set)
            let timed = try await replay(set, ["--timed", "--window", window])
            try await Score.check(
                "split_traces.py", [untimed.output, timed.output, try folder(set) + "/truth.jsonl.gz"],
                require: ["split_pct<=\(percent)", "missing==0"])
        }

        @Test("closing by time at window 20 s splits at most 2 % of the traces")
        func timed() async throws { try await expectSplits("media-nat", window: "20s", atMost: 2) }

        @Test("bodies up to 60 s late split at most 25 % of the traces at window 20 s")
        func faultsAtShortWindow() async throws { try await expectSplits("mix-faults", window: "20s", atMost: 25) }

        @Test("bodies up to 60 s late split at most 2 % of the traces at window 40 s")
        func faultsAtLongWindow() async throws { try await expectSplits("mix-faults", window: "40s", atMost: 2) }
    }
}
