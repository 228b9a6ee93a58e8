import Foundation
import Linking
import Shared
import Testing

@testable import Router

@Suite struct ExplainTests {
    /// A span with link facts. Times in milliseconds of the kernel clock; the flow is "source > destination".
    private func span(
        _ id: UInt64, _ parent: UInt64? = nil, in trace: UInt64 = 1, incoming: Bool, entry: Bool? = nil,
        evidence: LinkEvidence = .none, seqs: (Int64, Int64) = (0, 0),
        thread: Int64 = 0, at time: Int64 = 0, for length: Int64 = 1,
        pid: String = "10", tid: Int64 = 11, flow: (String, Int, String, Int) = ("10.0.0.1", 40_000, "10.0.0.2", 80),
        more: [String: AttributeValue] = [:]
    ) -> StoredSpan {
        var attributes: [String: AttributeValue] = [
            "ebpf.req_seq": .int(seqs.0), "ebpf.resp_seq": .int(seqs.1), "ebpf.thread_trace_id": .int(thread),
            "ebpf.direction": .string(incoming ? "incoming" : "outgoing"),
            "ebpf.ebpf_span_type": .string(entry ?? incoming ? "entry" : "exit"),
            "ebpf.pid": .string(pid), "ebpf.tid": .int(tid),
            "ebpf.ktime": .int(time * 1_000_000 + 1), "ebpf.src_ip": .string(flow.0),
            "ebpf.src_port": .string(String(flow.1)),
            "ebpf.dst_ip": .string(flow.2), "ebpf.dst_port": .string(String(flow.3)),
        ]
        if evidence != .none { attributes["ebpftrace.evidence"] = .string(evidence.name) }
        attributes.merge(more) { $1 }
        return QuerySamples.span(
            id, parent, in: TraceID(high: 0, low: trace), "span \(id)", kind: incoming ? 2 : 3, resource: 0,
            at: UInt64(time * 1_000), for: UInt64(length * 1_000), attributes)
    }

    private func store(_ spans: [StoredSpan]) -> TraceList {
        TraceList(
            Dictionary(grouping: spans, by: \.traceID).map { id, spans in
                StoredTrace(id: id, resources: [[Attribute("service.name", .string("web"))]], spans: spans)
            })
    }

    private func explain(_ id: UInt64, _ spans: [StoredSpan]) async throws -> Explanation {
        let store = store(spans)
        let trace = try #require(try await SpanLookup(store: store, limits: Limits()).trace(of: SpanID(id), in: nil))
        return try #require(try await Explainer(store: store, limits: Limits()).explain(SpanID(id), in: trace))
    }

    private func value(_ what: String, _ matches: [Explanation.Match]) -> String? {
        matches.first { $0.what == what }.map { $0.child == $0.parent ? $0.child : "\($0.child) / \($0.parent)" }
    }

    private let mirrored = ("10.0.0.2", 80, "10.0.0.1", 40_000)

    /// The store keeps `ebpf.NAME` only where no attribute says the same.
    @Test(arguments: [true, false]) func factsInAttributesAreAsGoodAsFieldsOfTheirOwn(incoming: Bool) {
        let flow = ("10.0.0.2", 80, "10.96.0.7", 8080)
        let translated: [String: AttributeValue] = [
            "ebpf.dst_nat_ip": .string("10.0.0.9"), "ebpf.dst_nat_port": .string("8081"),
        ]
        let fields = span(1, incoming: incoming, pid: "10", flow: flow, more: translated)
        var attributes = fields
        attributes.attributes = fields.attributes.filter {
            ["ebpf.req_seq", "ebpf.resp_seq", "ebpf.thread_trace_id", "ebpf.ktime"].contains($0.key)
        }
        let peer = incoming ? "client" : "server"
        attributes.attributes += [
            Attribute("process.pid", .int(10)), Attribute("thread.id", .int(11)),
            Attribute("network.local.address", .string("10.0.0.2")), Attribute("network.local.port", .int(80)),
            Attribute("network.peer.address", .string("10.0.0.9")), Attribute("network.peer.port", .int(8081)),
            Attribute("\(peer).address", .string("10.96.0.7")), Attribute("\(peer).port", .int(8080)),
        ]
        let (one, other) = (ExplainedSpan(fields, resource: []), ExplainedSpan(attributes, resource: []))
        #expect(one.source == "10.0.0.2:80" && one.destination == "10.0.0.9:8081")
        #expect((other.source, other.destination) == (one.source, one.destination))
        #expect((other.processID, other.threadID) == ("10", "11"))
        #expect((other.isIncoming, other.isEntry) == (one.isIncoming, one.isEntry))
        #expect(other.kernelTime == one.kernelTime && !other.lacksFacts)
        attributes.isApplication = true
        attributes.attributes.removeAll { $0.key.hasPrefix("ebpf.") }
        #expect(ExplainedSpan(attributes, resource: []).lacksFacts)
    }

