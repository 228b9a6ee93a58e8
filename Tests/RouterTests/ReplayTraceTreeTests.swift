import Foundation
import Shared
import Testing

@testable import Router

@Suite struct ReplayTraceTreeTests {
    private typealias Span = TraceForest.Span

    private static func span(
        _ id: String, under parent: String = "0", in trace: String = "t", service: String = "web",
        label: String = "GET /", incoming: Bool = true, duration: Int64 = 1500, start: Int64 = 0,
        evidence: String = "", marks: [String] = [], isError: Bool = false
    ) -> TraceForest.Span {
        Span(
            id: id, parentID: parent, traceID: trace, service: service, label: label, isIncoming: incoming,
            duration: duration, start: start, evidence: evidence, marks: marks, isError: isError)
    }

    private static let shop = [
        span("1", service: "gw", label: "GET /orders", duration: 12_440),
        span("4", under: "1", service: "gw", label: "GET /pay", incoming: false, start: 9, evidence: "process"),
        span("2", under: "1", service: "gw", label: "GET /stock", incoming: false, start: 5, evidence: "thread"),
        span("3", under: "2", service: "stock", label: "GET /stock", duration: -1, start: 6, evidence: "net",
            isError: true),
    ]

    @Test func traceIsDrawnAsATree() {
        let forest = TraceForest(spans: Self.shop)
        let printer = TraceTreePrinter(width: 70)
        #expect(
            forest.traces().map { printer.text(of: $0, in: forest) } == ["""
                trace t  4 spans, 2 services, 12.4 ms
                gw in  GET /orders             12.4 ms  root
                ├─ gw out GET /stock            1.5 ms  thread
                │  └─ stock in  GET /stock   no answer  net
                └─ gw out GET /pay              1.5 ms  process

                """])
    }

    @Test func coloursComeOnlyWhenAsked() {
        let forest = TraceForest(spans: Self.shop)
        let plain = TraceTreePrinter(width: 70).text(of: forest)
        let coloured = TraceTreePrinter(width: 70, colours: true).text(of: forest)
        #expect(!plain.contains("\u{1B}"))
        #expect(coloured.contains("\u{1B}[31mstock in  GET /stock\u{1B}[0m"))
        #expect(coloured.replacing(/\u{1B}\[[0-9]+m/, with: "") == plain)
    }

    @Test func noLineIsWiderThanTheScreen() {
        var spans = [Self.span("0x", label: String(repeating: "長い", count: 200), marks: [])]
        for number in 1..<50 {
            spans.append(Self.span("\(number)x", under: "\(number - 1)x", label: "GET /\(number)", evidence: "net"))
        }
        let forest = TraceForest(spans: spans)
        for width in [40, 80, 133] {
            let text = TraceTreePrinter(width: width).text(of: forest.traces()[0], in: forest)
            for line in text.split(separator: "\n") { #expect(TraceTreePrinter.columns(String(line)) <= width) }
        }
    }

    @Test func chainOfAHundredThousandSpansIsDrawnWithoutRecursion() {
        let spans = (0..<100_000).map { Self.span("\($0 + 1)", under: $0 == 0 ? "0" : "\($0)", evidence: "net") }
        let forest = TraceForest(spans: spans)
        let trace = forest.traces()[0]
        #expect(trace.nodes.count == 100_000 && trace.isComplete)
        #expect(TraceTreePrinter().text(of: trace, in: forest).hasSuffix("… and 99,940 more\n"))
    }

    @Test func brokenTracesAreNotComplete() {
        let cases: [[TraceForest.Span]] = [
            [Self.span("1", under: "9")],
            [Self.span("1", under: "2"), Self.span("2", under: "1")],
            [Self.span("1"), Self.span("2")],
            [Self.span("1"), Self.span("2", under: "1", marks: ["late"])],
            [Self.span("1", under: "1")],
        ]
        for spans in cases {
            let traces = TraceForest(spans: spans).traces()
            #expect(traces.count == 1 && traces.allSatisfy { !$0.isComplete })
        }
    }

    @Test func instructiveTracesAreCompleteOfSeveralSizesAndServices() {
        var spans: [TraceForest.Span] = []
        let traces = [("a", 30, 5), ("b", 30, 5), ("c", 12, 4), ("d", 5, 2), ("e", 90, 9), ("f", 1, 1)]
        for (name, size, services) in traces {
            for number in 0..<size {
                spans.append(
                    Self.span(
                        "\(name)\(number)", under: number == 0 ? "0" : "\(name)0", in: name,
                        service: "s\(number % services)"))
            }
        }
        spans.append(Self.span("late", under: "gone", in: "b"))
        let forest = TraceForest(spans: spans)
        #expect(forest.instructive(among: forest.traces()).map(\.id) == ["d", "c", "a"])
        #expect(forest.instructive(among: []).isEmpty)
    }

    /// Exported by today's collector in conformance/fan-out: one trace, and a part's first line before it.
    @Test func exportedLinesAreRead() throws {
        let folder = try ReplayFolder()
        let path = try folder.write("out.jsonl", Self.exported)
        let forest = try TraceForest(path: path)
        let traces = forest.traces()
        #expect(traces.count == 1 && traces[0].isComplete)
        #expect(traces[0].nodes.map(\.depth) == Self.exportedDepths)
        let text = TraceTreePrinter().text(of: forest)
        #expect(text.contains("  root\n") && text.contains("  linked\n") && !text.contains("missing"))
        #expect(throws: Failure.self) { try TraceForest(path: try folder.write("bad.jsonl", "{]}")) }
    }

    private static let exportedDepths = [0, 1, 2, 3, 2, 3, 4, 5]
    private static let exported = """
        {"partitions":[[3,17],[4,17]]}
        {"direction":"incoming","ebpf_parent_id":"0f72d6a8df6688c9","ebpf_span_type":"entry",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"485bacd87069f93e","src_ip":"10.244.0.44"}
        {"direction":"outgoing","ebpf_parent_id":"e8a8847cf447a0bd","ebpf_span_type":"exit",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"27751307559c0d1e","src_ip":"10.244.1.12"}
        {"direction":"outgoing","ebpf_parent_id":"e8a8847cf447a0bd","ebpf_span_type":"exit",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"0f72d6a8df6688c9","src_ip":"10.244.1.12"}
        {"direction":"outgoing","ebpf_parent_id":"0","ebpf_span_type":"exit",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"e768df54c5f52007","src_ip":"10.244.0.135"}
        {"direction":"outgoing","ebpf_parent_id":"485bacd87069f93e","ebpf_span_type":"exit",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"4a8adc18cea8ca41","src_ip":"10.244.0.44"}
        {"direction":"incoming","ebpf_parent_id":"27751307559c0d1e","ebpf_span_type":"entry",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"d3eef12df5e773ea","src_ip":"10.244.0.65"}
        {"direction":"incoming","ebpf_parent_id":"e768df54c5f52007","ebpf_span_type":"entry",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"e8a8847cf447a0bd","src_ip":"10.244.1.12"}
        {"direction":"incoming","ebpf_parent_id":"4a8adc18cea8ca41","ebpf_span_type":"entry",
        "ebpf_trace_id":"a92b1b881697c7021d80e2de8c972168","span_id":"bedd1afa01930bb2","src_ip":"10.244.0.121"}
        """
}
