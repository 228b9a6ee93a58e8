import Foundation
import Synchronization
import Testing

@testable import Shared

@Suite struct MetricsTests {
    private let requests = MetricDefinition("t_requests_total", .counter, labels: ["path", "status"], "Requests.")
    private let seconds = MetricDefinition("t_cpu_seconds_total", .counter, unit: .seconds, "CPU.")
    private let size = MetricDefinition("t_size", .gauge, unit: .bytes, "Size \\ of\nit.")
    private let latency = MetricDefinition(
        "t_latency_seconds", .histogram, unit: .seconds, labels: ["stage"], buckets: [1_000_000, 1_000_000_000],
        "Latency.")

    @Test func pageIsPrometheusText() {
        let registry = MetricsRegistry()
        registry.counter(requests, "/v1/\"x\"\\y\nz", "200").add(3)
        registry.counter(seconds).add(1_500_000_000)
        registry.gauge(size).set(-7)
        let histogram = registry.histogram(latency, "a")
        for value in [1_000_000, 1_000_001, 5_000_000_000, -4] { histogram.record(value) }
        #expect(
            registry.render() == """
                # HELP ebpftrace_t_requests_total Requests.
                # TYPE ebpftrace_t_requests_total counter
                ebpftrace_t_requests_total{path="/v1/\\"x\\"\\\\y\\nz",status="200"} 3
                # HELP ebpftrace_t_cpu_seconds_total CPU.
                # TYPE ebpftrace_t_cpu_seconds_total counter
                ebpftrace_t_cpu_seconds_total 1.5
                # HELP ebpftrace_t_size Size \\\\ of\\nit.
                # TYPE ebpftrace_t_size gauge
                ebpftrace_t_size -7
                # HELP ebpftrace_t_latency_seconds Latency.
                # TYPE ebpftrace_t_latency_seconds histogram
                ebpftrace_t_latency_seconds_bucket{stage="a",le="0.001"} 2
                ebpftrace_t_latency_seconds_bucket{stage="a",le="1"} 3
                ebpftrace_t_latency_seconds_bucket{stage="a",le="+Inf"} 4
                ebpftrace_t_latency_seconds_sum{stage="a"} 5.002000001
                ebpftrace_t_latency_seconds_count{stage="a"} 4

                """)
    }

    @Test func sameLabelsGiveTheSameHandleAndNothingIsLostBetweenThreads() async {
        let registry = MetricsRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let counter = registry.counter(requests, "/", "200")
                    let histogram = registry.histogram(latency, "b")
                    for _ in 0..<10_000 {
                        counter.add()
                        histogram.record(10)
                    }
                }
            }
        }
        #expect(registry.counter(requests, "/", "200").value == 40_000)
        #expect(registry.histogram(latency, "b").snapshot.counts == [40_000, 0, 0])
        #expect(registry.histogram(latency, "b").snapshot.sum == 400_000)
    }

    @Test func counterNeverFalls() {
        let counter = MetricsRegistry().counter(seconds)
        counter.add(5)
        counter.add(-3)
        #expect(counter.value == 5)
    }

    @Test func sampledValuesAreReadAtEachScrape() {
        let registry = MetricsRegistry()
        let calls = Atomic(0)
        registry.onScrape(size) { emit in emit([], Double(calls.wrappingAdd(1, ordering: .relaxed).newValue)) }
        #expect(registry.render().hasSuffix("ebpftrace_t_size 1\n"))
        #expect(registry.render().hasSuffix("ebpftrace_t_size 2\n"))
    }

    @Test(arguments: [
        (0.0, "0"), (2.5, "2.5"), (-3.0, "-3"), (Double.infinity, "+Inf"), (-Double.infinity, "-Inf"),
        (1e300, "1e+300"),
        (0.1 + 0.2, "0.30000000000000004"),
    ])
    func numbersReadBackAsThemselves(value: Double, text: String) {
        #expect(PrometheusWriter.number(value) == text)
        #expect(PrometheusWriter.number(.nan) == "NaN")
    }

    @Test func namesAreUniqueAndWellFormed() {
        #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
        for metric in Metric.all {
            #expect(metric.name.wholeMatch(of: /(ebpftrace|traces_service_graph)_[a-z][a-z0-9_]*/) != nil)
            #expect((metric.kind == .counter) == metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect(!metric.help.contains("|") && metric.help.hasSuffix("."), "\(metric.name)")
            #expect(metric.buckets == metric.buckets.sorted())
        }
    }

    @Test func referencePageIsInStep() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/metrics.md")
            .standardized
        if ProcessInfo.processInfo.environment["EBPFTRACE_WRITE_DOCS"] != nil {
            try MetricsReference.page.write(to: file, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(
            text == MetricsReference.page, "write it anew: EBPFTRACE_WRITE_DOCS=1 swift test --filter referencePage")
    }

    @Test func threadClockCountsTheThreadsOwnWork() {
        let before = ThreadCPU.nanoseconds()
        let clock = ThreadCPUClock.ofThisThread()
        var sum: UInt64 = 0
        for index in 0..<2_000_000 as Range<UInt64> { sum = sum &* 31 &+ index }
        let used = ThreadCPU.nanoseconds() - before
        #expect(sum != 1 && used > 0)
        #expect((clock?.nanoseconds() ?? 0) >= before + used)
    }
}

