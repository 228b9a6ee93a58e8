import Foundation
import Linking
import Shared
import Testing

@testable import Router

@Suite struct StoreSearchTests {
    /// A small world: few services and names, one attribute of few values, one of many, numbers, absent ones.
    private static func spans(seed: UInt64, traces: Int) -> [[(service: String, span: TestSpan)]] {
        var generator = SplitMix(state: seed)
        return (0..<traces).map { number in
            let trace = TraceID(high: generator.next(), low: generator.next())
            let start = 1_000_000_000_000 + UInt64(number) * 1_000_000
            return (0..<Int.random(in: 1...6, using: &generator)).map { index in
                var attributes: [(String, TestValue)] = [("few", .text("v\(Int.random(in: 0...4, using: &generator))"))]
                attributes.append(("many", .text("m\(Int.random(in: 0...400, using: &generator))")))
                if Bool.random(using: &generator) {
                    attributes.append(("code", .whole(Int64.random(in: 200...210, using: &generator))))
                }
                let span = TestSpan(
                    trace: trace, id: UInt64(number * 10 + index + 1), parent: index == 0 ? 0 : UInt64(number * 10 + 1),
                    name: "op\(Int.random(in: 0...5, using: &generator))",
                    kind: UInt64.random(in: 1...5, using: &generator), start: start + UInt64(index) * 1_000,
                    duration: UInt64.random(in: 0...5_000_000, using: &generator),
                    status: UInt64.random(in: 0...2, using: &generator), attributes: attributes)
                return ("s\(Int.random(in: 0...3, using: &generator))", span)
            }
        }
    }

    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
            return value ^ (value >> 31)
        }
    }

    private static func condition(_ depth: Int, _ generator: inout SplitMix) -> SpanCondition {
        if depth > 0, Bool.random(using: &generator) {
            let parts = (0..<2).map { _ in condition(depth - 1, &generator) }
            switch Int.random(in: 0...2, using: &generator) {
            case 0: return .and(parts)
            case 1: return .or(parts)
            default: return .not(parts[0])
            }
        }
        let operators: [AttributeOperator] = [
            .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .matches, .notMatches, .exists, .absent,
        ]
        let comparison = operators[Int.random(in: 0..<operators.count, using: &generator)]
        let number = Int.random(in: 0...6, using: &generator)
        let isPattern = comparison == .matches || comparison == .notMatches
        switch Int.random(in: 0...9, using: &generator) {
        case 0: return .compare(.span, key: "few", comparison, .string(isPattern ? "v[0-2]" : "v\(number)"))
        case 1: return .compare(.span, key: "many", comparison, .string(isPattern ? "m1.*" : "m\(number * 50)"))
        case 2: return .compare(.span, key: "code", comparison, isPattern ? .string("2") : .int(Int64(200 + number)))
        case 3: return .compare(.any, key: "service.name", comparison, .string(isPattern ? "s[13]" : "s\(number)"))
        case 4: return .compare(.resource, key: "service.name", comparison, .string("s\(number)"))
        case 5: return .compare(.intrinsic, key: "name", comparison, .string(isPattern ? "op[1-3]" : "op\(number)"))
        case 6: return .compare(.intrinsic, key: "status", comparison, .string("error"))
        case 7: return .compare(.intrinsic, key: "kind", comparison, .string("client"))
        case 8:
            return .compare(
                .intrinsic, key: "duration", comparison, isPattern ? .string("1") : .int(Int64(number) * 1_000_000))
        default: return .compare(.intrinsic, key: "rootName", comparison, .string(isPattern ? "op." : "op\(number)"))
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func searchFindsWhatLookingAtEverySpanFinds(seed: UInt64) async throws {
        let test = try TestStore { $0.segmentSpans = 700 }
        let traces = Self.spans(seed: seed, traces: 900)
        for slice in stride(from: 0, to: traces.count, by: 150) {
            var body: [UInt8] = []
            for (service, span) in traces[slice..<min(slice + 150, traces.count)].joined() {
                body += OTLPTestEncoder.request(service: service, [span])
            }
            try await test.store.insert(body)
        }
        var everything: [StoredTrace] = []
        for trace in traces { everything.append(try #require(try await test.store.trace(trace[0].span.trace))) }
        var generator = SplitMix(state: seed &+ 99)
        for _ in 0..<120 {
            let condition = Self.condition(2, &generator)
            let matcher = ConditionMatcher()
            try matcher.prepare(condition)
            let wanted = everything.filter { trace in
                let context = ConditionMatcher.Context(trace.summary)
                return trace.spans.contains {
                    matcher.matches(condition, $0, trace.resources[$0.resource], context)
                }
            }
            let found = try await test.store.search(TraceSearch(limit: 10_000, condition: condition))
            #expect(found.isComplete)
            #expect(Set(found.traces.map(\.summary.id)) == Set(wanted.map(\.id)), "\(condition)")
        }
    }

    @Test func boundsOfTimeAndDurationAndLimit() async throws {
        let test = try TestStore()
        for number in 0..<50 {
            let span = TestSpan(
                trace: .test(UInt64(number)), id: UInt64(number + 1), start: UInt64(number) * 1_000_000,
                duration: UInt64(number) * 1_000)
            try await test.store.insert(OTLPTestEncoder.request([span]))
        }
        func ids(_ search: TraceSearch) async throws -> [UInt64] {
            try await test.store.search(search).traces.map(\.summary.id.low)
        }
        #expect(try await ids(TraceSearch(limit: 3)) == [49, 48, 47])
        #expect(try await ids(TraceSearch(from: 10_000_000, to: 12_500_000)) == [12, 11, 10])
        #expect(try await ids(TraceSearch(minDuration: 47_000)) == [49, 48, 47])
        #expect(try await ids(TraceSearch(maxDuration: 2_000)) == [2, 1, 0])
        await #expect(throws: Failure.self) { try await test.store.search(TraceSearch(limit: 0)) }
        await #expect(throws: Failure.self) {
            try await test.store.search(
                TraceSearch(condition: .compare(.intrinsic, key: "name", .matches, .string("("))))
        }
    }

    @Test func tagsServicesAndCandidates() async throws {
        let test = try TestStore()
        for number in 0..<300 {
            let span = TestSpan(
                trace: .test(UInt64(number)), id: UInt64(number + 1), name: "op\(number % 3)",
                start: 1_000_000_000_000 + UInt64(number) * 1_000_000_000, status: number % 2 == 0 ? 2 : 0,
                attributes: [("ebpf.req_seq", .whole(Int64(number) * 7)), ("http.request.method", .text("GET"))])
            if number < 150 {
                try await test.store.insert(OTLPTestEncoder.request(service: "s\(number % 2)", [span]))
            } else if number == 150 {
                let spans = (150..<300).map { later in
                    var copy = span
                    copy.trace = .test(UInt64(later))
                    copy.id = UInt64(later + 1)
                    copy.attributes[0].1 = .whole(Int64(later) * 7)
                    return copy
                }
                try await test.store.insert(OTLPTestEncoder.request(service: "s9", spans))
            }
        }
        #expect(try await test.store.tagNames(.span) == ["ebpf.req_seq", "http.request.method"])
        #expect(try await test.store.tagNames(.resource) == ["service.name"])
        #expect(try await test.store.tagValues(.any, "service.name") == ["s0", "s1", "s9"].map { .string($0) })
        #expect(try await test.store.tagValues(.span, "http.request.method") == [.string("GET")])
        #expect(try await test.store.tagValues(.intrinsic, "name").count == 3)
        let services = try await test.store.services()
        #expect(services.map(\.name) == ["s0", "s1", "s9"])
        #expect(services.map(\.spans) == [75, 75, 150])
        #expect(services[0].operations == ["op0", "op1", "op2"] && services[0].errors == 75)
        let near = try await test.store.spans(
            withAttribute: "ebpf.req_seq", value: .int(700), near: 1_100_000_000_000, limit: 5)
        #expect(near.map(\.id.bits) == [101])
        let far = try await test.store.spans(
            withAttribute: "ebpf.req_seq", value: .int(0), near: 1_290_000_000_000, limit: 5)
        #expect(far.isEmpty)
    }
}
