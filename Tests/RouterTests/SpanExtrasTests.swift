import Foundation
import Hummingbird
import HummingbirdTesting
import Linking
import NIOCore
import Shared
import Testing

@testable import Router

/// Events and links of SDK spans, from the request that an SDK made to every form of a trace's answer.
@Suite struct SpanExtrasTests {
    /// Made by `Tests/otlp/sdk_body.py`: a server span with a link, and below it one with three events.
    private static let body: [UInt8] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/otlp/sdk-python.pb")
        return (try? Data(contentsOf: path)).map { Array($0) } ?? []
    }()
    private static let trace = "65f1d4c20000000011223344556677aa"

    /// Posts a body to a store of its own and asks for paths.
    private func answers(
        to paths: [(path: String, accept: String?)], after body: [UInt8], type: String = "application/x-protobuf"
    ) async throws -> [[UInt8]] {
        let test = try TestStore()
        let router = Hummingbird.Router()
        OTLPEndpoint(store: test.store, limits: Limits()).register(on: router)
        QueryEndpoints(store: test.store, limits: Limits(), metrics: MetricsRegistry()).register(on: router)
        return try await Application(router: router).test(.router) { client in
            try await client.execute(
                uri: "/v1/traces", method: .post, headers: [.contentType: type], body: ByteBuffer(bytes: body)
            ) { #expect($0.status == .ok) }
            var answers: [[UInt8]] = []
            for (path, accept) in paths {
                var headers = HTTPFields()
                headers[.accept] = accept
                answers.append(
                    try await client.execute(uri: path, method: .get, headers: headers) { response in
                        #expect(response.status == .ok, "\(path)")
                        return Array(response.body.readableBytesView)
                    })
            }
            return answers
        }
    }

    private func object(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func theConsoleGetsEventsAndLinks() async throws {
        let answer = try await answers(to: [("/api/trace/\(Self.trace)", nil)], after: Self.body)[0]
        let spans = try #require(try object(answer)["spans"] as? [[String: Any]])
        #expect(spans.map { $0["name"] as? String } == ["POST /orders", "reserve"])
        let link = try #require((spans[0]["links"] as? [[String: Any]])?.first)
        #expect(link["traceID"] as? String == "0102030405060708090a0b0c0d0e0f10")
        #expect(link["spanID"] as? String == "1112131415161718")
        let linked = try #require(link["attributes"] as? [String: Any])
        #expect(linked["messaging.message.id"] as? String == "m-17" && linked["n"] as? Int == -5)
        #expect(spans[0]["events"] == nil && spans[1]["links"] == nil)
        let events = try #require(spans[1]["events"] as? [[String: Any]])
        #expect(events.map { $0["name"] as? String } == ["cache miss", "retry", "exception"])
        // Microseconds after the trace's start.
        #expect(events.map { $0["time"] as? Int } == [2_000, 2_500, 3_000])
        let miss = try #require(events[0]["attributes"] as? [String: Any])
        #expect(miss["key"] as? String == "stock/4711" && miss["tries"] as? Int == 3)
        #expect(miss["ratio"] as? Double == 0.25 && miss["warm"] as? Bool == false)
        #expect(miss["hosts"] as? [String] == ["a", "b"])
        let thrown = try #require(events[2]["attributes"] as? [String: Any])
        #expect(thrown["exception.message"] as? String == "no stock for <4711>")
    }

    @Test(arguments: ["/api/traces/", "/api/v2/traces/"])
    func tempoGetsEventsAndLinksInBothForms(_ path: String) async throws {
        let answers = try await answers(
            to: [(path + Self.trace, nil), (path + Self.trace, "application/protobuf")], after: Self.body)
        let text = String(decoding: answers[0], as: UTF8.self)
        #expect(text.contains(#""events":[{"timeUnixNano":"1795346416002000000","name":"cache miss","attributes":["#))
        #expect(text.contains(#"{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}"#))
        #expect(text.contains(#""links":[{"traceId":"AQIDBAUGBwgJCgsMDQ4PEA==","spanId":"ERITFBUWFxg=","#))
        #expect(text.contains(#"{"key":"n","value":{"intValue":"-5"}}"#))
        let toSpan: [UInt64] = path.contains("v2") ? [1, 1, 2, 2] : [1, 2, 2]
        let names = try Shape.find(answers[1], path: toSpan + [11, 2]).map { String(decoding: $0, as: UTF8.self) }
        #expect(names == ["cache miss", "retry", "exception"])
        #expect(try Shape.find(answers[1], path: toSpan + [13, 2]) == [[17, 18, 19, 20, 21, 22, 23, 24]])
    }

    @Test func jsonOfAnSDKGivesTheSame() async throws {
        let text = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},
            "scopeSpans":[{"scope":{"name":"js"},"spans":[{"traceId":"\(Self.trace)","spanId":"00000000000000ff",
            "name":"GET /","kind":2,"startTimeUnixNano":"5000000","endTimeUnixNano":"9000000",
            "traceState":"a=b","droppedEventsCount":2,
            "events":[{"timeUnixNano":"4000000","name":"early","attributes":[{"key":"deep","value":{"kvlistValue":
            {"values":[{"key":"x","value":{"intValue":"1"}}]}}}]},{"name":"unstamped"}],
            "links":[{"traceId":"000000000000000000000000000000aa","spanId":"00000000000000bb","traceState":"v=1"},
            {"traceId":"short","spanId":"01"}]}]}]}]}
            """
        let paths: [(String, String?)] = [("/api/trace/\(Self.trace)", nil), ("/api/traces/\(Self.trace)", nil)]
        let answers = try await answers(to: paths, after: Array(text.utf8), type: "application/json")
        let span = try #require((try object(answers[0])["spans"] as? [[String: Any]])?.first)
        let events = try #require(span["events"] as? [[String: Any]])
        #expect(events.map { $0["time"] as? Int } == [-1_000, 0])
        #expect(((events[0]["attributes"] as? [String: Any])?["deep"] as? [String: Int]) == ["x": 1])
        #expect((span["links"] as? [[String: Any]])?.map { $0["spanID"] as? String } == ["00000000000000bb"])
        #expect((span["links"] as? [[String: Any]])?.first?["traceState"] as? String == "v=1")
        #expect(span["traceState"] as? String == "a=b" && span["droppedEvents"] as? Int == 2)
        let tempo = String(decoding: answers[1], as: UTF8.self)
        #expect(tempo.contains(#"{"kvlistValue":{"values":[{"key":"x","value":{"intValue":"1"}}]}}"#))
        #expect(tempo.contains(#""droppedEventsCount":2"#))
    }

    @Test func noBytesBreakThem() {
        let whole = StoredRest.sample
        #expect(SpanExtras(whole).events.map(\.name) == ["e"] && SpanExtras(whole).links.count == 1)
        for length in whole.indices { _ = SpanExtras(Array(whole[..<length])) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            var copy = whole
            for _ in 0..<3 {
                copy[Int.random(in: 0..<copy.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = SpanExtras(copy)
        }
    }
}

private enum StoredRest {
    /// An event with attributes, and a link.
    static var sample: [UInt8] {
        var writer = ProtobufWriter()
        writer.message(11) { event in
            event.fixed(1, 7)
            event.text(2, "e")
            event.attribute(3, "k", .double(2))
        }
        writer.message(13) { link in
            link.data(1, [UInt8](repeating: 7, count: 16))
            link.data(2, [UInt8](repeating: 8, count: 8))
            link.attribute(4, "n", .bool(true))
        }
        return writer.bytes
    }
}