    @Test func netEdgeNamesBothSequenceNumbersAndTheConnection() async throws {
        let explanation = try await explain(
            2, [
                span(1, incoming: false, seqs: (1_000, 2_000)),
                span(2, 1, incoming: true, evidence: .net, seqs: (1_000, 2_000), flow: mirrored),
            ])
        #expect(explanation.rule == "R1a")
        #expect(explanation.parent?.id == "0000000000000001")
        #expect(value("req_seq", explanation.matched) == "1000")
        #expect(value("resp_seq", explanation.matched) == "2000")
        #expect(value("connection", explanation.matched) == "10.0.0.1:40000 → 10.0.0.2:80")
        #expect(explanation.sentence.contains("1000"))
        #expect(explanation.notes == [])
    }

    @Test func edgeThroughANATSaysSo() async throws {
        let explanation = try await explain(
            2, [
                span(1, incoming: false, seqs: (3, 4), flow: ("10.0.0.1", 40_001, "10.96.0.9", 80)),
                span(2, 1, incoming: true, evidence: .netKey, seqs: (3, 4),
                flow: ("10.0.0.2", 8_080, "10.0.0.1", 40_001)),
            ])
        #expect(explanation.rule == "R1b")
        #expect(value("calling end", explanation.matched) == "10.0.0.1:40001")
        #expect(explanation.sentence.contains("NAT"))
        #expect(explanation.notes == [])
    }

    @Test func weakEdgeNamesWhatOneSideDidNotSee() async throws {
        let explanation = try await explain(
            2, [
                span(1, incoming: false, seqs: (5, 0)),
                span(2, 1, incoming: true, evidence: .netWeak, seqs: (5, 6), flow: mirrored),
            ])
        #expect(explanation.rule == "R2")
        #expect(value("req_seq", explanation.matched) == "5")
        #expect(explanation.notes == ["resp_seq was not seen by the parent (the child saw 6)"])
    }

    @Test func threadEdgeNamesTheKeyAndTheTimes() async throws {
        let explanation = try await explain(
            2, [
                span(1, incoming: true, thread: 501, at: 1, for: 7),
                span(2, 1, incoming: false, evidence: .thread, thread: 501, at: 3),
            ])
        #expect(explanation.rule == "R3")
        #expect(value("thread_trace_id", explanation.matched) == "501")
        #expect(value("ktime", explanation.matched) == "3000001 / 1000001 … 8001000")
    }

    @Test func processEdgeNamesProcessThreadAndTimes() async throws {
        let explanation = try await explain(
            2, [
                span(1, incoming: true, thread: 504, at: 300, for: 9),
                span(2, 1, incoming: false, evidence: .process, thread: 987, at: 304),
            ])
        #expect(explanation.rule == "R4")
        #expect(value("pid", explanation.matched) == "10")
        #expect(value("tid", explanation.matched) == "11")
        #expect(value("ktime", explanation.matched) == "304000001 / 300000001 … 309001000")
        #expect(explanation.notes == [])
    }

    @Test func siblingOfAProcessEdgeIsNamed() async throws {
        let explanation = try await explain(
            3, [
                span(1, incoming: true, at: 300, for: 9),
                span(2, 1, incoming: false, evidence: .process, thread: 77, at: 302),
                span(3, 1, incoming: false, evidence: .process, thread: 77, at: 303, tid: 99),
            ])
        #expect(explanation.rule == "R5")
        #expect(value("thread_trace_id", explanation.matched) == "77")
        #expect(explanation.notes.contains { $0.contains("0000000000000002") })
    }

    @Test func factsThatDoNotConfirmAnEdgeAreTold() async throws {
        let explanation = try await explain(
            2, [
                span(1, incoming: true, thread: 501, at: 1), span(2, 1, incoming: false, evidence: .thread,
                thread: 502, at: 1),
            ])
        #expect(explanation.notes == ["the stored facts do not confirm it: thread_trace_id differs: 502 and 501"])
    }

