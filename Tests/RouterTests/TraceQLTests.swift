import Foundation
import Linking
import Shared
import Testing

@testable import Router

@Suite struct TraceQLTests {
    /// Ids of the spans that a query finds in the first sample trace; several sets one after the other.
    private func found(_ query: String, in trace: StoredTrace = QuerySamples.request) throws -> [UInt64] {
        let sets = TraceQLEvaluation(TraceShape(trace)).run(try TraceQLParser.parse(query))
        return sets.flatMap { set in set.spans.map { trace.spans[$0].id.bits } }
    }

    @Test(arguments: [
        ("{}", [1, 2, 3, 4, 5]), ("{ }", [1, 2, 3, 4, 5]), ("{ true }", [1, 2, 3, 4, 5]), ("{ false }", []),
        ("{ name = \"GET /home\" }", [1, 2]), ("{ name != `GET /home` }", [3, 4, 5]),
        ("{ resource.service.name = \"gw\" }", [2, 3, 5]), ("{ .service.name = \"gw\" && kind = server }", [2]),
        ("{ span.service.name = \"gw\" }", []), ("{ status = error }", [4]), ("{ span:status != error }", [1, 2, 3, 5]),
        ("{ duration > 4ms }", [1, 2, 3]), ("{ duration >= 4ms && duration <= 5ms }", [3, 4]),
        ("{ 4ms < duration }", [1, 2, 3]),
        ("{ span.http.response.status_code >= 200 && span.http.response.status_code < 300 }", [1, 2, 3, 4]),
        ("{ .http.response.status_code = 200.0 }", [1, 2, 3, 4]), ("{ .http.response.status_code = \"200\" }", []),
        ("{ .db.system.name != nil }", [5]), ("{ .db.system.name = nil }", [1, 2, 3, 4]),
        ("{ .db.system.name != \"mysql\" }", [5]), ("{ name =~ \"GET /(home|order)\" }", [1, 2, 3, 4]),
        ("{ name !~ \"GET.*\" }", [5]), ("{ name =~ \"GET\" }", []), ("{ !(status = error) }", [1, 2, 3, 5]),
        ("{ span:parentID = nil }", [1]), ("{ parent = nil }", [1]), ("{ nestedSetParent < 0 }", [1]),
        ("{ childCount = 2 }", [2]), ("{ rootServiceName = \"load\" && rootName = \"GET /home\" }", [1, 2, 3, 4, 5]),
        ("{ trace:rootService = \"gw\" }", []), ("{ traceDuration = 9ms }", [1, 2, 3, 4, 5]),
        ("{ span:id = \"0000000000000003\" }", [3]), ("{ instrumentation:name = \"ebpftrace\" }", [1, 2, 3, 4, 5]),
        ("{ statusMessage = \"went wrong\" }", [4]), ("{ duration > 2 * 4ms }", [1]), ("{ -duration < -8ms }", [1]),
        ("{ .http.response.status_code % 100 = 0 }", [1, 2, 3, 4]),
        ("{ span.\"http.request.method\" = \"GET\" }", [1, 2, 3, 4]),
        // One level of && and ||, from the left, as in Tempo.
        ("{ kind = server || kind = client && status = error }", [4]),
        ("{ kind = server || (kind = client && status = error) }", [2, 4]),
    ] as [(String, [UInt64])])
    func filtersFindSpans(_ query: String, _ expected: [UInt64]) throws {
        #expect(try found(query) == expected)
    }

    @Test(arguments: [
        ("{ status = error } && { .db.system.name = \"redis\" }", [4, 5]),
        ("{ status = error } && { name = \"none\" }", []),
        ("{ status = error } || { name = \"none\" }", [4]), ("{ .service.name = \"gw\" } > { kind = server }", [4]),
        ("{ .service.name = \"load\" } >> { status = error }", [4]),
        ("{ status = error } << { kind = client }", [1, 3]),
        ("{ status = error } < { }", [3]), ("{ name = \"GET /order\" } ~ { .db.system.name != nil }", [5]),
        ("{ kind = client } !> { kind = server }", []), ("{ kind = server } !>> { }", [1, 2]),
        ("{ .service.name = \"load\" } &>> { status = error }", [1, 4]),
        ("{ nestedSetParent < 0 } &>> { kind = server }", [1, 2, 4]),
        ("({ status = error } | count() = 1) || { kind = internal }", [4]),
        ("{ } | count() > 4", [1, 2, 3, 4, 5]), ("{ } | count() > 5", []),
        ("{ kind = server } | avg(duration) = 6ms", [2, 4]),
        ("{ } | max(duration) > 8ms", [1, 2, 3, 4, 5]), ("{ } | min(duration) < 1ms | { kind = client }", [1, 3, 5]),
        ("{ } | sum(.http.response.status_code) = 800", [1, 2, 3, 4, 5]),
        ("{ kind = server } | select(name, .x)", [2, 4]),
        ("{ } | by(resource.service.name) | count() > 1", [2, 3, 5]), ("{ } | by(kind) | coalesce()", [1, 2, 3, 4, 5]),
        ("{ } | count() + 1 > 5", [1, 2, 3, 4, 5]), ("{ } with (most_recent=true)", [1, 2, 3, 4, 5]),
    ] as [(String, [UInt64])])
    func setsOfSpansRelate(_ query: String, _ expected: [UInt64]) throws {
        #expect(try found(query) == expected)
    }

