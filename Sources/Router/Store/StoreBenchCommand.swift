import ArgumentParser
import Foundation
import Linking
import Logging
import Shared

/// `store-bench`: fills a store of its own with made-up spans and measures writing and searching; not shown in help.
struct StoreBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store-bench", abstract: "Measures the embedded store.", shouldDisplay: false)

    @Option(help: "Spans to write, 12 a trace.") var spans = 5_000_000
    @Option(help: "Folder of the store; kept when it is given.") var folder: String?
    @Option(help: "Spans of one request.") var body = 1_008

    func run() async throws {
        try await RouterMain.reporting {
            let path = folder ?? NSTemporaryDirectory() + "/ebpftrace-store-bench-\(getpid())"
            defer { if folder == nil { try? FileManager.default.removeItem(atPath: path) } }
            let metrics = MetricsRegistry()
            var options = StoreOptions(folder: path)
            options.bytesMax = 64 << 30
            let store = try TraceStore(options: options, metrics: metrics, logger: Logger(label: "store-bench"))
            let bench = StoreBench(store: store, metrics: metrics)
            if spans > 0 { try await bench.fill(spans: spans, body: max(12, body / 12 * 12)) }
            try await bench.search(traces: max(1, spans / 12))
            store.stop()
        }
    }
}

/// One measurement.
private struct StoreBench {
    let store: TraceStore
    let metrics: MetricsRegistry

