import Foundation
import Hummingbird
import HummingbirdTesting
import Linking
import Shared
import Testing

@testable import Router

@Suite struct ServiceGraphTests {
    private static let second: UInt64 = 1_000_000_000
    private static let time: UInt64 = 1_795_000_020 * second

    private static func span(
        _ id: UInt64, _ side: GraphSpan.Side, _ service: String, parent: UInt64? = nil, trace: UInt64 = 1,
        peer: GraphSpan.Peer? = nil, milliseconds: UInt64 = 10, isError: Bool = false, at start: UInt64 = time
    ) -> GraphSpan {
        GraphSpan(
            traceID: TraceID(high: 7, low: trace), id: SpanID(id), parent: parent.map { SpanID($0) }, side: side,
            service: service, peer: peer, start: start, duration: milliseconds * 1_000_000, isError: isError)
    }

    /// Edges as "client>server:requests/errors", sorted.
    private static func edges(_ graph: ServiceGraph) -> [String] {
        graph.minutes.sum(from: 0, to: .max).edges
            .map { "\($0.key.client)>\($0.key.server):\($0.value.requests)/\($0.value.errors)" }.sorted()
    }

    @Test func twoEndsMakeAnEdgeInAnyOrderAndAnySplit() {
        let spans = [
            Self.span(1, .client, "web"), Self.span(2, .server, "shop", parent: 1),
            Self.span(3, .client, "shop"), Self.span(4, .server, "stock", parent: 3, isError: true),
            Self.span(5, .client, "web", trace: 2), Self.span(6, .server, "shop", parent: 5, trace: 2),
        ]
        var generator = Xorshift(state: 7)
        for _ in 0..<50 {
            var graph = ServiceGraph()
            for span in spans.shuffled(using: &generator) {
                graph.take([span], now: 1, observe: { _, _ in })
            }
            #expect(Self.edges(graph) == ["shop>stock:1/1", "web>shop:2/0"])
            #expect(graph.waiting == 0)
        }
    }

    @Test func theSameSpanTwiceCountsOnce() {
        var graph = ServiceGraph()
        let (client, server) = (Self.span(1, .client, "web"), Self.span(2, .server, "shop", parent: 1))
        graph.take([client, client, server], now: 1, observe: { _, _ in })
        #expect(Self.edges(graph) == ["web>shop:1/0"])
    }

