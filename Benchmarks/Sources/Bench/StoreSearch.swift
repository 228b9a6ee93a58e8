import Glibc
import LoadModel
import LoadNet

/// Fills a router's store with 5 million made-up spans through its console listener, and times what a user asks there.
///
/// Everything over HTTP, so the answers' JSON and the connection are in the times.
struct StoreSearch {
    /// One question: asked five times.
    private struct Question {
        enum Kind { case search, trace, other }

        var name: String
        var path: String
        var kind = Kind.search
        /// How many traces, at least and at most, a right answer has; nil where it says nothing.
        var expected: ClosedRange<Int>?
    }

    /// How long a question took, nanoseconds.
    private struct Answer {
        var question: Question
        var first: Int64 = 0
        var best = Int64.max
        var found = 0
        var isRight = true
    }

    private var counts = StoreFiller.Counts()
    private var fillSeconds = 0.0
    private var fillCPU = 0.0
    private var writerCPU = 0.0
    private var stored = 0.0
    private var diskBytes = 0.0
    private var segments = 0.0
    private var answers: [Answer] = []
    private var traceTimes: [Int64] = []
    private var isStopped = false

    /// Runs it; every wait inside is bounded.
    static func measure(_ options: Options) -> Result<StoreSearch, UsageProblem> {
        var options = options
        options.target = .none
        options.hasStore = true
        options.workers = 1
        options.routerArguments += ["--store-bytes", "64GiB"]
        switch RouterProcess.start(options, samplingRate: 1, window: "2s", sinks: []) {
        case .failure(let problem): return .failure(problem)
        case .success(let router):
            var search = StoreSearch()
            let count = max(100, options.load.spanCount / ShopTraces.spansPerTrace)
            let start = UInt64(wallNanoseconds()) - UInt64(count) * ShopTraces.step
            let traces = ShopTraces(start: start - start % 1_000_000_000)
            search.fill(router, traces, count)
            search.ask(router, traces, count)
            search.isStopped = router.stop()
            if !options.keepsData { removeTree(router.dataDirectory) }
            return .success(search)
        }
    }

    private mutating func fill(_ router: RouterProcess, _ traces: ShopTraces, _ count: Int) {
        let before = cpu(router)
        let begin = monotonicNanoseconds()
        counts = StoreFiller(traces, count: count).run(port: router.console, connections: 24)
        fillSeconds = Double(monotonicNanoseconds() - begin) / 1e9
        fillCPU = cpu(router) - before
        guard let page = router.metrics() else { return }
        writerCPU = page.sums("ebpftrace_stage_cpu_seconds_total", by: "stage")["store"] ?? 0
        stored = page.sum("ebpftrace_store_spans_total") ?? 0
        diskBytes = page.sum("ebpftrace_store_bytes") ?? 0
        segments = page.sum("ebpftrace_store_segments") ?? 0
    }

    private func cpu(_ router: RouterProcess) -> Double {
        ProcessUsage.family(of: router.processID).reduce(0) { $0 + $1.cpuSeconds }
    }

    private mutating func ask(_ router: RouterProcess, _ traces: ShopTraces, _ count: Int) {
        for question in Self.questions(traces, count) {
            var answer = Answer(question: question)
            for attempt in 0..<5 {
                let begin = monotonicNanoseconds()
                let body = fetch(port: router.console, path: question.path)
                let took = monotonicNanoseconds() - begin
                if attempt == 0 { answer.first = took }
                answer.best = min(answer.best, took)
                answer.found = body?.occurrences(of: "\"traceID\"") ?? 0
                if body == nil || question.expected?.contains(answer.found) == false { answer.isRight = false }
            }
            answers.append(answer)
        }
        for number in 0..<50 {
            let trace = number * (count / 50)
            let begin = monotonicNanoseconds()
            let body = fetch(port: router.console, path: "/api/trace/\(ShopTraces.id(trace))")
            traceTimes.append(monotonicNanoseconds() - begin)
            let ids = (0..<ShopTraces.spansPerTrace).count { body?.contains(ShopTraces.spanID(trace, $0)) == true }
            if ids != ShopTraces.spansPerTrace {
                answers.append(Answer(question: Question(name: "trace \(trace)", path: ""), best: 0, isRight: false))
            }
        }
    }

