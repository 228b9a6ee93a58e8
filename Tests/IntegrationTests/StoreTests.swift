import Foundation
import Linking
import Logging
import ProductSupport
import Shared
import Testing

@testable import Router

#if canImport(Glibc)
    import Glibc
#endif

/// The store behind a real router: what the file target got is in it, also after the router was killed.
extension Integration {
    @Suite(.serialized) struct StoreTests {
        @Test("every exported span is in the store with the same id and parent, also after kill -9 and a restart")
        func theStoreHasWhatTheFileTargetHas() async throws {
            let router = try await LiveRouter()
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            for number in bodies.lineProtocol.indices {
                #expect(try RawHTTP.post(router.agents, "/v1/bpftracing", bodies.body(number)).status == 200)
            }
            try await router.settles(accepted: UInt64(bodies.spans))
            let exported = try await router.spans()
            #expect(exported.count == bodies.spans)
            #expect(try router.status().spansExported["store"] == UInt64(bodies.spans))
            #expect(try router.metric("store_spans_total") >= Double(bodies.spans))
            kill(router.run.pid, SIGKILL)
            try await compare(exported, folder: router.folder.file("data/store"))
            let again = try await LiveRouter(folder: router.folder)
            try await again.settles(accepted: 0)
            try await again.run.stop()
            try await compare(exported, folder: router.folder.file("data/store"))
        }

        @Test("the console tells of services, of the last minutes, and serves its page")
        func consoleHasGraphAndHistory() async throws {
            let router = try await LiveRouter()
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            for number in bodies.lineProtocol.indices {
                #expect(try RawHTTP.post(router.agents, "/v1/bpftracing", bodies.body(number)).status == 200)
            }
            try await router.settles(accepted: UInt64(bodies.spans))
            let graph = try JSONDecoder().decode(
                GraphEndpoints.Page.self, from: Data(try RawHTTP.get(router.console, "/api/graph").body))
            // Every net edge of the recording whose two ends are kept: 2703 by the truth.
            #expect(graph.edges.reduce(0) { $0 + $1.requests } >= 2_703)
            #expect(Set(graph.nodes.map(\.name)).isSuperset(of: ["gw", "orders"]))
            let history = try JSONDecoder().decode(
                StatusHistory.Page.self, from: Data(try RawHTTP.get(router.console, "/api/history").body))
            #expect(history.points.last?.accepted ?? 0 <= UInt64(bodies.spans))
            #expect(history.points.last?.memoryBytes ?? 0 > 10 << 20)
            #expect(try RawHTTP.get(router.console, "/").status == 200)
            #expect(try RawHTTP.get(router.console, "/api/graph?start=soon").status == 400)
            try await router.run.stop()
        }

        @Test("without a store nothing is posted to it, and its address is not there")
        func storeOff() async throws {
            let router = try await LiveRouter(settings: ["--store", "off"])
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            #expect(try RawHTTP.post(router.agents, "/v1/bpftracing", bodies.body(0)).status == 200)
            try await router.settles(accepted: 1)
            #expect(try router.status().spansExported["store"] == nil)
            #expect(try RawHTTP.post(router.console, "/v1/traces", []).status == 404)
            #expect(!FileManager.default.fileExists(atPath: router.folder.file("data/store")))
            try await router.run.stop()
        }

        /// Every exported span, with its id and parent, in a store that no router has open.
        private func compare(_ exported: [ExportedSpan], folder: String) async throws {
            let store = try TraceStore(
                options: StoreOptions(folder: folder), metrics: MetricsRegistry(), logger: Logger(label: "test"))
            defer { store.stop() }
            var missing = 0
            var different = 0
            for (trace, spans) in Dictionary(grouping: exported, by: \.traceID) {
                let id = try #require(TraceIDText.parse(trace.utf8))
                let stored = try await store.trace(id)?.spans ?? []
                let parents = Dictionary(stored.map { ($0.id, $0.parent) }) { first, _ in first }
                for span in spans {
                    let id = SpanID(UInt64(span.spanID, radix: 16) ?? 0)
                    let parent = UInt64(span.parentID, radix: 16) ?? 0
                    if let found = parents[id] {
                        if (found?.bits ?? 0) != parent { different += 1 }
                    } else {
                        missing += 1
                    }
                }
            }
            #expect(missing == 0 && different == 0, "of \(exported.count): \(missing) missing, \(different) different")
        }
    }
}
