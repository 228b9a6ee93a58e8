import Foundation
import Linking
import SwiftProtobuf
import Testing

@testable import Shared

/// swift-protobuf and a second statement of the mapping as judges of the OTLP encoder.
@Suite struct OTLPEncoderTests {
    // MARK: Tools

    /// Encodes points with their verdicts as one request.
    static func encode(
        _ points: [(point: [UInt8], verdict: SpanVerdict)], _ fields: OTLPFields, _ rules: ExportRules
    ) -> [UInt8] {
        var encoder = OTLPEncoder(rules: rules, fields: fields)
        for (point, verdict) in points {
            let isRead = point.withRawBytes { encoder.encode($0, verdict: verdict) }
            if isRead { encoder.accept() }
        }
        return written(&encoder)
    }

    static func written(_ encoder: inout OTLPEncoder) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: encoder.bytes) { buffer, count in
            count = encoder.write(to: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    private static func shown(_ value: Ebpftrace_Otlp_AnyValue) -> String {
        switch value.value {
        case .stringValue(let text): text
        case .boolValue(let bool): "\(bool)"
        case .intValue(let number): "#\(number)"
        case .doubleValue(let number): "f\(number)"
        case .bytesValue(let data): "bytes \(data.count)"
        default: "?"
        }
    }

    private static func shown(_ attributes: [Ebpftrace_Otlp_KeyValue]) throws -> [String: String] {
        var result: [String: String] = [:]
        for attribute in attributes {
            try #require(result[attribute.key] == nil, "\(attribute.key) stands twice")
            result[attribute.key] = shown(attribute.value)
        }
        return result
    }

    private static func hex(_ data: Data) -> String { data.map { String(format: "%02x", $0) }.joined() }

    /// The spans of a request as swift-protobuf reads it.
    static func read(_ body: [UInt8]) throws -> [OTLPSpanFacts] {
        let request = try OTLPRequest(serializedBytes: body)
        var spans: [OTLPSpanFacts] = []
        var resources: Set<[String: String]> = []
        for group in request.resourceSpans {
            let resource = try shown(group.resource.attributes)
            #expect(resources.insert(resource).inserted, "one ResourceSpans for one resource")
            #expect(group.scopeSpans.map(\.scope.name) == ["ebpftrace"])
            #expect(group.unknownFields.data.isEmpty && group.resource.unknownFields.data.isEmpty)
            for span in group.scopeSpans.flatMap(\.spans) {
                #expect(span.unknownFields.data.isEmpty)
                spans.append(
                    OTLPSpanFacts(
                        trace: hex(span.traceID), span: hex(span.spanID), parent: hex(span.parentSpanID),
                        name: span.name, kind: span.kind.rawValue, start: span.startTimeUnixNano,
                        end: span.endTimeUnixNano, status: span.status.code.rawValue, message: span.status.message,
                        attributes: try shown(span.attributes), resource: resource))
            }
        }
        return spans
    }

    /// Some verdict of a span: all evidence and marks come up.
    static func verdict(_ facts: SpanFacts, _ number: Int) -> SpanVerdict {
        var flags: VerdictFlags = .keep
        if number % 7 == 1 { flags.insert(.late) }
        if number % 11 == 2 { flags.insert(.rootMissing) }
        if number % 13 == 3 { flags.insert(.truncated) }
        let ebpf = TraceID(high: 0x9731_f599_0f97_88e3, low: UInt64(number))
        var trace = ebpf
        if number % 3 == 0 {
            flags.insert(.applicationTrace)
            trace = number % 2 == 0 ? TraceID(high: 0, low: 77) : TraceID(high: 5, low: 6)
            if trace.high != 0 { flags.insert(.applicationHex) }
        }
        let evidence = LinkEvidence.allCases[number % LinkEvidence.allCases.count]
        return SpanVerdict(
            flags: flags, evidence: evidence, spanID: facts.id, parentID: SpanID(UInt64(number % 4)), ebpfTraceID: ebpf,
            traceID: trace)
    }

    /// The points of a body with verdicts.
    static func spans(_ body: [UInt8]) throws -> [(point: [UInt8], verdict: SpanVerdict)] {
        let batch = try walk(body)
        return batch.rows.enumerated().map { number, row in
            let start = Int(row.payloadOffset)
            return (Array(body[start..<start + Int(row.payloadLength)]), verdict(row.facts, number))
        }
    }

    /// At most 300 points of a body, in requests of 50, between which other tests get their turn.
    private func check(_ body: [UInt8], _ fields: OTLPFields) async throws {
        let all = try Self.spans(body)
        let spans = stride(from: 0, to: all.count, by: max(1, all.count / 300)).map { all[$0] }
        for start in stride(from: 0, to: spans.count, by: 50) {
            guard try isAsExpected(Array(spans[start..<min(start + 50, spans.count)]), fields) else { return }
            await Task.yield()
        }
    }

    private func isAsExpected(_ spans: [(point: [UInt8], verdict: SpanVerdict)], _ fields: OTLPFields) throws -> Bool {
        let rules = try ExportRules()
        let found = try Self.read(Self.encode(spans, fields, rules))
        #expect(found.count == spans.count)
        let expected = try spans.map { span in
            OTLPReference.of(try OraclePoint(serializedBytes: span.point), span.verdict, rules, fields)
        }
        // Grouped by resource, each group in order.
        var order: [[String: String]] = []
        for span in expected where !order.contains(span.resource) { order.append(span.resource) }
        let grouped = order.flatMap { resource in expected.filter { $0.resource == resource } }
        for (one, other) in zip(found, grouped) where one != other {
            Issue.record("\(one)\n is not\n\(other)")
            return false
        }
        return true
    }

    // MARK: Real points

    @Test(arguments: try Fixtures.scenarios())
    func conformancePointsAreWhatTheMappingSays(scenario: String) async throws {
        let isRich = ["protocols", "odd-fields", "app-datadog"].contains(scenario)
        for fields in isRich ? OTLPFields.allCases : [.link] {
            try await check(try Fixtures.body(scenario), fields)
        }
    }

    @Test(arguments: [("threads-chain", OTLPFields.all), ("nginx-dnat", .link), ("node-w3c", .all), ("dd-pool", .none)])
    func recordedPointsAreWhatTheMappingSays(set: String, fields: OTLPFields) async throws {
        let lines = try Fixtures.read("real/\(set)/input.lp.gz").split(separator: UInt8(ascii: "\n"))
        let some = stride(from: 0, to: lines.count, by: 20).map { lines[$0] }
        let payload = try decode(Array(some.joined(separator: [UInt8(ascii: "\n")])), type: "text/plain").payload
        try await check(payload, fields)
    }

    @Test func idsParentsAndEvidenceAreThoseOfTheFileTarget() async throws {
        let rules = try ExportRules()
        for set in ["mix", "app-datadog", "app-w3c-as-sent", "odd-fields"] {
            let spans = try Self.spans(try Fixtures.body(set))
            let found = try Self.read(Self.encode(spans, .none, rules))
            var byID: [String: [OTLPSpanFacts]] = [:]
            for span in found { byID[span.span, default: []].append(span) }
            let splicer = PointSplicer(rules: rules)
            for (point, verdict) in spans.prefix(300) {
                await Task.yield()
                var line: [UInt8] = []
                #expect(point.withRawBytes { splicer.appendJSONLine($0, verdict: verdict, to: &line) })
                let object = try #require(
                    try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
                let id = try #require(object["span_id"] as? String)
                let isThere = (byID[id] ?? []).contains { Self.isSame($0, object) }
                #expect(isThere, "\(id) of \(set)")
                guard isThere else { return }
            }
        }
    }

    private static func isSame(_ span: OTLPSpanFacts, _ object: [String: Any]) -> Bool {
        func padded(_ text: String, _ count: Int) -> String {
            String(repeating: "0", count: max(0, count - text.count)) + text
        }
        func id(_ key: String, _ count: Int) -> [String] {
            guard let text = object[key] as? String, text != "0" else { return [""] }
            // In the form of the application: decimal or hexadecimal.
            let decimal = UInt64(text).map { padded(String($0, radix: 16), count) }
            return [padded(text, count)] + (decimal.map { [$0] } ?? [])
        }
        return id("trace_id", 32).contains(span.trace) && id("parent_id", 16).contains(span.parent)
            && span.attributes["ebpftrace.evidence"] == object["link_evidence"] as? String
            && (span.attributes["ebpftrace.late"] != nil) == (object["late"] as? Bool ?? false)
    }

    // MARK: Odd points

    @Test func randomPointsAreWhatTheMappingSays() async throws {
        var random = SeededGenerator(state: 3)
        let rules = try ExportRules()
        let keys = OTLPField.allCases.flatMap(\.names).filter { !$0.hasPrefix("k8s") && !$0.hasPrefix("src_k8s") }
            .filter { !["pod_namespace", "pod_name", "node_name", "deployment", "cluster_name_k8s"].contains($0) }
            .filter { !["container_name", "container_id", "env", "version"].contains($0) }
        for number in 0..<400 {
            await Task.yield()
            var point = PointOracleTests.randomPoint(&random)
            for _ in 0..<Int.random(in: 0..<10, using: &random) {
                let key = keys.randomElement(using: &random) ?? ""
                point.fields.removeAll { $0.key == key }
                point.fields.append(field(key, PointOracleTests.randomValue(&random)))
            }
            var verdict = Self.verdict(SpanFacts(), number)
            verdict.spanID = SpanID(random.next() | 1)
            let bytes = [UInt8](try point.serializedData())
            guard !bytes.isEmpty else { continue }
            for fields in OTLPFields.allCases {
                let found = try Self.read(Self.encode([(bytes, verdict)], fields, rules))
                let expected = OTLPReference.of(point, verdict, rules, fields)
                #expect(found == [expected])
                guard found == [expected] else { return }
            }
        }
    }

    /// Damaged points: never a trap, and what is written is always a message with valid text.
    @Test func damagedPointsGiveAValidRequestOrNone() async throws {
        var random = SeededGenerator(state: 4)
        let rules = try ExportRules()
        let spans = try Self.spans(try Fixtures.body("protocols"))
        for _ in 0..<1500 {
            await Task.yield()
            var (point, verdict) = try #require(spans.randomElement(using: &random))
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                point[Int.random(in: 0..<point.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                point.removeLast(Int.random(in: 1..<point.count, using: &random))
            }
            verdict.spanID = SpanID(1)
            let body = Self.encode([(point, verdict)], OTLPFields.allCases.randomElement(using: &random) ?? .all, rules)
            // swift-protobuf refuses bytes that are no UTF-8, as other receivers do.
            let request = try OTLPRequest(serializedBytes: body)
            #expect(request.resourceSpans.count <= 1)
        }
    }

    @Test func durationsAndStartsThatCannotBeAreMarked() throws {
        let rules = try ExportRules()
        func times(_ changes: [(String, OracleField.OneOf_Val?)]) throws -> (UInt64, UInt64, Bool) {
            let bytes = [UInt8](try span(changes).serializedData())
            let found = try Self.read(Self.encode([(bytes, Self.verdict(SpanFacts(), 1))], .none, rules))
            let one = try #require(found.first)
            return (one.start, one.end, one.attributes["ebpftrace.open"] == "true")
        }
        let start: UInt64 = 1_760_967_818_176_049_000
        #expect(try times([]) == (start, start + 8_328_000, false))
        #expect(try times([("duration", .i(0))]) == (start, start, false))
        #expect(try times([("duration", .i(-3_077_272_521))]) == (start, start, true))
        #expect(try times([("duration", nil)]) == (start, start, true))
        #expect(try times([("duration", .s("soon"))]) == (start, start, true))
        #expect(try times([("duration", .i(.max))]) == (start, start, true))
        #expect(try times([("duration", .i(30 * 86_400 * 1_000_000))]).2 == false)
        #expect(try times([("start", nil)]).0 == 1_760_967_818_176_049_377)
        #expect(try times([("start", .i(-5))]).0 == 1_760_967_818_176_049_377)
        #expect(try times([("start", .i(.max))]).0 == 1_760_967_818_176_049_377)
    }

    @Test func datadogIDsGetTheirHighHalfFromThePointAndW3CIDsStay() throws {
        let rules = try ExportRules()
        func trace(_ id: TraceID, _ flags: VerdictFlags, _ high: String?) throws -> String {
            let bytes = [UInt8](try span([("_dd.p.tid", high.map { .s($0) })]).serializedData())
            let verdict = SpanVerdict(
                flags: flags, evidence: .none, spanID: SpanID(9), parentID: .none,
                ebpfTraceID: TraceID(high: 1, low: 2), traceID: id)
            return try #require(try Self.read(Self.encode([(bytes, verdict)], .none, rules)).first).trace
        }
        let datadog = TraceID(high: 0, low: 0xabc)
        let application: VerdictFlags = [.keep, .applicationTrace]
        #expect(try trace(datadog, application, "640cfd8d00000000") == "640cfd8d000000000000000000000abc")
        #expect(try trace(datadog, application, nil) == "00000000000000000000000000000abc")
        #expect(try trace(datadog, application, "no hex") == "00000000000000000000000000000abc")
        let whole = TraceID(high: 7, low: 8)
        #expect(try trace(whole, application, "640cfd8d00000000") == "00000000000000070000000000000008")
        #expect(try trace(datadog, .keep, "640cfd8d00000000") == "00000000000000000000000000000abc")
    }

    @Test func globalTagsDescribeTheResourceUnlessThePointDoes() throws {
        let rules = try ExportRules(globalTags: [("host", "node-1"), ("region", "north")])
        func resource(_ changes: [(String, OracleField.OneOf_Val?)]) throws -> [String: String] {
            let bytes = [UInt8](try span(changes).serializedData())
            let found = try Self.read(Self.encode([(bytes, Self.verdict(SpanFacts(), 1))], .none, rules))
            return try #require(found.first).resource
        }
        #expect(
            try resource([("service", .s("gw")), ("k8s_namespace", .s("shop")), ("k8s_pod_name", .s("gw-1"))]) == [
                "service.name": "gw", "host.name": "node-1", "region": "north", "k8s.namespace.name": "shop",
                "k8s.pod.name": "gw-1",
            ])
        #expect(
            try resource([("host", .s("other"))]) == [
                "service.name": "unknown_service", "host.name": "other", "region": "north",
            ])
    }

    @Test func requestsAreCutAndJoinAgain() throws {
        let rules = try ExportRules()
        let spans = try Self.spans(try Fixtures.body("mix"))
        var encoder = OTLPEncoder(rules: rules, fields: .link)
        var joined: [UInt8] = []
        var requests = 0
        for (point, verdict) in spans {
            #expect(point.withRawBytes { encoder.encode($0, verdict: verdict) })
            if encoder.bytesWithPending > 20_000, encoder.spans > 0 {
                let request = Self.written(&encoder)
                #expect(request.count <= 20_000)
                joined += request
                requests += 1
            }
            encoder.accept()
        }
        joined += Self.written(&encoder)
        #expect(requests > 20)
        #expect(encoder.spans == 0)
        let found = try OTLPRequest(serializedBytes: joined).resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans)
        let all = Self.encode(spans, .link, rules)
        let whole = try OTLPRequest(serializedBytes: all).resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans)
        #expect(found.count == spans.count)
        #expect(Set(found.map { try? $0.serializedData() }) == Set(whole.map { try? $0.serializedData() }))
    }

    @Test func answersOfReceiversAreRead() throws {
        func read(_ response: Ebpftrace_Otlp_ExportResponse) throws -> OTLPAnswer.PartialSuccess? {
            OTLPAnswer.partialSuccess([UInt8](try response.serializedData()))
        }
        var response = Ebpftrace_Otlp_ExportResponse()
        #expect(try read(response) == nil)
        response.partialSuccess = Ebpftrace_Otlp_PartialSuccess()
        #expect(try read(response) == nil)
        response.partialSuccess.rejectedSpans = 3
        response.partialSuccess.errorMessage = "too old"
        #expect(try read(response) == OTLPAnswer.PartialSuccess(rejected: 3, message: "too old"))
        response.partialSuccess.rejectedSpans = -3
        #expect(try read(response) == OTLPAnswer.PartialSuccess(rejected: 0, message: "too old"))
        for body in [Array("{\"partialSuccess\":{}}".utf8), [0x0a, 0x7f], [0xff], [0x0a, 2, 8, 0xff]] as [[UInt8]] {
            #expect(OTLPAnswer.partialSuccess(body) == nil)
        }
    }

    @Test func everyNameHasItsOwnPlaceInTheKeyTable() throws {
        let names = OTLPField.allCases.flatMap(\.names)
        #expect(Set(names).count == names.count)
        #expect(OTLPKeyTable.shared.count { $0.length != 0 } == names.count)
        #expect(OTLPField.allCases.count <= 64)
        #expect(OTLPField.version.rawValue == UInt8(OTLPField.resourceCount - 1))
    }
}