    func fill(spans: Int, body: Int) async throws {
        let began = SystemClocks.monotonicNanoseconds()
        var encodeNanoseconds = 0
        var bytes = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            var under = 0
            for first in stride(from: 0, to: spans / 12, by: body / 12) {
                let request = MadeUpSpans.request(traces: first..<min(first + body / 12, spans / 12))
                bytes += request.count
                let start = ThreadCPU.nanoseconds()
                let encoded = try request.withRawBytes { (bytes) throws(Failure) in try store.encode(bytes) }
                encodeNanoseconds += ThreadCPU.nanoseconds() - start
                group.addTask { [store] in try await store.insert(encoded) }
                under += 1
                if under >= 24 {
                    try await group.next()
                    under -= 1
                }
            }
            try await group.waitForAll()
        }
        let seconds = Double(SystemClocks.monotonicNanoseconds() - began) / 1e9
        let count = Double(spans)
        let thread = stageSeconds()
        let live = try store.files.database.liveBytes()
        print("spans \(spans), wall \(text(seconds)) s, \(text(Double(bytes) / count)) B a span as OTLP")
        print("encode \(text(Double(encodeNanoseconds) / count / 1e3)) µs a span of CPU")
        print("write  \(text(thread * 1e6 / count)) µs a span of CPU (thread store)")
        print("disk   \(text(Double(live) / count)) B a span, \(try store.files.database.segments().count) segments")
    }

    private func stageSeconds() -> Double {
        let line = metrics.render().split(separator: "\n").first { $0.hasPrefix("ebpftrace_stage_cpu_seconds_total") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? 0
    }

    func search(traces: Int) async throws {
        let first = MadeUpSpans.start
        let last = first + UInt64(traces) * MadeUpSpans.step
        let middle = first + (last - first) / 2
        func span(_ key: String, _ comparison: AttributeOperator, _ value: AttributeValue) -> SpanCondition {
            .compare(.span, key: key, comparison, value)
        }
        func service(_ name: String) -> SpanCondition {
            .compare(.resource, key: "service.name", .equal, .string(name))
        }
        func own(_ key: String, _ comparison: AttributeOperator, _ value: AttributeValue) -> SpanCondition {
            .compare(.intrinsic, key: key, comparison, value)
        }
        let hour: Int64 = 3_600_000_000_000
        let rare = "/item/\(traces / 2)"
        let searches: [(String, TraceSearch)] = [
            ("everything, newest 20", TraceSearch()),
            ("service common", TraceSearch(condition: service("cart"))),
            ("service absent", TraceSearch(condition: service("x"))),
            ("operation common", TraceSearch(condition: own("name", .equal, .string("GET /cart")))),
            ("operation absent", TraceSearch(condition: own("name", .equal, .string("GET /nothing")))),
            ("operation by pattern, absent", TraceSearch(condition: own("name", .matches, .string("GET /n.*")))),
            ("status error", TraceSearch(condition: own("status", .equal, .string("error")))),
            ("span duration > 900 ms (rare)", TraceSearch(condition: own("duration", .greater, .int(900_000_000)))),
            ("span duration > 1 h (absent)", TraceSearch(condition: own("duration", .greater, .int(hour)))),
            ("trace duration > 1 h (absent)", TraceSearch(minDuration: 3_600_000_000_000)),
            ("tag of few values", TraceSearch(condition: span("http.response.status_code", .equal, .int(503)))),
            ("tag, absent value", TraceSearch(condition: span("http.response.status_code", .equal, .int(418)))),
            ("tag of many values, one span", TraceSearch(condition: span("url.path", .equal, .string(rare)))),
            ("tag of many values, absent", TraceSearch(condition: span("url.path", .equal, .string("/none")))),
            ("sequence number, absent", TraceSearch(condition: span("ebpf.req_seq", .equal, .int(-5)))),
            ("tag name absent", TraceSearch(condition: span("no.such.tag", .equal, .string("x")))),
            (
                "service, status and rare tag",
                TraceSearch(condition: .and([
                    .compare(.any, key: "service.name", .equal, .string("gw")), own("status", .equal, .string("error")),
                    span("url.path", .equal, .string(rare)),
                ]))
            ),
            ("an hour in the middle", TraceSearch(from: middle, to: middle + 3_600_000_000_000)),
            ("a minute in the middle, errors", TraceSearch(
                from: middle, to: middle + 60_000_000_000, condition: own("status", .equal, .string("error")))),
            ("limit 1000", TraceSearch(limit: 1_000)),
        ]
        for (name, search) in searches { try await time(name) { try await store.search(search).traces.count } }
        try await time("tag values, few") { try await store.tagValues(.span, "http.request.method").count }
        try await time("tag values, many") { try await store.tagValues(.span, "url.path").count }
        try await time("services") { try await store.services().count }
        try await time("candidates by sequence number") {
            try await store.spans(withAttribute: "ebpf.req_seq", value: .int(77), near: middle, limit: 10).count
        }
        var worst = 0
        var sum = 0
        for number in 0..<50 {
            let id = MadeUpSpans.id(number * (traces / 50))
            let start = SystemClocks.monotonicNanoseconds()
            let trace = try await store.trace(id)
            let taken = SystemClocks.monotonicNanoseconds() - start
            guard trace?.spans.count == 12 else { throw Failure(.ended, "trace \(number) is not whole") }
            worst = max(worst, taken)
            sum += taken
        }
        print("trace by id: mean \(text(Double(sum) / 50e6)) ms, worst of 50 \(text(Double(worst) / 1e6)) ms")
    }

    private func time(_ name: String, _ body: () async throws -> Int) async throws {
        var best = Int.max
        var first = 0
        var count = 0
        for attempt in 0..<5 {
            let start = SystemClocks.monotonicNanoseconds()
            count = try await body()
            let taken = SystemClocks.monotonicNanoseconds() - start
            best = min(best, taken)
            if attempt == 0 { first = taken }
        }
        let padded = name.padding(toLength: 34, withPad: " ", startingAt: 0)
        let times = "first \(text(Double(first) / 1e6)) ms, best of 5 \(text(Double(best) / 1e6)) ms"
        print("\(padded) \(times), \(count) found")
    }

    private func text(_ value: Double) -> String { String(format: "%.2f", value) }
}

/// Spans as eight services of a shop would make them; the same for the same numbers.
private enum MadeUpSpans {
    static let start: UInt64 = 1_795_000_000_000_000_000
    /// Between the starts of two traces: 5 million spans take a day.
    static let step: UInt64 = 200_000_000
    private static let services = ["gw", "cart", "pay", "stock", "user", "mail", "search", "ads"]

    static func id(_ trace: Int) -> TraceID {
        TraceID(high: StableHash.of(UInt64(trace)), low: StableHash.of(UInt64(trace), 1))
    }

