import Foundation
import ProductSupport
import Shared
import Testing

/// What agents send and what they are answered.
extension Integration {
    @Suite(.serialized) struct BodyTests {
        static let protobuf = "application/protobuf; proto=com.guance.Point"

        private func post(
            _ router: LiveRouter, _ body: [UInt8], _ type: String, encoding: String? = nil
        ) throws -> RawHTTP.Response {
            var headers = ["Content-Type": type]
            headers["Content-Encoding"] = encoding
            return try RawHTTP.post(router.agents, "/v1/bpftracing?input=ebpf-trace", body, headers: headers)
        }

        private func expectError(_ response: RawHTTP.Response, _ code: String) throws {
            #expect(response.status == 400)
            #expect(response.headers["content-type"] == "application/json")
            let object = try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: String]
            #expect(object.map { Set($0.keys) } == ["error_code", "message"], "\(response.text)")
            #expect(object?["error_code"] == "datakit." + code)
            #expect(object?["message"]?.isEmpty == false)
        }

        @Test("a body that cannot be read is refused as DataKit does")
        func refusals() async throws {
            let router = try await LiveRouter()
            for type in [Self.protobuf, "text/plain", "application/json", "application/pbjson; proto=com.guance.Point"]
            {
                try expectError(try post(router, [], type), "noPoints")
            }
            try expectError(try post(router, Array("no protobuf".utf8), Self.protobuf), "invalidProtobufPoint")
            try expectError(try post(router, Array("no line protocol".utf8), "text/plain"), "invalidLinePoint")
            try expectError(try post(router, Array("[{\"measurement\":".utf8), "application/json"), "invalidJsonPoint")
            let pbjson = "application/pbjson; proto=com.guance.Point"
            try expectError(try post(router, Array("{\"arr\": 7".utf8), pbjson), "invalidJsonPoint")
            try expectError(try post(router, [1, 2, 3], Self.protobuf, encoding: "gzip"), "invalidProtobufPoint")
            let status = try router.status()
            #expect(status.spansAccepted == 0 && status.spansHeld == 0)
            #expect(try RawHTTP.get(router.agents, "/v1/nothing").status == 404)
            #expect(try RawHTTP.get(router.agents, "/v1/bpftracing").status == 405)
            try await router.run.stop()
        }

        /// The points of `fan-out` as JSON.
        private func json(_ lines: [String]) throws -> [UInt8] {
            let objects = lines.map { line -> [String: Any] in
                let parts = line.split(separator: " ", maxSplits: 1)[1]
                let end = parts.lastIndex(of: " ") ?? parts.endIndex
                return [
                    "measurement": "dketrace", "fields": Self.fields(parts[..<end]),
                    "time": Int64(parts[end...].dropFirst()) ?? 0,
                ]
            }
            return Array(try JSONSerialization.data(withJSONObject: objects, options: [.withoutEscapingSlashes]))
        }

        /// Fields of line protocol whose values hold no comma or blank within quotes that matters here.
        private static func fields(_ text: Substring) -> [String: Any] {
            var fields: [String: Any] = [:]
            var rest = text
            while let equals = rest.firstIndex(of: "=") {
                let name = String(rest[..<equals])
                rest = rest[rest.index(after: equals)...]
                if rest.first == "\"" {
                    let value = rest.dropFirst().prefix { $0 != "\"" }
                    fields[name] = String(value)
                    rest = rest[value.endIndex...].dropFirst(2)
                } else {
                    let value = rest.prefix { $0 != "," }
                    fields[name] = value.hasSuffix("i") ? Int64(value.dropLast()) ?? 0 : 0
                    rest = rest[value.endIndex...].dropFirst()
                }
            }
            return fields
        }

        /// Posts one body to a router of its own and returns what comes out.
        private func exported(
            _ body: [UInt8], _ type: String, encoding: String? = nil, spans: Int
        ) async throws -> [ExportedSpan] {
            let router = try await LiveRouter()
            let answer = try post(router, body, type, encoding: encoding)
            #expect(answer.status == 200 && answer.body.isEmpty, "\(answer.text)")
            try await router.settles(accepted: UInt64(spans))
            let found = try await router.spans()
            try await router.run.stop()
            return found
        }

        @Test("protobuf, line protocol and JSON, plain, gzip and zstd: all exported, equal in meaning")
        func formsAreEqual() async throws {
            let folder = Product.fixtures + "/conformance/fan-out"
            let bodies = try await SpanBodies(fixture: "conformance/fan-out")
            try #require(bodies.lineProtocol.count == 1)
            let protobuf = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/input-000.pb")))
            let wanted = try await exported(protobuf, Self.protobuf, spans: bodies.spans).map(\.canonical).sorted()
            #expect(wanted.count == 157)
            let forms: [(body: [UInt8], type: String, encoding: String?)] = [
                (try Gzip().compress(protobuf), Self.protobuf, "gzip"),
                (try Zstd().compress(protobuf), Self.protobuf, "zstd"),
                (bodies.body(0), "application/octet-stream", nil),
                (try Gzip().compress(bodies.body(0)), "text/plain; charset=utf-8", "gzip"),
                (try json(bodies.lineProtocol[0]), "application/json", nil),
                (try Zstd().compress(json(bodies.lineProtocol[0])), "application/json", "zstd"),
            ]
            for form in forms {
                let found = try await exported(form.body, form.type, encoding: form.encoding, spans: bodies.spans)
                #expect(found.map(\.canonical).sorted() == wanted, "\(form.type) \(form.encoding ?? "plain")")
            }
        }

        @Test("a body with one bad point loses only that point, and counts it")
        func onePoint() async throws {
            let router = try await LiveRouter()
            var lines = try await SpanBodies(fixture: "conformance/fan-out").lineProtocol[0]
            lines.insert("dketrace this is,no=\"point", at: 40)
            let answer = try post(router, Array(lines.joined(separator: "\n").utf8), "text/plain")
            #expect(answer.status == 200)
            try await router.settles(accepted: 157)
            #expect(try await router.spans().count == 157)
            #expect(try router.metric("spans_dropped_total") == 1)
            let page = try RawHTTP.get(router.agents, "/metrics").text
            #expect(page.contains("reason=\"malformed_point\""))
            try await router.run.stop()
        }

        @Test("a protobuf body with one point that cannot be parsed loses only that point")
        func oneProtobufPoint() async throws {
            let router = try await LiveRouter()
            let path = Product.fixtures + "/conformance/fan-out/input-000.pb"
            let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            // A framed point whose bytes are no message: field 1 with a length beyond its end.
            let answer = try post(router, [0x0A, 0x03, 0x0A, 0x7F, 0x41] + bytes, Self.protobuf)
            #expect(answer.status == 200)
            try await router.settles(accepted: 157)
            #expect(try await router.spans().count == 157)
            #expect(try router.metric("spans_dropped_total") == 1)
            try await router.run.stop()
        }
    }
}