    @Test func anEndThatStaysAloneIsCountedAfterItsPatience() {
        var graph = ServiceGraph()
        graph.take(
            [
                Self.span(1, .client, "shop", peer: .database("mysql"), isError: true),
                Self.span(2, .client, "shop"), Self.span(3, .server, "web"),
                Self.span(4, .server, "web", parent: 99),
            ], now: 0, observe: { _, _ in })
        #expect(Self.edges(graph).isEmpty)
        #expect(graph.waiting == 3)
        graph.expire(now: ServiceGraph.patience - 1, { _, _ in })
        #expect(graph.waiting == 3)
        graph.expire(now: ServiceGraph.patience, { _, _ in })
        #expect(graph.waiting == 0)
        #expect(Self.edges(graph) == ["shop>mysql:1/1"])
        #expect(
            graph.takeUnpaired() == [
                .init(service: "shop", side: .client): 2, .init(service: "web", side: .server): 2,
            ])
        #expect(graph.takeUnpaired().isEmpty)
    }

    @Test func waitingEndsAreBounded() {
        var limits = Limits()
        limits.graphWaitingSpans = 100
        var graph = ServiceGraph(limits: limits)
        for id in 1...1_000 { graph.take([Self.span(UInt64(id), .client, "web")], now: 0, observe: { _, _ in }) }
        #expect(graph.waiting <= 101)
        #expect(graph.takeUnpaired()[.init(service: "web", side: .client)] ?? 0 >= 899)
    }

    @Test func edgesOfAMinuteAreBoundedAndTheRestIsCounted() {
        var limits = Limits()
        limits.graphEdges = 10
        var graph = ServiceGraph(limits: limits)
        for id in stride(from: UInt64(1), to: 41, by: 2) {
            graph.take(
                [Self.span(id, .client, "c\(id)"), Self.span(id + 1, .server, "s", parent: id)], now: 0,
                observe: { _, _ in })
        }
        let sum = graph.minutes.sum(from: 0, to: .max)
        #expect(sum.edges.count == 10)
        #expect(sum.uncounted == 10)
    }

    @Test func servicesWithUnpairedEndsAreBoundedAndTheRestIsCounted() {
        var limits = Limits()
        limits.graphEdges = 10
        let metrics = MetricsRegistry()
        let recorder = GraphRecorder(metrics: metrics, limits: limits, now: { 0 })
        recorder.take((1...40).map { Self.span($0, .server, "s\($0)") })
        let sum = recorder.sum(from: 0, to: .max)
        #expect(sum.unpaired.count == 10)
        #expect(sum.uncounted == 30)
        let page = metrics.render()
        #expect(page.contains("traces_service_graph_uncounted_requests_total 30"))
        #expect(page.split(separator: "\n").count { $0.hasPrefix("traces_service_graph_unpaired_spans_total{") } == 10)
    }

    @Test func aStretchOfTimeHoldsItsMinutesOnly() {
        var graph = ServiceGraph()
        for minute in UInt64(0)..<5 {
            let start = Self.time + minute * 60 * Self.second
            graph.take(
                [
                    Self.span(2 * minute + 1, .client, "web", at: start),
                    Self.span(2 * minute + 2, .server, "shop", parent: 2 * minute + 1, at: start),
                ], now: 0, observe: { _, _ in })
        }
        let sum = graph.minutes.sum(from: Self.time + 60 * Self.second, to: Self.time + 150 * Self.second)
        #expect(sum.edges.values.map(\.requests) == [2])
    }

    /// A broken clock, or somebody's joke, must not cost the minutes that are true.
    @Test func spansOfAnotherAgePushNoRealMinuteOut() {
        let metrics = MetricsRegistry()
        let recorder = GraphRecorder(metrics: metrics, now: { 0 }, wall: { Self.time })
        func request(_ number: UInt64, at start: UInt64) -> [GraphSpan] {
            let id = 2 * number + 1
            return [
                Self.span(id, .client, "web", at: start), Self.span(id + 1, .server, "shop", parent: id, at: start),
            ]
        }
        let minute = 60 * Self.second
        recorder.take(request(0, at: Self.time))
        let strange = UInt64(2 * GraphMinutes.minutesMax)
        for number in 1...strange {
            recorder.take(request(number, at: Self.time + (1_000 + number) * minute))
            recorder.take(request(strange + number, at: number * minute))
        }
        recorder.take(request(3 * strange, at: Self.time - minute))
        #expect(recorder.sum(from: Self.time - minute, to: Self.time - 1).edges.values.map(\.requests) == [1])
        // Those of the future count in the minute that they came in.
        let now = recorder.sum(from: Self.time, to: Self.time)
        #expect(now.edges.values.map(\.requests) == [Int(strange) + 1])
        #expect(recorder.sum(from: Self.time + minute, to: .max).edges.isEmpty)
        let page = metrics.render()
        #expect(page.contains(#"traces_service_graph_misdated_spans_total{kind="future"} \#(2 * strange)"#))
        #expect(page.contains(#"traces_service_graph_misdated_spans_total{kind="past"} 0"#))
        // Nothing is left of the past by then but what is newer than this.
        recorder.take(request(4 * strange, at: 0))
        #expect(metrics.render().contains(#"traces_service_graph_misdated_spans_total{kind="past"} 1"#))
    }

    @Test(arguments: ["start=x", "end=18446744073", "start=-1", "start=nan", "end=inf"])
    func aTimeThatIsNoneIsAnsweredAsByEveryEndpoint(_ query: String) async throws {
        let router = Hummingbird.Router()
        GraphEndpoints(recorder: GraphRecorder(metrics: MetricsRegistry())).register(on: router)
        try await Application(router: router).test(.router) { client in
            try await client.execute(uri: "/api/graph?\(query)", method: .get) { answer in
                #expect(answer.status == .badRequest)
                #expect(String(buffer: answer.body).hasPrefix(#"{"error":""#))
            }
            for uri in ["/api/graph", "/api/graph?start=0&end=18446744072", "/api/graph?start=1.5&end="] {
                try await client.execute(uri: uri, method: .get) { #expect($0.status == .ok, "\(uri)") }
            }
        }
    }

    @Test func clocksThatAreALittleAheadKeepTheirMinute() {
        let recorder = GraphRecorder(metrics: MetricsRegistry(), now: { 0 }, wall: { Self.time })
        let ahead = Self.time + 90 * Self.second
        recorder.take([Self.span(1, .client, "web", at: ahead), Self.span(2, .server, "shop", parent: 1, at: ahead)])
        #expect(recorder.sum(from: ahead, to: ahead).edges.count == 1)
    }

    @Test(arguments: [0.5, 0.95, 0.99]) func quantilesAreNearTheTruth(_ share: Double) {
        var generator = Xorshift(state: 3)
        var counts = LatencyCounts()
        var all: [UInt64] = []
        for _ in 0..<5_000 {
            let nanoseconds = UInt64(exp(Double.random(in: 9...21, using: &generator)))
            all.append(nanoseconds)
            counts.add(nanoseconds)
        }
        let truth = Double(all.sorted()[Int(share * 5_000)]) / 1e6
        #expect(abs(counts.quantile(share) - truth) <= 0.2 * truth)
        var twice = counts
        twice.add(counts)
        #expect(twice.total == 10_000)
        #expect(abs(twice.quantile(share) - counts.quantile(share)) < 1e-9)
    }

    @Test func spansOfARequestAreReadWithTheParentThatEBPFSaw() {
        let trace = TraceID.test(1)
        func spans(_ service: String, _ scope: String, _ spans: [TestSpan]) -> [UInt8] {
            OTLPTestEncoder.request(service: service, scope: scope, spans)
        }
        let request =
            spans("web", "ebpftrace", [
                TestSpan(trace: trace, id: 1, kind: 3, attributes: [("server.address", .text("10.0.0.7"))]),
                TestSpan(trace: trace, id: 9, kind: 1),
                TestSpan(trace: trace, id: 4, kind: 3, status: 2, attributes: [("db.system.name", .text("redis"))]),
            ])
            + spans("shop", "ebpftrace", [
                TestSpan(
                    trace: trace, id: 2, parent: 77, kind: 2,
                    attributes: [("ebpftrace.parent_id", .text("0000000000000001"))])
            ])
            + spans("web", "sdk", [TestSpan(trace: trace, id: 77, kind: 3)])
        let found = request.withUnsafeBytes { GraphVisitor.spans(of: $0) }
        #expect(found.map(\.id.bits) == [1, 4, 2])
        #expect(found.map(\.service) == ["web", "web", "shop"])
        #expect(found.map(\.peer) == [.external("10.0.0.7"), .database("redis"), nil])
        #expect(found.map(\.isError) == [false, true, false])
        var graph = ServiceGraph()
        graph.take(found, now: 0, observe: { _, _ in })
        #expect(Self.edges(graph) == ["web>shop:1/0"])
    }

    @Test func theMetricsPageHasTheSeriesGrafanaAsksFor() {
        let metrics = MetricsRegistry()
        let recorder = GraphRecorder(metrics: metrics, now: { 0 })
        recorder.take([
            Self.span(1, .client, "web"), Self.span(2, .server, "shop", parent: 1, isError: true),
        ])
        let page = metrics.render()
        let labels = #"{client="web",server="shop",connection_type=""}"#
        #expect(page.contains("traces_service_graph_request_total\(labels) 1"))
        #expect(page.contains("traces_service_graph_request_failed_total\(labels) 1"))
        #expect(page.contains(#"traces_service_graph_request_server_seconds_bucket{client="web",server="shop","#))
        let answer = GraphEndpoints(recorder: recorder).page(from: nil, to: nil)
        #expect(answer.edges.map(\.requests) == [1])
        #expect(answer.nodes.map(\.name) == ["shop", "web"])
    }
}

/// A small generator with a seed.
private struct Xorshift: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