@Suite struct PrometheusPageTests {
    @Test func workersPagesJoinUnderTheirLabel() {
        func page(_ count: Int) -> String {
            let registry = MetricsRegistry()
            registry.gauge(Metric.openSpans).set(count)
            registry.counter(Metric.edges, "a\"} b,c\\").add(count)
            registry.histogram(Metric.mergeSeconds).record(1)
            return registry.render()
        }
        var all = PrometheusPage(parsing: page(1))
        for worker in 0..<2 {
            var theirs = PrometheusPage(parsing: page(10 + worker))
            theirs.addLabel("worker", String(worker))
            all.merge(theirs)
        }
        let lines = all.text.split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.hasPrefix("# TYPE") }.count == 3)
        let start = lines.firstIndex(of: "# TYPE ebpftrace_open_spans gauge") ?? 0
        #expect(
            Array(lines[(start + 1)...(start + 3)]) == [
                "ebpftrace_open_spans 1", "ebpftrace_open_spans{worker=\"0\"} 10",
                "ebpftrace_open_spans{worker=\"1\"} 11",
            ])
        #expect(lines.contains("ebpftrace_edges_total{worker=\"1\",evidence=\"a\\\"} b,c\\\\\"} 11"))
        #expect(lines.contains("ebpftrace_merge_seconds_bucket{worker=\"0\",le=\"+Inf\"} 1"))
        #expect(all.unreadableLines == 0)
        #expect(PrometheusPage(parsing: all.text).text == all.text)
    }

    @Test func seriesThatHasTheLabelKeepsItsOwn() {
        var page = PrometheusPage(parsing: "a{worker=\"7\"} 1\nb{x=\"1\",worker=\"8\"} 2\nc 3\n")
        page.addLabel("worker", "0")
        #expect(page.text == "a{worker=\"7\"} 1\nb{x=\"1\",worker=\"8\"} 2\nc{worker=\"0\"} 3\n")
    }

    @Test func garbageIsLeftOutAndCounted() {
        let page = PrometheusPage(
            parsing:
                "a{x=\"1\" 1\n{} 2\n9x 3\nb notanumber\nc\n\n# a comment\nd{y=\"}\"} 4 1700000000000\ne NaN\nf +Inf\n")
        #expect(page.text == "d{y=\"}\"} 4 1700000000000\ne NaN\nf +Inf\n")
        #expect(page.unreadableLines == 5)
    }
}
