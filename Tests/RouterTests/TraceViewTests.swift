import Linking
import Testing

@testable import Router

@Suite struct TraceViewTests {
    private static func span(
        _ id: UInt64, parent: UInt64? = nil, kind: Int = 2, start: UInt64 = 0, end: UInt64 = 1_000,
        application: Bool = false, resource: Int = 0, _ attributes: [String: UInt64] = [:]
    ) -> StoredSpan {
        var list = attributes.map { Attribute($0, .string(TraceIDText.hex(SpanID($1)))) }
        let trace = String(repeating: "a", count: 32)
        if !attributes.isEmpty { list.append(Attribute("ebpf.app_trace_id", .string(trace))) }
        return StoredSpan(
            traceID: TraceID(high: 1, low: 1), id: SpanID(id), parent: parent.map { SpanID($0) }, name: "n", kind: kind,
            start: start, end: end, statusCode: 0, statusMessage: "", resource: resource,
            scope: application ? "otel" : "ebpftrace", attributes: list, isApplication: application)
    }

    private static func parents(_ spans: [StoredSpan]) -> [UInt64: UInt64?] {
        Dictionary(uniqueKeysWithValues: TraceView.arranged(spans).map { ($0.id.bits, $0.parent?.bits) })
    }

    @Test func aCallReadsClientExitEntryServer() {
        // SDK client 1, our exit 2 and entry 3 (both exported under the SDK's parent), SDK server 4 and its child 5.
        let spans = [
            Self.span(1, kind: 3, start: 0, end: 100, application: true),
            Self.span(2, parent: 1, kind: 3, start: 10, end: 90, ["ebpf.app_parent_id": 1]),
            Self.span(3, parent: 1, kind: 2, start: 20, end: 80, ["ebpf.app_parent_id": 1, "ebpftrace.parent_id": 2]),
            Self.span(4, parent: 1, kind: 2, start: 30, end: 70, application: true, resource: 1),
            Self.span(5, parent: 4, kind: 1, start: 40, end: 60, application: true, resource: 1),
        ]
        #expect(Self.parents(spans) == [1: nil, 2: 1, 3: 2, 4: 3, 5: 4])
        let entry = TraceView.arranged(spans)[2]
        #expect(entry.attributes[TraceView.originalParentKey] == .string("0000000000000001"))
    }

    @Test func anExitGoesUnderTheSDKSpanThatMadeIt() {
        let spans = [
            Self.span(1, kind: 2, start: 0, end: 100),
            Self.span(2, parent: 1, kind: 3, start: 20, end: 80, ["ebpf.app_parent_id": 3]),
            Self.span(3, kind: 3, start: 10, end: 90, application: true),
        ]
        #expect(Self.parents(spans) == [1: nil, 2: 3, 3: nil])
    }

    @Test func withoutSDKSpansParentsStay() {
        let spans = [
            Self.span(1), Self.span(2, parent: 1, kind: 3), Self.span(3, parent: 2),
            Self.span(4, parent: 77, ["ebpf.app_parent_id": 77, "ebpftrace.parent_id": 2]), Self.span(5, parent: 66),
        ]
        #expect(Self.parents(spans) == [1: nil, 2: 1, 3: 2, 4: 2, 5: 66])
    }

    @Test func theNearestServerSpanTakesTheSDKSpan() {
        let spans = [
            Self.span(1, start: 0, end: 10, ["ebpf.app_parent_id": 9]),
            Self.span(2, start: 100, end: 200, ["ebpf.app_parent_id": 9]),
            Self.span(3, parent: 9, start: 110, end: 190, application: true),
            Self.span(4, parent: 9, start: 60_000_000_000, end: 60_000_000_001, application: true),
        ]
        #expect(Self.parents(spans) == [1: nil, 2: nil, 3: 2, 4: 9])
    }

    /// Whatever spans say of their parents: no cycle, no span lost, parents only replaced by spans that are there.
    @Test func noInputMakesACycle() {
        for _ in 0..<300 {
            let count = UInt64.random(in: 1...30)
            func any() -> UInt64 { UInt64.random(in: 1...count + 3) }
            let spans = (1...count).map { id in
                var attributes: [String: UInt64] = [:]
                if Bool.random() { attributes["ebpf.app_parent_id"] = any() }
                if Bool.random() { attributes["ebpftrace.parent_id"] = any() }
                return Self.span(
                    id, parent: Bool.random() ? any() : nil, kind: Int.random(in: 0...5), start: any(), end: 100,
                    application: Bool.random(), resource: Int.random(in: 0...1), attributes)
            }
            let arranged = TraceView.arranged(spans)
            #expect(Set(arranged.map(\.id)) == Set(spans.map(\.id)))
            let parents = Dictionary(uniqueKeysWithValues: arranged.map { ($0.id, $0.parent) })
            for span in arranged {
                var step: SpanID? = span.id
                var steps = 0
                while let next = step, let parent = parents[next] {
                    step = parent
                    steps += 1
                    guard steps <= arranged.count else { break }
                }
                #expect(steps <= arranged.count)
            }
        }
    }

    @Test func aLongChainTakesNoRecursion() {
        let spans = (1...50_000).map { (number: UInt64) in
            Self.span(number, parent: number == 1 ? nil : number - 1, start: number)
        }
        #expect(TraceView.arranged(spans.reversed()).allSatisfy { $0.parent?.bits ?? 0 == $0.id.bits - 1 })
    }

    @Test func idsOfApplicationsAreReadInBothForms() {
        #expect(TraceIDText.parse("0000000000000000ffffffffffffffff".utf8) == TraceID(high: 0, low: .max))
        #expect(TraceIDText.parse("1234567890123456789".utf8) == TraceID(high: 0, low: 1_234_567_890_123_456_789))
        #expect(TraceIDText.parse("00000000000000ff".utf8) == TraceID(high: 0, low: 255))
        #expect(TraceIDText.parse("abc".utf8) == TraceID(high: 0, low: 0xabc))
        #expect(TraceIDText.parse("99999999999999999999".utf8) == nil)
        #expect(TraceIDText.parse("0".utf8) == nil && TraceIDText.parse("".utf8) == nil)
        #expect(TraceIDText.parse("xyz".utf8) == nil)
    }
}
