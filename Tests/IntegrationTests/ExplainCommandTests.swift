import Foundation
import Linking
import ProductSupport
import Shared
import Testing

@testable import Router

/// `ebpftrace-router explain`, and every net edge of a recorded set held against its truth.
extension Integration {
    @Suite(.serialized) struct ExplainCommandTests {
        /// A line of `truth.jsonl`.
        private struct Truth: Decodable {
            var key: String
            var known: Bool
            var parent: String?
        }

        /// What the truth knows a span by.
        private static func key(_ span: ExportedSpan) -> String {
            func field(_ name: String) -> String { span.fields[name] ?? "" }
            return "\(field("direction").prefix(2)):\(field("pid")):\(field("src_ip")):\(field("src_port"))>"
                + "\(field("dst_ip")):\(field("dst_port")):\(field("req_seq")):\(field("ktime"))"
        }

        @Test("on real/threads-chain net edges name the matching sequence numbers, calls their thread or process")
        func threadsChain() async throws {
            let set = Product.fixtures + "/real/threads-chain"
            let replay = try await Replay.run(["--sampling-rate", "1", "--workers", "2"], [set])
            let truths = try await JSONLines.read(Truth.self, set + "/truth.jsonl.gz").filter(\.known)
            let spans = Dictionary(replay.spans.map { (Self.key($0), $0) }) { first, _ in first }
            let store = try ExportedTraces.read(replay.output)
            let explainer = Explainer(store: store, limits: Limits())
            var (net, calls, wrong) = (0, 0, [String]())
            for truth in truths {
                guard let parentKey = truth.parent, let span = spans[truth.key], let parent = spans[parentKey],
                    let id = SpanID(hex: span.spanID), let traceID = TraceID(hex: span.ebpfTraceID),
                    let trace = try await store.trace(traceID),
                    let explanation = try await explainer.explain(id, in: trace)
                else {
                    if truth.parent != nil { wrong.append("\(truth.key): no explanation") }
                    continue
                }
                let values = Dictionary(explanation.matched.map { ($0.what, $0) }) { first, _ in first }
                if explanation.parent?.id != parent.spanID { wrong.append("\(truth.key): another parent") }
                if !explanation.notes.allSatisfy({ !$0.contains("do not confirm") }) {
                    wrong.append("\(truth.key): \(explanation.notes)")
                }
                if truth.key.hasPrefix("in") {
                    net += 1
                    let request = span.fields["req_seq"] ?? ""
                    let isNamed = values["req_seq"].map { $0.child == request && $0.parent == request } ?? false
                    let isStrong = ["R1a", "R1b"].contains(explanation.rule)
                    let response = span.fields["resp_seq"] ?? ""
                    let hasResponse = values["resp_seq"].map { $0.child == response && $0.parent == response } ?? false
                    if !isNamed || isStrong && !hasResponse { wrong.append("\(truth.key): \(explanation)") }
                    if !["R1a", "R1b", "R2"].contains(explanation.rule) { wrong.append("\(truth.key): \(explanation)") }
                } else {
                    calls += 1
                    if values["thread_trace_id"] == nil, values["pid"] == nil {
                        wrong.append("\(truth.key): \(explanation)")
                    }
                }
            }
            #expect(net == 2_703)
            #expect(calls == 2_322)
            #expect(wrong.isEmpty, "\(wrong.count) wrong, such as \(wrong.prefix(3))")
        }

        @Test("the command prints the parent, the rule and the values; JSON on demand; mistakes end by sysexits")
        func command() async throws {
            let replay = try await Replay.run(["--sampling-rate", "1"], [Product.root + "/docs/examples/linking.lp"])
            let child = try #require(replay.spans.first { $0.evidence == "net" })
            let root = try #require(replay.spans.first { $0.ebpfParentID == "0" && $0.fields["root_missing"] != nil })
            let explained = try await ProductRun.router(["explain", child.spanID, "--file", replay.output])
            #expect(explained.status == 0, "\(explained)")
            for part in [child.spanID, child.ebpfParentID, "R1a, evidence net", "req_seq", "1000", "2000"] {
                #expect(explained.output.contains(part), "\(explained.output)")
            }
            let orphan = try await ProductRun.router(["explain", root.spanID, "--file", replay.output])
            #expect(orphan.status == 0 && orphan.output.contains("parent    none"), "\(orphan)")
            let json = try await ProductRun.router(["explain", child.spanID, "--file", replay.output, "--json"])
            let explanation = try JSONDecoder().decode(Explanation.self, from: Data(json.output.utf8))
            #expect(explanation.parent?.id == child.ebpfParentID)
            let mistakes: [([String], Int32, String)] = [
                (["explain", "xyz"], 64, "xyz"), (["explain", "1", "--file", "/nowhere.jsonl"], 66, "/nowhere.jsonl"),
                (["explain", "1", "--file", replay.output], 65, "span_id"),
                (["explain", "1", "--console", "http://127.0.0.1:1"], 69, "127.0.0.1:1"),
                (["explain", "1", "--console", "x", "--file", "y"], 64, "--console"),
            ]
            for (arguments, status, says) in mistakes {
                let ended = try await ProductRun.router(arguments)
                #expect(ended.status == status && !ended.isSignal, "\(arguments): \(ended)")
                #expect(ended.errors.contains(says), "\(arguments): \(ended.errors)")
            }
        }
    }
}