    private static func questions(_ traces: ShopTraces, _ count: Int) -> [Question] {
        let rare = "/item/\(count / 2)"
        let middle = traces.begin(of: count / 2) / 1_000_000_000
        let many = 20...20
        func search(_ name: String, _ query: String, _ expected: ClosedRange<Int>?, _ rest: String = "") -> Question {
            Question(name: name, path: "/api/search?q=\(escaped(query))\(rest)", expected: expected)
        }
        func other(_ name: String, _ path: String) -> Question { Question(name: name, path: path, kind: .other) }
        return [
            search("everything, newest 20", "{}", many),
            search("service common", "{ resource.service.name = \"cart\" }", many),
            search("service absent", "{ resource.service.name = \"x\" }", 0...0),
            search("operation common", "{ name = \"GET /cart\" }", many),
            search("operation absent", "{ name = \"GET /nothing\" }", 0...0),
            search("operation by pattern, absent", "{ name =~ \"GET /n.*\" }", 0...0),
            search("status error", "{ status = error }", many),
            search("span duration > 900 ms (rare)", "{ duration > 900ms }", nil),
            search("span duration > 1 h (absent)", "{ duration > 1h }", 0...0),
            search("trace duration > 1 h (absent)", "{}", 0...0, "&minDuration=1h"),
            search("tag of few values", "{ span.http.response.status_code = 503 }", many),
            search("tag, absent value", "{ span.http.response.status_code = 418 }", 0...0),
            search("tag of many values, one span", "{ span.url.path = \"\(rare)\" }", 1...1),
            search("tag of many values, absent", "{ span.url.path = \"/none\" }", 0...0),
            search("sequence number, absent", "{ span.ebpf.req_seq = 4294967296 }", 0...0),
            search("tag name absent", "{ span.no.such.tag = \"x\" }", 0...0),
            search("service and rare tag", "{ resource.service.name = \"gw\" && span.url.path = \"\(rare)\" }", 1...1),
            search("service, status and absent tag",
                   "{ resource.service.name = \"gw\" && status = error && span.url.path = \"/none\" }", 0...0),
            search("an hour in the middle", "{}", many, "&start=\(middle)&end=\(middle + 3_600)"),
            search("a minute in the middle, errors", "{ status = error }", many, "&start=\(middle)&end=\(middle + 60)"),
            search("limit 1000", "{}", 1_000...1_000, "&limit=1000"),
            other("tag values, few", "/api/v2/search/tag/span.http.request.method/values"),
            other("tag values, many", "/api/v2/search/tag/span.url.path/values"),
            other("services", "/api/services"),
            other("explain a span",
                  "/api/explain/\(ShopTraces.spanID(count / 2, 5))?trace=\(ShopTraces.id(count / 2))"),
        ]
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte -> String in
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

extension StoreSearch {
    /// The figures by name. Times are those of the slowest question: of searches the best of five, and the first.
    var figures: [(name: String, value: Double)] {
        let searches = answers.filter { $0.question.kind == .search }
        return [
            ("search_ms", milliseconds(searches.map(\.best).max())),
            ("search_first_ms", milliseconds(searches.map(\.first).max())),
            ("trace_ms", milliseconds(traceTimes.max())),
            ("store_cpu_us", fillCPU * 1e6 / max(1, stored)),
            ("store_bytes_a_span", diskBytes / max(1, stored)),
            ("search_wrong", Double(answers.count { !$0.isRight })),
            ("store_lost", abs(Double(counts.spans) - stored)),
            ("store_failures", Double(counts.failures + (isStopped ? 0 : 1))),
        ]
    }

    func markdown() -> String {
        let spans = Double(max(1, counts.spans))
        var lines = [
            "| what | figure |", "|---|---|",
            "| spans sent, stored | \(counts.spans), \(fixed(stored, 0)) in \(fixed(fillSeconds, 0)) s |",
            "| bytes a span as OTLP | \(fixed(Double(counts.bytes) / spans, 0)) |",
            "| CPU of all processes, us a span | \(fixed(fillCPU * 1e6 / spans, 2)) |",
            "| of it the writer, us a span | \(fixed(writerCPU * 1e6 / spans, 2)) |",
            "| disk | \(fixed(diskBytes / spans, 0)) B a span, \(fixed(segments, 0)) segments |",
            "| answered with 503, failed | \(counts.refusals), \(counts.failures) |", "",
            "| question | first, ms | best of 5, ms | traces | |", "|---|---|---|---|---|",
        ]
        for answer in answers {
            lines.append("| \(answer.question.name) | \(fixed(milliseconds(answer.first), 1)) "
                + "| \(fixed(milliseconds(answer.best), 1)) | \(answer.found) | \(answer.isRight ? "" : "WRONG") |")
        }
        let sum = traceTimes.reduce(0, +)
        lines.append("\ntrace by id: mean \(fixed(milliseconds(sum) / Double(max(1, traceTimes.count)), 2)) ms, "
            + "worst of \(traceTimes.count) \(fixed(milliseconds(traceTimes.max()), 2)) ms")
        return lines.joined(separator: "\n")
    }
}

/// 0 for none.
func milliseconds(_ nanoseconds: Int64?) -> Double { Double(nanoseconds ?? 0) / 1e6 }

extension String {
    /// Without overlaps.
    fileprivate func occurrences(of text: String) -> Int {
        let (whole, part) = (Array(utf8), Array(text.utf8))
        var count = 0
        var at = 0
        while at + part.count <= whole.count {
            let isHere = whole[at] == part[0] && whole[at..<(at + part.count)].elementsEqual(part)
            count += isHere ? 1 : 0
            at += isHere ? part.count : 1
        }
        return count
    }

    fileprivate func contains(_ text: String) -> Bool { occurrences(of: text) > 0 }
}