    @Test func incomingRootListsCallsWithItsSequenceNumberAndWhatFailed() async throws {
        let explanation = try await explain(
            2, [
                span(2, incoming: true, seqs: (7, 8), flow: mirrored),
                span(3, in: 3, incoming: false, seqs: (7, 9), flow: ("10.0.0.7", 1, "10.0.0.8", 2)),
                span(4, in: 4, incoming: false, seqs: (1, 8)),
            ])
        #expect(explanation.parent == nil)
        #expect(explanation.rule == nil)
        #expect(explanation.candidates.map(\.span.id) == ["0000000000000003"])
        #expect(explanation.candidates[0].rule == "R2")
        #expect(explanation.candidates[0].failed[0] == "resp_seq differs: 8 and 9")
        #expect(explanation.candidates[0].failed[1].contains("10.0.0.7:1 → 10.0.0.8:2"))
        #expect(explanation.sentence.contains("none of them"))
    }

    @Test func candidateThatHasItsOtherSideAlreadyIsSaidToHaveIt() async throws {
        let explanation = try await explain(
            2, [
                span(2, incoming: true, seqs: (7, 8), flow: mirrored), span(3, in: 3, incoming: false, seqs: (7, 8)),
                span(4, 3, in: 3, incoming: true, evidence: .net, seqs: (7, 8), flow: mirrored),
            ])
        #expect(explanation.candidates.count == 1)
        #expect(explanation.candidates[0].failed[0].contains("span 0000000000000004, already"))
    }

    @Test func callOfABusyLoopIsAmbiguous() async throws {
        let explanation = try await explain(
            3, [
                span(1, in: 1, incoming: true, thread: 1, at: 400, for: 9),
                span(2, in: 2, incoming: true, thread: 2, at: 402, for: 9),
                span(3, in: 3, incoming: false, thread: 987, at: 404, more: ["ebpftrace.root_missing": .bool(true)]),
            ])
        #expect(explanation.sentence.contains("2 requests were open"))
        #expect(explanation.candidates.map(\.rule) == ["R4", "R4"])
        #expect(explanation.candidates.allSatisfy { $0.failed == ["several requests were open at once (ambiguous)"] })
        #expect(explanation.notes.contains { $0.contains("root_missing") })
    }

    @Test func callAfterTheEntryEndedNamesTheGap() async throws {
        let explanation = try await explain(
            3, [
                span(1, in: 1, incoming: true, thread: 501, at: 1, for: 7),
                span(3, in: 3, incoming: false, thread: 501, at: 50),
            ])
        #expect(explanation.candidates[0].failed.contains { $0.contains("after the entry had ended") })
        #expect(explanation.sentence.contains("root"))
    }

    @Test func edgeToASpanThatIsGoneStillNamesItsRule() async throws {
        let explanation = try await explain(2, [span(2, 1, incoming: true, evidence: .net, seqs: (1, 2))])
        #expect(explanation.rule == "R1a")
        #expect(explanation.parent?.id == "0000000000000001")
        #expect(explanation.sentence.contains("does not hold it"))
    }

    @Test func applicationSpanBetweenTwoIsTold() async throws {
        var sdk = span(5, 1, incoming: true)
        sdk.isApplication = true
        sdk.attributes = []
        let explanation = try await explain(
            2, [
                span(1, incoming: true, thread: 501, at: 1, for: 7), sdk,
                span(
                    2, 5, incoming: false, evidence: .thread, thread: 501, at: 3,
                    more: ["ebpftrace.original_parent_id": .string("0000000000000001")]),
            ])
        #expect(explanation.rule == "R3")
        #expect(explanation.parent?.id == "0000000000000005")
        #expect(explanation.notes.contains { $0.contains("0000000000000001") })
        let own = try await explain(5, [span(1, incoming: true), sdk])
        #expect(own.rule == "application")
    }

    @Test func spansWithoutFactsAreExplainedAsFarAsTheyCanBe() async throws {
        var root = span(1, incoming: false)
        root.attributes = []
        #expect(try await explain(1, [root]).notes.contains { $0.contains("not stored") })
        var child = span(2, 1, incoming: true)
        child.attributes = [Attribute("ebpftrace.evidence", .string("net"))]
        #expect(try await explain(2, [root, child]).notes.contains { $0.contains("not stored") })
    }

    @Test func jsonNamesEveryMemberAndReadsBack() async throws {
        let explanation = try await explain(2, [span(2, incoming: true, seqs: (7, 8))])
        let data = try JSONEncoder().encode(explanation)
        let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object.keys.sorted() == ["candidates", "evidence", "matched", "notes", "parent", "rule", "sentence",
        "span"])
        #expect(object["parent"] is NSNull)
        #expect(try JSONDecoder().decode(Explanation.self, from: data) == explanation)
        let text = ExplanationText.lines(explanation)
        #expect(text.contains("parent    none"))
    }
}
