import Foundation
import Hummingbird
import HummingbirdTesting
import Linking
import Shared
import Testing

@testable import Router

/// Datadog's trace ids have 128 bits in some places and their low 64 in others: one trace all the same.
@Suite struct DatadogTraceTests {
    private static let low: UInt64 = 0x1122_3344_5566_77aa
    /// With the high half from `_dd.p.tid`, or from an SDK that knows it.
    private static let long = TraceID(high: 0x65f1_d4c2_0000_0000, low: low)
    /// Of points without `_dd.p.tid`.
    private static let short = TraceID(high: 0, low: low)

    /// eBPF spans of both forms, and a span of an SDK.
    private func store() async throws -> TestStore {
        let test = try TestStore()
        let facts: [(String, TestValue)] = [("ebpf.app_trace_id", .text(String(Self.low)))]
        for trace in [Self.short, Self.long] {
            let number: UInt64 = trace == Self.short ? 1 : 2
            let span = TestSpan(trace: trace, id: number, start: 1_000 * number, attributes: facts)
            try await test.store.insert(OTLPTestEncoder.request([span]))
        }
        let application = TestSpan(trace: Self.long, id: 3, start: 3_000)
        try await test.store.insert(OTLPTestEncoder.request(scope: "ddtrace", [application]))
        return test
    }

    @Test(arguments: [long, short]) func aTraceIsWholeByEitherID(_ id: TraceID) async throws {
        let test = try await store()
        let trace = try #require(try await test.store.trace(id))
        #expect(trace.spans.map(\.id.bits) == [1, 2, 3])
    }

    /// Without a span that names the application's id, the two halves are still one trace.
    @Test(arguments: [long, short]) func spansOfSDKsAloneAreJoined(_ id: TraceID) async throws {
        let test = try TestStore()
        for (number, trace) in [(UInt64(1), Self.long), (2, Self.short)] {
            let span = TestSpan(trace: trace, id: number, start: number)
            try await test.store.insert(OTLPTestEncoder.request(scope: "ddtrace", [span]))
        }
        #expect(try await test.store.trace(id)?.spans.map(\.id.bits) == [1, 2])
    }

    @Test func idsWithTwoHighHalvesStayApart() async throws {
        let test = try TestStore()
        for high in UInt64(1)...2 {
            let span = TestSpan(trace: TraceID(high: high, low: Self.low), id: high)
            try await test.store.insert(OTLPTestEncoder.request(scope: "ddtrace", [span]))
        }
        for high in UInt64(1)...2 {
            let trace = try await test.store.trace(TraceID(high: high, low: Self.low))
            #expect(trace?.spans.map(\.id.bits) == [high])
        }
        #expect(try await test.store.trace(TraceID(high: 3, low: Self.low)) == nil)
    }

    @Test(arguments: ["/api/traces/", "/api/v2/traces/", "/api/trace/"])
    func everyEndpointShowsIt(_ path: String) async throws {
        let test = try await store()
        let router = Hummingbird.Router()
        QueryEndpoints(store: test.store, limits: Limits(), metrics: MetricsRegistry()).register(on: router)
        try await Application(router: router).test(.router) { client in
            for id in [Self.long.hex, Self.short.hex, String(Self.low, radix: 16), String(Self.low)] {
                try await client.execute(uri: path + id, method: .get) { answer in
                    #expect(answer.status == .ok)
                    let text = String(buffer: answer.body)
                    let ids = (1...3).map { SpanID(UInt64($0)) }
                    for span in ids {
                        let base64 = Data(span.bytes).base64EncodedString()
                        #expect(text.contains(span.hex) || text.contains(base64), "\(path)\(id) lacks \(span.hex)")
                    }
                }
            }
        }
    }

    @Test func aSearchListsItOnce() async throws {
        let test = try await store()
        let found = try await test.store.search(TraceSearch(limit: 100)).traces
        #expect(found.map(\.summary.spanCount) == [3])
    }
}
