import Foundation
import Hummingbird
import HummingbirdTesting
import Linking
import NIOCore
import Shared
import Testing

@testable import Router

@Suite struct OTLPEndpointTests {
    private func post(
        _ test: TestStore, _ body: [UInt8], type: String? = "application/x-protobuf", encoding: String? = nil,
        denyFields: [String] = [], limits: Limits = Limits(),
        _ check: @escaping @Sendable (TestResponse) throws -> Void
    ) async throws {
        let router = Hummingbird.Router()
        OTLPEndpoint(store: test.store, denyFields: denyFields, limits: limits).register(on: router)
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.contentEncoding] = encoding
        try await Application(router: router).test(.router) { [headers] client in
            try await client.execute(
                uri: "/v1/traces", method: .post, headers: headers, body: ByteBuffer(bytes: body)
            ) { try check($0) }
        }
    }

    private static let one = OTLPTestEncoder.request([TestSpan(trace: .test(1), id: 5)])

    @Test(arguments: [nil, "identity", "gzip", "zstd"] as [String?])
    func everyEncodingIsTaken(encoding: String?) async throws {
        let test = try TestStore()
        let body =
            switch encoding {
            case "gzip": try Gzip().compress(Self.one)
            case "zstd": try Zstd().compress(Self.one)
            default: Self.one
            }
        try await post(test, body, encoding: encoding) { answer in
            #expect(answer.status == .ok && answer.body.readableBytes == 0)
            #expect(answer.headers[.contentType] == "application/x-protobuf")
        }
        #expect(try await test.store.trace(.test(1))?.spans.map(\.id.bits) == [5])
    }

    @Test func jsonIsTakenAndAnsweredAsJSON() async throws {
        let test = try TestStore()
        let text = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
            "scopeSpans":[{"scope":{"name":"otel"},"spans":[{"traceId":"0000000000000000000000000000ABcd",
            "spanId":"00000000000000ff","parentSpanId":"","name":"pay","kind":2,"startTimeUnixNano":"1000",
            "endTimeUnixNano":5000,"status":{"code":2,"message":"no"},"attributes":[
            {"key":"a","value":{"intValue":"-7"}},{"key":"b","value":{"boolValue":true}},
            {"key":"c","value":{"doubleValue":1.5}},
            {"key":"d","value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":2}]}}}],"unknown":1},
            {"traceId":"zz","spanId":"01","name":"bad"}]}]}]}
            """
        try await post(test, Array(text.utf8), type: "application/json; charset=utf-8") { answer in
            #expect(answer.status == .ok && answer.headers[.contentType] == "application/json")
            #expect(String(buffer: answer.body).hasPrefix(#"{"partialSuccess":{"errorMessage":"#))
            #expect(String(buffer: answer.body).hasSuffix(#""rejectedSpans":"1"}}"#))
        }
        let trace = try #require(try await test.store.trace(TraceID(high: 0, low: 0xabcd)))
        let span = trace.spans[0]
        #expect(trace.spans.count == 1 && trace.service(of: span) == "shop" && span.isApplication)
        #expect(span.id.bits == 255 && span.parent == nil && span.start == 1_000 && span.end == 5_000)
        #expect(span.statusCode == 2 && span.statusMessage == "no" && span.kind == 2)
        #expect(span.attributes.map(\.value) == [.int(-7), .bool(true), .double(1.5), .json(#"["x",2]"#)])
    }

    /// `deny_fields` holds for what SDKs post: attributes of resource, span, event and link, in both forms of OTLP.
    @Test(arguments: [true, false]) func deniedAttributesAreNotStored(_ isJSON: Bool) async throws {
        let test = try TestStore()
        let value = #"{"arrayValue":{"values":[{"stringValue":"XYZZY"}]}}"#
        let secret = #"{"key":"http.request.header.Cookie","value":"# + value + "}"
        let text = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},
            {"key":"PASSWORD","value":{"stringValue":"XYZZY"}}]},"scopeSpans":[{"scope":{"name":"otel"},"spans":[
            {"traceId":"0000000000000000000000000000abcd","spanId":"00000000000000ff","name":"pay",
            "startTimeUnixNano":"1000","endTimeUnixNano":"5000","attributes":[\(secret),
            {"key":"cookie.count","value":{"intValue":"2"}}],
            "events":[{"name":"e","attributes":[\(secret),{"key":"k","value":{"boolValue":true}}]}],
            "links":[{"traceId":"000000000000000000000000000000aa","spanId":"00000000000000bb",
            "attributes":[\(secret)]}]}]}]}]}
            """
        let body = isJSON ? Array(text.utf8) : try OTLPJSON.protobuf(fromJSON: Array(text.utf8))
        let type = isJSON ? "application/json" : "application/x-protobuf"
        try await post(test, body, type: type, denyFields: ["authorization", "cookie", "password"]) { answer in
            #expect(answer.status == .ok)
        }
        let trace = try #require(try await test.store.trace(TraceID(high: 0, low: 0xabcd)))
        #expect(trace.resources == [[Attribute("service.name", .string("shop"))]])
        #expect(trace.spans[0].attributes == [Attribute("cookie.count", .int(2))])
        let extras = SpanExtras(trace.spans[0].rest)
        #expect(extras.events.map(\.attributes) == [[Attribute("k", .bool(true))]])
        #expect(extras.links.count == 1 && extras.links[0].attributes.isEmpty)
        test.store.stop()
        for file in try FileManager.default.contentsOfDirectory(atPath: test.folder) {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: test.folder + "/" + file))
            #expect(bytes.range(of: Data("XYZZY".utf8)) == nil, "\(file)")
        }
        try test.reopen()
    }

    @Test func theDenyListLeavesTheRestAndOurOwnSpansAsTheyAre() throws {
        let list = OTLPDenyList(["authorization"])
        let denied = [TestSpan(trace: .test(1), id: 1, attributes: [("x.Authorization", .text("s")), ("b", .whole(1))])]
        let kept = [TestSpan(trace: .test(1), id: 1, attributes: [("b", .whole(1))])]
        let body = OTLPTestEncoder.request(scope: "sdk", denied) + OTLPTestEncoder.request(denied)
        let stripped = body.withUnsafeBytes { list.stripped($0) }
        #expect(stripped?.removed == 1)
        #expect(stripped?.request == OTLPTestEncoder.request(scope: "sdk", kept) + OTLPTestEncoder.request(denied))
        for untouched in [OTLPTestEncoder.request(denied), OTLPTestEncoder.request(scope: "sdk", kept), []] {
            #expect(untouched.withUnsafeBytes { list.stripped($0) } == nil)
        }
        #expect(body.withUnsafeBytes { OTLPDenyList([]).stripped($0) } == nil)
        // Any bytes: no trap, and nothing longer than what came.
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5_000 {
            var copy = body
            for _ in 0..<3 {
                copy[Int.random(in: 0..<copy.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let result = copy.withUnsafeBytes { list.stripped($0) }
            #expect(result?.request.count ?? 0 <= copy.count)
        }
    }

    @Test func partialSuccessIsTold() async throws {
        let test = try TestStore()
        let body = OTLPTestEncoder.request([TestSpan(trace: .test(1), id: 5), TestSpan(trace: .none, id: 6)])
        try await post(test, body) { answer in
            #expect(answer.status == .ok)
            let bytes = Array(answer.body.readableBytesView)
            #expect(Array(bytes.prefix(4)).count == 4 && bytes[0] == 0x0a && bytes[2] == 0x08 && bytes[3] == 1)
        }
        #expect(try await test.store.trace(.test(1))?.spans.count == 1)
    }

    @Test func whatCannotBeReadIsRefusedWithAStatus() async throws {
        let test = try TestStore()
        try await post(test, [0x0a, 0x50, 1]) { answer in
            #expect(answer.status == .badRequest)
            #expect(Array(answer.body.readableBytesView).prefix(2) == [0x08, 3])
        }
        try await post(test, Array("[1]".utf8), type: "application/json") { answer in
            #expect(answer.status == .badRequest)
            #expect(String(buffer: answer.body).contains(#""code":3"#))
        }
        try await post(test, Self.one, encoding: "zstd") { #expect($0.status == .badRequest) }
        try await post(test, Self.one, encoding: "br") { #expect($0.status == .unsupportedMediaType) }
        try await post(test, Self.one, type: "text/plain") { #expect($0.status == .unsupportedMediaType) }
    }

    @Test func largeBodiesAreRefused() async throws {
        let test = try TestStore()
        var limits = Limits()
        limits.bodyBytes = 64
        try await post(test, Self.one, limits: limits) { #expect($0.status == .contentTooLarge) }
        let bomb = try Zstd().compress([UInt8](repeating: 0, count: 1 << 20))
        limits.bodyBytes = 1 << 20
        limits.decompressedBodyBytes = 1 << 19
        try await post(test, bomb, encoding: "zstd", limits: limits) { #expect($0.status == .contentTooLarge) }
    }

    @Test func aStoreThatHasStoppedAsksToComeAgain() async throws {
        let test = try TestStore()
        test.store.stop()
        try await post(test, Self.one) { answer in
            #expect(answer.status == .serviceUnavailable && answer.headers[.retryAfter] == "2")
            #expect(Array(answer.body.readableBytesView).prefix(2) == [0x08, 14])
        }
        try test.reopen()
    }

    @Test func aFullQueueAsksToComeAgain() async throws {
        let test = try TestStore { $0.queueBytes = 0 }
        try await post(test, Self.one) { #expect($0.status == .serviceUnavailable) }
        #expect(test.metrics.counter(Metric.storeRefused, "behind").value == 1)
    }

    /// Any bytes: an answer, never a trap; and what is cut off anywhere is refused or taken as a whole.
    @Test func hostileBytesDoNoHarm() async throws {
        let test = try TestStore()
        let body = OTLPTestEncoder.request([
            TestSpan(trace: .test(1), id: 5, status: 2, message: "m", attributes: [("k", .list([.text("v")]))]),
            TestSpan(trace: .test(2), id: 6),
        ])
        for length in 0..<body.count { _ = try? body[..<length].withUnsafeBytes { try test.store.encode($0) } }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var copy = body
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                copy[Int.random(in: 0..<copy.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? copy.withUnsafeBytes { try test.store.encode($0) }
        }
        #expect(try await test.store.insert(body).accepted == 2)
    }
}
