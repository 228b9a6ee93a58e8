import Foundation
import ProductSupport
import Testing

/// Recorded spans with known true parents (Tests/Fixtures/real). Figures: DESIGN 17.
extension Parity {
    @Suite(.serialized) struct RealSetTests {
        struct Bounds: Sendable, CustomTestStringConvertible {
            var name: String
            var require: [String]
            var testDescription: String { name }
        }

        static let bounds = [
            Bounds(
                name: "threads-chain",
                require: ["net_right>=2703", "process_right>=2322", "process_wrong==0", "wrong_trace_spans_pct==0"]),
            Bounds(
                name: "nginx-dnat",
                require: [
                    "net_right>=2704", "process_precision>=99.85", "process_recall>=99.85",
                    "wrong_trace_spans_pct<=1.42",
                ]),
            Bounds(
                name: "node-w3c",
                require: [
                    "net_right>=3412", "process_precision>=92.5", "process_recall>=92.5", "wrong_trace_spans_pct<=39",
                ]),
            Bounds(
                name: "dd-pool",
                require: [
                    "net_right>=2282", "process_precision==100", "process_recall>=76.9", "wrong_trace_spans_pct==0",
                ]),
        ]
        static let everywhere = ["net_wrong==0", "root_given_foreign==0", "missing==0", "repeated==0", "alien==0"]

        @Test("links are as good as the rules allow", arguments: bounds)
        func score(_ bounds: Bounds) async throws {
            let set = Product.fixtures + "/real/" + bounds.name
            let replay = try await Replay.run(["--sampling-rate", "1", "--workers", "2"], [set])
            try await Score.check("real_score.py", [replay.output, set], require: Self.everywhere + bounds.require)
        }

        /// One at a time and all at once, against one worker, `tuple` and 256 partitions.
        static let shapes: [[String]] = [
            ["--workers", "2"], ["--workers", "3"], ["--workers", "5"], ["--flow-key", "initiator"],
            ["--flow-key", "seq"], ["--partitions", "1"], ["--partitions", "7"],
            ["--workers", "5", "--flow-key", "seq", "--partitions", "7"],
        ]

        @Test("workers, flow key and partitions change nothing: the sorted output is the same to the byte")
        func shapeChangesNothing() async throws {
            let set = Product.fixtures + "/real/nginx-dnat"
            let wanted = try await Replay.run(["--sampling-rate", "1", "--workers", "1"], [set]).lines
            #expect(wanted.count == 5914)
            for shape in Self.shapes {
                let found = try await Replay.run(["--sampling-rate", "1"] + shape, [set]).lines
                #expect(found == wanted, "\(shape.joined(separator: " "))")
            }
        }

        @Test("closing by time at window 20 s splits at most 2 % of the traces")
        func timed() async throws {
            let set = Product.fixtures + "/real/nginx-dnat"
            let untimed = try await Replay.run(["--sampling-rate", "1", "--workers", "2"], [set])
            let timed = try await Replay.run(
                ["--timed", "--window", "20s", "--sampling-rate", "1", "--workers", "2"], [set])
            try await Score.check(
                "split_traces.py", [untimed.output, timed.output, set + "/truth.jsonl.gz"],
                require: ["split_pct<=2", "missing==0"])
        }
    }
}
