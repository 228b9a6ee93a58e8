import Foundation
import Linking
import Shared
import Testing

@testable import Router

/// Queries against the embedded store give what the same queries give against spans in memory.
@Suite struct QueryStoreTests {
    /// What a search says, in a form that compares.
    private func said(_ query: String, _ store: any TraceReading) async throws -> [String] {
        var bounds = TraceSearcher.Bounds()
        bounds.spansPerSet = 100
        let answer = try await TraceSearcher(store: store, limits: Limits())
            .search(try TraceQLParser.parse(query), bounds)
        return answer.hits.map { hit in
            let sets = hit.sets.map { set in
                let spans = set.spans.map { span in
                    let attributes = span.attributes.map { "\($0.key)=\($0.value.text)" }.joined(separator: ",")
                    return "\(span.id.hex) \(span.name ?? "-") \(span.start) \(span.duration) \(attributes)"
                }
                return "\(set.matched) \(spans) \(set.attributes.map { "\($0.key)=\($0.value.text)" })"
            }
            return "\(hit.summary) \(sets)"
        }
    }

    private func filled() async throws -> TestStore {
        let store = try TestStore()
        for trace in [QuerySamples.request, QuerySamples.failed] {
            let result = try await store.store.insert(TempoTrace(trace).protobuf)
            #expect(result.accepted == trace.spans.count)
        }
        return store
    }

    @Test func aTraceThatIsAnsweredInProtobufIsStoredAsTheSameTrace() async throws {
        let store = try await filled()
        for trace in [QuerySamples.request, QuerySamples.failed] {
            let stored = try #require(try await store.store.trace(trace.id))
            #expect(stored.spans.map(\.id) == trace.spans.map(\.id))
            for (one, other) in zip(stored.spans, trace.spans) {
                #expect(one.name == other.name && one.parent == other.parent && one.kind == other.kind)
                #expect(one.start == other.start && one.end == other.end && one.statusCode == other.statusCode)
                #expect(one.attributes == other.attributes && one.scope == other.scope)
                #expect(stored.service(of: one) == trace.service(of: other))
            }
        }
    }

    @Test(arguments: [
        "{}", "{ name = \"GET /home\" }", "{ name != \"GET /home\" }", "{ resource.service.name = \"gw\" }",
        "{ .service.name = \"gw\" && kind = server }", "{ status = error }", "{ status != error }",
        "{ duration > 4ms }", "{ duration = 4ms }", "{ .http.response.status_code >= 500 }",
        "{ .http.response.status_code = \"200\" }", "{ .http.response.status_code != \"200\" }",
        "{ .db.system.name != nil }", "{ .db.system.name = nil }", "{ name =~ \"GET /(home|order)\" }",
        "{ name !~ \"GET.*\" }", "{ resource.service.name =~ \"gw|orders\" }", "{ !(status = error) }",
        "{ span:parentID = nil }", "{ rootServiceName = \"load\" }", "{ rootName = \"POST /pay\" }",
        "{ traceDuration > 100ms }", "{ span:id = \"0000000000000003\" }", "{ span.retry }", "{ span.retry = true }",
        "{ instrumentation:name = \"ebpftrace\" }", "{ statusMessage = \"went wrong\" }", "{ kind != client }",
        "{ nestedSetParent < 0 } | select(name, resource.service.name)", "{ status = error } || { kind = client }",
        "{ .service.name = \"gw\" } >> { status = error }", "{ } | by(kind) | count() > 1", "{ .none = 1 }",
        "{ trace:id = \"0000000000009c1e0000000000000022\" }", "{ status = error || .db.system.name = \"redis\" }",
    ])
    func theStoreFindsWhatMemoryFinds(_ query: String) async throws {
        let store = try await filled()
        #expect(try await said(query, store.store) == said(query, QuerySamples.store))
    }

    @Test func namesAndValuesOfTagsAreTheSame() async throws {
        let store = try await filled()
        for scope in [Router.AttributeScope.resource, .span] {
            #expect(try await store.store.tagNames(scope, limit: 100) == QuerySamples.store.tagNames(scope, limit: 100))
        }
        let fields: [(Router.AttributeScope, String)] = [
            (.resource, "service.name"), (.span, "http.response.status_code"), (.any, "retry"), (.intrinsic, "name"),
        ]
        for (scope, key) in fields {
            let stored = try await store.store.tagValues(scope, key, from: 0, to: .max, limit: 100)
            let known = try await QuerySamples.store.tagValues(scope, key, from: 0, to: .max, limit: 100)
            #expect(stored == known, "\(key)")
        }
        #expect(try await store.store.services(from: 0, to: .max) == QuerySamples.store.services(from: 0, to: .max))
    }

    @Test func candidatesOfARootAreFoundInTheStore() async throws {
        func end(_ trace: UInt64, kind: Int, response: Int64) -> StoredTrace {
            let id = TraceID(high: 1, low: trace)
            let facts: [String: AttributeValue] = [
                "ebpf.req_seq": .int(1_529_575_812), "ebpf.resp_seq": .int(response),
                "ebpf.direction": .string(kind == 2 ? "incoming" : "outgoing"),
            ]
            let span = QuerySamples.span(trace, nil, in: id, "GET", kind: kind, resource: 0, at: trace, for: 1, facts)
            return StoredTrace(id: id, resources: [QuerySamples.resource("web")], spans: [span])
        }
        let store = try TestStore()
        for trace in [end(7, kind: 2, response: 1), end(8, kind: 3, response: 2)] {
            try await store.store.insert(TempoTrace(trace).protobuf)
        }
        let lookup = SpanLookup(store: store.store, limits: Limits())
        let trace = try #require(try await lookup.trace(of: SpanID(7), in: nil))
        let explanation = try await Explainer(store: store.store, limits: Limits()).explain(SpanID(7), in: trace)
        #expect(explanation?.candidates.map(\.span.id) == ["0000000000000008"])
        #expect(explanation?.candidates.first?.failed.first == "resp_seq differs: 1 and 2")
    }
}
