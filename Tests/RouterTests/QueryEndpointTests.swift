import Foundation
import Hummingbird
import HummingbirdTesting
import Linking
import Shared
import SharedNet
import Testing

@testable import Router

@Suite struct QueryEndpointTests {
    /// A request of `Tests/Fixtures/tempo-requests.json`.
    struct Recorded: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var path: String
        var query: [String: String]?
        var headers: [String: String]?
        var status: Int?
        var contentType: String
        var body: String?
        var shape: [String]?
        var protobuf: [String]?
        var testDescription: String { name }

        private struct File: Decodable { var requests: [Recorded] }

        static let all: [Recorded] = {
            let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Fixtures/tempo-requests.json")
            return (try? JSONDecoder().decode(File.self, from: Data(contentsOf: path)).requests) ?? []
        }()

        /// As Grafana's Go client writes it: names in order, `+` for a space.
        var uri: String {
            func filled(_ text: String) -> String {
                let seconds = QuerySamples.start / 1_000_000_000
                return text.replacingOccurrences(of: "{trace}", with: QuerySamples.first.hex)
                    .replacingOccurrences(of: "{from}", with: String(seconds - 1_800))
                    .replacingOccurrences(of: "{to}", with: String(seconds + 1_800))
            }
            let pairs = (query ?? [:]).sorted { $0.key < $1.key }.map { key, value in
                let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_.~ "))
                let escaped = filled(value).addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
                return key + "=" + escaped.replacingOccurrences(of: " ", with: "+")
            }
            return filled(path) + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
        }
    }

    private func application(
        _ store: (any TraceReading)? = QuerySamples.store, _ metrics: MetricsRegistry = MetricsRegistry()
    ) -> Application<RouterResponder<BasicRequestContext>> {
        let router = Hummingbird.Router()
        QueryEndpoints(store: store, limits: Limits(), metrics: metrics).register(on: router)
        return Application(router: router)
    }

    private func get(
        _ uri: String, accept: String? = nil, from store: (any TraceReading)? = QuerySamples.store
    ) async throws -> (status: Int, type: String, body: Data) {
        try await application(store).test(.router) { client in
            var headers = HTTPFields()
            headers[.accept] = accept
            return try await client.execute(uri: uri, method: .get, headers: headers) { response in
                (Int(response.status.code), response.headers[.contentType] ?? "", Data(response.body.readableBytesView))
            }
        }
    }

    private func object(_ uri: String) async throws -> [String: Any] {
        let answer = try await get(uri)
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
        return try #require(JSONSerialization.jsonObject(with: answer.body) as? [String: Any])
    }

    @Test func theFixtureIsThere() { #expect(Recorded.all.count > 20) }

    @Test(arguments: Recorded.all)
    func requestsOfGrafanaAreAnsweredInTheShapeThatItReads(_ request: Recorded) async throws {
        let answer = try await get(request.uri, accept: request.headers?["Accept"])
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == request.status ?? 200, "\(text)")
        #expect(answer.type.hasPrefix(request.contentType))
        if let body = request.body { #expect(text == body) }
        if let shape = request.shape {
            let json = try JSONSerialization.jsonObject(with: answer.body)
            for rule in shape { #expect(throws: Never.self, "\(rule) in \(text)") { try Shape(rule).check(json) } }
        }
        for rule in request.protobuf ?? [] {
            #expect(throws: Never.self, "\(rule)") { try Shape(rule).check(protobuf: Array(answer.body)) }
        }
    }

    @Test func bothFormsOfATraceHoldTheSameSpans() async throws {
        let trace = QuerySamples.first.hex
        let json = try await object("/api/traces/\(trace)")
        let batches = try #require(json["batches"] as? [[String: Any]])
        var ids: [String] = []
        for batch in batches {
            for scope in batch["scopeSpans"] as? [[String: Any]] ?? [] {
                for span in scope["spans"] as? [[String: Any]] ?? [] { ids.append(span["spanId"] as? String ?? "") }
            }
        }
        let expected = QuerySamples.request.spans.map { Data($0.id.bytes).base64EncodedString() }
        #expect(Set(ids) == Set(expected))
        #expect(batches.count == 3)
        let body = try await get("/api/traces/\(trace)", accept: "application/protobuf").body
        let spans = try Shape.find(Array(body), path: [1, 2, 2, 2]).map { Data($0).base64EncodedString() }
        #expect(Set(spans) == Set(expected))
        // The second version is the first in an envelope.
        let second = try await get("/api/v2/traces/\(trace)", accept: "application/protobuf").body
        #expect(try Shape.find(Array(second), path: [1]).first.map { Data($0) } == body)
    }

    @Test func eventsAndLinksOfApplicationsAreAnswered() async throws {
        var trace = QuerySamples.request
        var rest = ProtobufWriter()
        rest.text(3, "vendor=1")
        rest.message(11) { event in
            event.fixed(1, 1_795_346_416_000_000_001)
            event.text(2, "exception")
            event.attribute(3, "exception.message", .string("boom"))
        }
        rest.message(13) { link in
            link.data(1, [UInt8](repeating: 7, count: 16))
            link.data(2, [UInt8](repeating: 8, count: 8))
            link.attribute(4, "n", .int(-5))
        }
        trace.spans[0].rest = rest.bytes
        let answer = try await get("/api/traces/\(trace.id.hex)", from: TraceList([trace]))
        let text = String(decoding: answer.body, as: UTF8.self)
        let event = #""events":[{"timeUnixNano":"1795346416000000001","name":"exception","#
        #expect(text.contains(event + #""attributes":[{"key":"exception.message","value":{"stringValue":"boom"}}]}]"#))
        #expect(text.contains(#""attributes":[{"key":"n","value":{"intValue":"-5"}}]"#))
        #expect(text.contains(#""traceState":"vendor=1""#))
        // Any bytes in their place do not break the answer.
        trace.spans[0].rest = [0x5a, 0xff, 0xff, 0x01, 0x00, 0x9a]
        let broken = try await get("/api/traces/\(trace.id.hex)", from: TraceList([trace]))
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: broken.body) }
    }

    @Test func searchBoundsAreKept() async throws {
        func ids(_ query: String) async throws -> [String] {
            let traces = try await object("/api/search?" + query)["traces"] as? [[String: Any]]
            return (traces ?? []).map { $0["traceID"] as? String ?? "" }
        }
        let (first, second) = (QuerySamples.first.hex, QuerySamples.second.hex)
        let seconds = QuerySamples.start / 1_000_000_000
        #expect(try await ids("") == [second, first])
        #expect(try await ids("limit=1") == [second])
        #expect(try await ids("limit=999999999") == [second, first])
        #expect(try await ids("start=\(seconds + 2)&end=\(seconds + 10)") == [second])
        #expect(try await ids("end=\(seconds)&start=\(seconds - 5)") == [first])
        #expect(try await ids("minDuration=100ms") == [second])
        #expect(try await ids("maxDuration=100ms") == [first])
        #expect(try await ids("q=%7B+status+%3D+error+%7D&minDuration=1s") == [])
        let wide = try await object("/api/search?q=%7B%7D&spss=2")
        let sets = (wide["traces"] as? [[String: Any]])?.compactMap { $0["spanSets"] as? [[String: Any]] }
        #expect(sets?.allSatisfy { ($0.first?["spans"] as? [Any])?.count ?? 9 <= 2 } == true)
        #expect(sets?.last?.first?["matched"] as? Int == 5)
    }

    @Test(arguments: [
        "/api/search?limit=0", "/api/search?limit=x", "/api/search?limit=-3", "/api/search?spss=-1",
        "/api/search?start=x",
        "/api/search?start=10&end=5", "/api/search?start=10&end=10", "/api/search?start=99999999999999999999",
        "/api/search?minDuration=5",
        "/api/search?minDuration=2s&maxDuration=1s", "/api/search?q=%7B", "/api/search?q=%7B%7D&tags=a%3Db",
        "/api/search?tags=a%3D%22", "/api/search?q=%7B%7D%7Crate()", "/api/traces/xyz",
        "/api/traces/123456789012345678901234567890123",
        "/api/v2/traces/-1", "/api/trace/+1", "/api/explain/0", "/api/explain/xyz", "/api/explain/1?trace=zz",
        "/api/v2/search/tags?scope=no",
        "/api/v2/search/tag/foo/values", "/api/v2/search/tags?limit=-1", "/api/services?start=-1",
        "/api/metrics/query_range?q=%7B%7D%7Crate()",
    ])
    func whatIsAskedWronglyIsAnsweredWith400AndASentence(_ uri: String) async throws {
        let answer = try await get(uri)
        #expect(answer.status == 400)
        struct Problem: Decodable { var error: String }
        let problem = try JSONDecoder().decode(Problem.self, from: answer.body)
        #expect(problem.error.count > 10)
    }

    @Test(arguments: ["/api/search", "/api/trace/1", "/api/services", "/api/explain/1", "/api/v2/search/tags"])
    func withoutAStoreTheRemedyIsNamed(_ uri: String) async throws {
        let answer = try await get(uri, from: nil)
        #expect(answer.status == 404)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("store = on"))
    }

    @Test func consoleReadsServicesAndTraces() async throws {
        let services = try #require(try await object("/api/services")["services"] as? [[String: Any]])
        #expect(services.map { $0["name"] as? String } == ["gw", "load", "orders"])
        #expect(services.first?["operations"] as? [String] == ["GET /home", "GET /order", "HGET cart", "POST /pay"])
        #expect(services.first?["errors"] as? Int == 1)
        let trace = try await object("/api/trace/\(QuerySamples.first.hex)")
        #expect(trace["start"] as? Int == Int(QuerySamples.start / 1_000))
        #expect(trace["duration"] as? Int == 9_000)
        let spans = try #require(trace["spans"] as? [[String: Any]])
        #expect(spans.map { $0["start"] as? Int } == [0, 100, 200, 300, 6_000])
        #expect(spans[0]["parent"] is NSNull)
        #expect(spans[3]["parent"] as? String == "0000000000000003")
        #expect(spans[3]["status"] as? String == "error")
        #expect((spans[1]["attributes"] as? [String: Any])?["http.response.status_code"] as? Int == 200)
    }

    @Test func numbersBeyond53BitsAreTexts() async throws {
        var trace = QuerySamples.failed
        trace.spans[0].attributes = [
            Attribute("big", .int(.max)), Attribute("small", .int(-9_007_199_254_740_991)), Attribute("twice", .int(1)),
            Attribute("twice", .int(2)), Attribute("none", .double(.nan)), Attribute("list", .json("[1,2]")),
            Attribute("ebpftrace.open", .bool(true)), Attribute("quote\"\u{1}", .string("line\n")),
        ]
        let answer = try await get("/api/trace/\(trace.id.hex)", from: TraceList([trace]))
        let json = try JSONSerialization.jsonObject(with: answer.body) as? [String: Any]
        let span = try #require((json?["spans"] as? [[String: Any]])?.first)
        let attributes = try #require(span["attributes"] as? [String: Any])
        #expect(attributes["big"] as? String == "9223372036854775807")
        #expect(attributes["small"] as? Int == -9_007_199_254_740_991)
        #expect(attributes["twice"] as? Int == 1)
        #expect(attributes["none"] as? String == "NaN")
        #expect(attributes["list"] as? [Int] == [1, 2])
        #expect(attributes["quote\"\u{1}"] as? String == "line\n")
        #expect(span["duration"] is NSNull)
        #expect(span["flags"] as? [String] == ["open"])
    }

    @Test func timeIsCountedByEndpoint() async throws {
        let metrics = MetricsRegistry()
        try await application(QuerySamples.store, metrics).test(.router) { client in
            for uri in ["/api/echo", "/api/trace/1", "/api/trace/2"] { try await client.execute(uri: uri,
            method: .get) }
        }
        let page = metrics.render()
        #expect(page.contains(#"ebpftrace_query_seconds_count{endpoint="/api/trace/:id"} 2"#))
        #expect(page.contains(#"ebpftrace_query_seconds_count{endpoint="/api/echo"} 1"#))
    }

    @Test func theDescriptionIsServedAndCommitted() async throws {
        let answer = try await get("/api/openapi.yaml")
        #expect(answer.status == 200)
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/openapi.yaml")
        #expect(try Data(contentsOf: path) == answer.body, "run make docs")
    }

    @Test(arguments: [
        ("a=1&b=2", "a", "1"), ("q=%7B+x+%7D", "q", "{ x }"), ("q=a%2Bb", "q", "a+b"), ("a=1&a=2", "a", "1"),
        ("a=%zz", "a", "%zz"),
        ("a=%", "a", "%"), ("a=%C3%A9", "a", "é"), ("a=%ff", "a", "\u{fffd}"), ("%61=x=y", "a", "x=y"),
    ])
    func parametersAreDecoded(_ query: String, _ name: String, _ value: String) {
        #expect(QueryParameters(query)[name] == value)
    }
}
