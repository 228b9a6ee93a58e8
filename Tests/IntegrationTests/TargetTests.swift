import Foundation
import ProductSupport
import Shared
import Testing

/// Targets other than files.
extension Integration {
    @Suite(.serialized) struct TargetTests {
        private func postAll(_ bodies: SpanBodies, to router: LiveRouter) throws {
            for number in bodies.lineProtocol.indices {
                #expect(try RawHTTP.post(router.agents, "/v1/bpftracing", bodies.body(number)).status == 200)
            }
        }

        @Test("stdout: whole lines of both workers through the router's standard output")
        func standardOutput() async throws {
            let router = try await LiveRouter(targets: ["stdout"])
            let bodies = try await SpanBodies(fixture: "conformance/mix")
            try postAll(bodies, to: router)
            try await router.settles(accepted: UInt64(bodies.spans))
            let ended = try await router.run.stop()
            let lines = ended.output.split(separator: "\n")
            #expect(lines.first?.hasPrefix("{\"agents\":") == true)
            let spans = try lines.dropFirst().map { try ExportedSpan(line: Data($0.utf8)) }
            #expect(spans.count == bodies.spans)
            #expect(spans.byID.count == bodies.spans)
        }

        @Test("Dataway receives every span, also over errors that pass, packed or not", arguments: [true, false])
        func dataway(gzip: Bool) async throws {
            let sink = try HTTPSink(answers: [503, 500])
            let url = "dataway:http://\(sink.address)?token=tkn_test"
            let router = try await LiveRouter(targets: [url], settings: ["--target-gzip", "\(gzip)"])
            let bodies = try await SpanBodies(fixture: "conformance/mix")
            try postAll(bodies, to: router)
            try await router.settles(accepted: UInt64(bodies.spans))
            var ids: [String] = []
            for request in sink.requests {
                #expect(request.path == "/v1/write/tracing?token=tkn_test")
                #expect(request.headers["content-encoding"] == (gzip ? "gzip" : nil))
                let body = gzip ? try Gzip().decompress(request.body, limit: 64 << 20) : request.body
                let found = try #require(PointText.values(of: "span_id", in: body)).compactMap { $0 }
                #expect(request.headers["x-points"] == "\(found.count)")
                ids += found
            }
            #expect(ids.count == bodies.spans && Set(ids).count == bodies.spans)
            let status = try router.status()
            #expect(status.spansExported["dataway"] == UInt64(bodies.spans))
            try await router.run.stop()
        }

        @Test("two targets at once: each gets every span")
        func twoTargets() async throws {
            let sink = try HTTPSink()
            let folder = try TestFolder()
            let router = try await LiveRouter(
                folder: folder, targets: ["file:" + folder.file("traces"), "dataway:http://\(sink.address)?token=t"])
            let bodies = try await SpanBodies(fixture: "conformance/fan-out")
            try postAll(bodies, to: router)
            try await router.settles(accepted: 157)
            let sent = sink.requests.reduce(0) { $0 + (Int($1.headers["x-points"] ?? "") ?? 0) }
            #expect(sent == 157)
            #expect(try await router.spans().count == 157)
            #expect(try router.status().spansExported.keys.sorted() == ["dataway", "file", "store"])
            try await router.run.stop()
        }
    }
}