    @Test(arguments: [
        ("{ event.x = 1 }", "event."), ("{ link:traceID = \"x\" }", "link:traceID"), ("{ foo = 1 }", ".foo"),
        ("{ } | rate()", "rate"), ("{ } | histogram_over_time(duration)", "histogram_over_time"),
        ("{ } | topk(10)", "topk"), ("{ } | explode()", "explode"), ("count() > 1", "count"), ("{ name = }", "\"}\""),
        ("{ name = \"x }", "quote"), ("{ status = \"error\" }", "never"), ("{ duration = true }", "never"),
        ("{ 1 }", "condition"),
        ("{ name =~ \"(\" }", "regular expression"), ("{ name =~ \"(?=x)\" }", "regular expression"),
        ("", "filter"), ("{", "field or a value"),
        ("{ .a = 5xs }", "5xs"), ("{ } { }", "end of the query"), ("{ § }", "§"), ("{ .a && \"x\" }", "conditions"),
        ("{ parent.x = 1 }", "parent."), ("{ } | select(1)", "field"), ("{ name = 'x' }", "'"),
        ("{ . }", "name is missing"),
    ])
    func whatIsNotSupportedIsNamed(_ query: String, _ part: String) throws {
        let failure = #expect(throws: Failure.self) { try TraceQLParser.parse(query) }
        #expect(failure?.code == .badInput)
        #expect(failure?.message.contains(part) == true, "\(failure?.message ?? "")")
    }

    @Test func sizeOfAQueryIsBounded() throws {
        let limits = Limits()
        let deep = String(repeating: "(", count: 5_000) + ".a" + String(repeating: ")", count: 5_000)
        let negated = "{ " + String(repeating: "!", count: 5_000) + ".a }"
        let long = "{ " + Array(repeating: ".a", count: 2_000).joined(separator: " || ") + " }"
        let huge = "{ .a = \"" + String(repeating: "x", count: limits.queryBytes) + "\" }"
        let sets = Array(repeating: "{}", count: 2_000).joined(separator: ">>")
        for query in ["{ \(deep) }", negated, long, huge, sets, "{ .a = 1 }" + String(repeating: "| {}",
        count: 1_000)] {
            let failure = #expect(throws: Failure.self) { try TraceQLParser.parse(query) }
            #expect(failure?.code == .badInput)
        }
    }