    static func request(traces: Range<Int>) -> [UInt8] {
        var scopes = services.map { _ in [UInt8]() }
        for service in services.indices { scopes[service] = field(1, field(1, Array("ebpftrace".utf8))) }
        for trace in traces {
            for index in 0..<12 {
                let service = index == 0 ? 0 : Int(StableHash.of(UInt64(trace), UInt64(index)) % 8)
                scopes[service] += field(2, span(trace, index, service))
            }
        }
        var request: [UInt8] = []
        for (service, scope) in zip(services, scopes) {
            let attributes = [
                ("service.name", service), ("host.name", "node-\(service.count)"), ("k8s.namespace.name", "shop"),
                ("k8s.pod.name", "\(service)-5d8f6c7b9-x2x4z"), ("container.id", "0123456789abcdef0123456789abcdef"),
            ].flatMap { field(1, text($0.0, $0.1)) }
            request += field(1, field(1, attributes) + field(2, scope))
        }
        return request
    }

    private static func span(_ trace: Int, _ index: Int, _ service: Int) -> [UInt8] {
        let id = id(trace)
        let noise = StableHash.of(UInt64(trace), UInt64(index), 7)
        let isServer = index % 2 == 0
        let begin = start + UInt64(trace) * step + UInt64(index) * 300_000
        let isSlow = noise % 200_000 == 0
        let duration = isSlow ? 950_000_000 : 1_000_000 + noise % 40_000_000
        let isError = noise % 50 == 0
        let path = index == 0 ? "/item/\(trace)" : "/\(services[service])"
        var bytes = field(1, big(id.high) + big(id.low)) + field(2, big(spanID(trace, index)))
        if index > 0 { bytes += field(4, big(spanID(trace, (index - 1) / 2))) }
        bytes += field(5, Array((index == 0 ? "GET /item" : "GET /\(services[service])").utf8))
        bytes += varint(6 << 3) + varint(isServer ? 2 : 3) + fixed(7, begin) + fixed(8, begin + duration)
        let port = Int(noise >> 20 % 28_000) + 32_768
        let texts = [
            ("http.request.method", "GET"), ("url.path", path), ("http.route", path == "/" ? "/" : "/item"),
            ("network.peer.address", "10.0.\(service).\(noise % 5)"), ("network.local.address", "10.0.1.\(service)"),
            ("server.address", "10.0.0.\(service)"), ("ebpftrace.evidence", isServer ? "net" : "thread"),
            ("ebpf.direction", isServer ? "incoming" : "outgoing"), ("ebpf.src_ip", "10.0.1.\(service)"),
            ("ebpf.dst_ip", "10.0.\(service).\(noise % 5)"),
        ]
        for (key, value) in texts { bytes += field(9, text(key, value)) }
        let sequence = Int(UInt32(truncatingIfNeeded: noise))
        let numbers = [
            ("http.response.status_code", isError ? 503 : 200), ("network.peer.port", port), ("server.port", 8_080),
            ("process.pid", 1_000 + service), ("thread.id", 1_000 + Int(noise % 16)), ("ebpf.req_seq", sequence),
            ("ebpf.resp_seq", sequence ^ 0x5555), ("ebpf.thread_trace_id", Int(noise >> 12)),
            ("ebpf.pid", 1_000 + service), ("ebpf.tid", 1_000 + Int(noise % 16)),
            ("ebpf.ktime", Int(begin & 0xffff_ffff_ffff)),
        ]
        for (key, value) in numbers {
            bytes += field(9, field(1, Array(key.utf8)) + field(2, varint(3 << 3) + varint(UInt64(value))))
        }
        return bytes + (isError ? field(15, varint(3 << 3) + varint(2)) : [])
    }

    private static func spanID(_ trace: Int, _ index: Int) -> UInt64 {
        StableHash.of(UInt64(trace), UInt64(index), 3) | 1
    }

    private static func text(_ key: String, _ value: String) -> [UInt8] {
        field(1, Array(key.utf8)) + field(2, field(1, Array(value.utf8)))
    }

    private static func field(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(UInt64(content.count)) + content
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        PackedWriter.varint(value, to: &bytes)
        return bytes
    }

    private static func fixed(_ number: UInt64, _ value: UInt64) -> [UInt8] {
        var bytes = varint(number << 3 | 1)
        PackedWriter.fixed(value, to: &bytes)
        return bytes
    }

    private static func big(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}