    @Test func anyTextIsAnsweredWithAQueryOrASentence() throws {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "{", "}", "(", ")", "|", "&&", "||", "=", "!=", ">", ">>", "!", "~", "name", ".a", "span.", "\"x\"", "1",
            "1ms",
            "count()", "select(", ",", "by(", "nil", "error", " ", "=~", "\"[\"", "-", "^", "é", "%", "with",
        ]
        for _ in 0..<5_000 {
            let query = (0..<Int.random(in: 1...12,
            using: &generator)).map { _ in pieces.randomElement() ?? "" }.joined()
            if let parsed = try? TraceQLParser.parse(query) {
                _ = TraceQLEvaluation(TraceShape(QuerySamples.request)).run(parsed)
                _ = TraceQLPlan(parsed)
            }
        }
    }

    /// What the index is asked finds every trace that the query finds, and exactly the spans when it says so.
    @Test(arguments: [
        "{ status = error && duration > 1ms }", "{ .a = 1 || name =~ \"GET.*\" }", "{ !(kind = server) }",
        "{ .service.name = \"gw\" } >> { status = error }", "{ nestedSetParent < 0 && kind = client }",
        "{ } | count() > 4", "{ span.retry }", "{ 1ms < duration }", "{ .db.system.name = nil }", "{ kind != client }",
        "{ childCount > 1 || status = error }", "{ status = error } || { .x = 1 }", "{ kind = server } !>> { }",
    ])
    func planNeverLosesATrace(_ text: String) async throws {
        let query = try TraceQLParser.parse(text)
        let plan = TraceQLPlan(query)
        for trace in [QuerySamples.request, QuerySamples.failed] {
            let sets = TraceQLEvaluation(TraceShape(trace)).run(query)
            var search = TraceSearch()
            search.condition = plan.condition
            search.spansPerSet = 100
            let result = try await TraceList([trace]).search(search)
            if !sets.isEmpty { #expect(result.traces.count == 1, "\(text) loses a trace") }
            guard plan.isExact else { continue }
            let spans = Set(sets.flatMap(\.spans).map { trace.spans[$0].id })
            #expect(Set(result.traces.flatMap(\.spans).map(\.id)) == spans, "\(text)")
        }
    }

    @Test(arguments: ["{ span.ebpf.req_seq = -5 }", "{ .offset >= -1.5 }", "{ -2 = .offset }", "{ .wait > -3ms }"])
    func negativeNumbersAreLookedUpInTheIndex(_ text: String) throws {
        let plan = TraceQLPlan(try TraceQLParser.parse(text))
        #expect(plan.isExact && plan.condition != .all, "\(text) reads every span")
    }

    @Test func tagsFindPartsOfValuesInAnyCase() throws {
        let shape = TraceShape(QuerySamples.request)
        func found(_ tags: String) throws -> [UInt64] {
            let sets = TraceQLEvaluation(shape).run(try TagsQuery.query(tags, limits: Limits()))
            return sets.flatMap { $0.spans.map { shape.trace.spans[$0].id.bits } }
        }
        #expect(try found("service.name=ORD") == [4])
        #expect(try found("service.name=gw http.request.method=get") == [2, 3])
        #expect(try found("http.response.status_code=200 name=\"GET /order\"") == [3, 4])
        #expect(try found("error=true") == [4])
        #expect(try found("status.code=error root.service.name=load") == [4])
        #expect(try found("") == [1, 2, 3, 4, 5])
        for wrong in ["a=\"x", "=x", "a=1 a=2", "status=bad"] {
            #expect(throws: Failure.self) { try TagsQuery.query(wrong, limits: Limits()) }
        }
    }

    @Test(arguments: [
        ("100ms", 100_000_000), ("1h30m", 5_400_000_000_000), ("1.5s", 1_500_000_000), ("-2us", -2_000),
        ("0", 0), ("3µs", 3_000),
    ] as [(String, Int64)])
    func durationsAreRead(_ text: String,
    _ nanoseconds: Int64) { #expect(QueryDuration.nanoseconds(text) == nanoseconds) }

    @Test(arguments: ["", "5", "ms", "1x", "1..2s", "s1", "1h-2m", "99999999999999w"])
    func whatIsNoDurationIsRefused(_ text: String) { #expect(QueryDuration.nanoseconds(text) == nil) }
}

@Suite struct PatternTests {
    @Test(arguments: [
        ("", "", true), ("a", "a", true), ("a", "ab", false), ("a*", "aaa", true), ("a+", "", false),
        ("a?b", "b", true),
        ("a|bc", "bc", true), ("(a|b)+c", "abac", true), ("[a-c]{2,3}", "abc", true),
        ("[a-c]{2,3}", "a", false), ("[^a-c]+", "xyz", true),
        ("[^a-c]+", "xay", false), (".*", "anything", true), (".*", "two\nlines", false),
        ("[\\d\\D]*", "two\nlines", true), ("\\d+\\.\\d+", "12.5", true),
        ("\\w+-\\w+", "a_1-b", true), ("(?i)gEt", "GET", true), ("(?:ab){2}", "abab", true),
        ("^ab$", "ab", true), ("a{0}", "", true),
        ("a{3}", "aa", false), ("a{2,}", "aaaaa", true), ("[]a]", "]", true), ("[a\\-z]", "-", true),
        ("(?P<x>a)b", "ab", true), ("é+", "éé", true),
        ("a**", "aa", true), ("(a*)*b", "aab", true), ("|a", "", true), ("[a-z]*?x", "abcx", true),
    ] as [(String, String, Bool)])
    func matchesLikeRE2(_ pattern: String, _ text: String, _ expected: Bool) throws {
        #expect(try Pattern(pattern).matches(text) == expected)
    }

    @Test(arguments: ["(", ")", "[a", "a{2", "a{3,2}", "a{2000}", "*a", "\\1", "\\b", "(?=a)", "(?<!a)", "[[:alpha:]]",
    "[z-a]", "\\", "((((a{100}){100}){100}){100})"])
    func whatIsNotSupportedIsRefused(_ pattern: String) {
        let failure = #expect(throws: Failure.self) { try Pattern(pattern) }
        #expect(failure?.code == .badInput)
    }

    /// Patterns that take a backtracking engine longer than the universe has.
    @Test(arguments: ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)*x", "a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?aaaaaaaaaaaaaaaa"])
    func timeIsLinearOnAnyInput(_ pattern: String) throws {
        let clock = ContinuousClock()
        let text = String(repeating: "a", count: 20_000)
        var matches = true
        let time = try clock.measure { matches = try Pattern(pattern).matches(text) }
        #expect(!matches)
        #expect(time < .seconds(20))
    }

    @Test func escapedTextMatchesItself() throws {
        for text in ["GET /a?b=c", "(x)", "a.b*c+[d]{2}|^$\\",
        "é"] { #expect(try Pattern(Pattern.escaped(text)).matches(text)) }
    }
}
