import Foundation
import Linking
import Testing

@testable import Shared

/// The recorded collector as judge: all forms of a body give the same facts, and what we export is what it exported.
@Suite struct PointConformanceTests {
    /// Protojson and JSON forms of a body, made by the oracle.
    static func pbjson(_ body: [UInt8]) throws -> [UInt8] {
        Array(try OraclePoints(serializedBytes: body).jsonString().utf8)
    }

    static func json(_ body: [UInt8]) throws -> [UInt8] {
        let points = try OraclePoints(serializedBytes: body)
        let elements = points.arr.map { point in
            let fields = point.fields.map { "\(quoted($0.key)):\(value($0))" }.joined(separator: ",")
            return #"{"measurement":\#(quoted(point.name)),"fields":{\#(fields)},"time":\#(point.time)}"#
        }
        return Array("[\(elements.joined(separator: ",\n"))]".utf8)
    }

    static func quoted(_ text: String) -> String {
        var output: [UInt8] = []
        Array(text.utf8).withRawBytes { JSONText.appendString($0, to: &output) }
        return String(decoding: output, as: UTF8.self)
    }

    static func value(_ field: OracleField) -> String {
        switch field.val {
        case .i(let number): String(number)
        case .u(let number): String(number)
        case .f(let number): number.description
        case .b(let truth): String(truth)
        case .s(let text): quoted(text)
        case .d, .a, nil: "null"
        }
    }

    @Test(arguments: try Fixtures.scenarios())
    func `all forms of a scenario give equal facts`(scenario: String) throws {
        for isStrict in scenario == "odd-fields" ? [false, true] : [false] {
            let rules = rules { $0.strict = isStrict }
            // The line protocol of this scenario holds the batch once.
            let body = try scenario == "duplicate-batch" ? Fixtures.inputs(scenario)[0] : Fixtures.body(scenario)
            let binary = try decode(body, type: protobufType, rules).batch
            let lines = try Fixtures.read("conformance/\(scenario)/input.lp.gz")
            let others = [
                try decode(lines, type: nil, rules).batch,
                try decode(Self.pbjson(body), type: "application/pbjson; proto=com.guance.Point", rules).batch,
                try decode(Self.json(body), type: "application/json", rules).batch,
            ]
            #expect(!binary.rows.isEmpty)
            for (index, other) in others.enumerated() {
                let isPlainJSON = index == 2
                let label = "\(scenario) \(["line protocol", "pbjson", "json"][index])"
                // Line protocol sorts the fields, so the bytes, and ids made of them, differ; plain JSON has no uint64.
                #expect(Self.comparable(other) == Self.comparable(binary) || isPlainJSON && isStrict, "\(label)")
                #expect(other.passedThrough == binary.passedThrough || isPlainJSON && isStrict, "\(label)")
                #expect(other.dropped == binary.dropped || isPlainJSON && isStrict, "\(label)")
            }
        }
    }

    private static func comparable(_ batch: FactsBatch) -> [SpanFacts] {
        batch.rows.map { row in
            var facts = row.facts
            if facts.flags.contains(.passThrough) { facts.id = .none }
            return facts
        }
    }

    @Test(arguments: try Fixtures.scenarios())
    func `strict takes as many spans as the collector`(scenario: String) throws {
        struct Meta: Decodable { let spans_sent: Int, spans_exported: Int, sampling_rate: Double, level: String }
        let meta = try JSONDecoder().decode(
            Meta.self, from: Data(Fixtures.read("conformance/\(scenario)/meta.json")))
        let batch = try walk(Fixtures.body(scenario), rules { $0.strict = true })
        if !scenario.hasPrefix("duplicate") { #expect(batch.rows.count + batch.dropped.total == meta.spans_sent) }
        if scenario == "odd-fields" {
            #expect(batch.rows.count == meta.spans_exported)
        } else {
            #expect(batch.dropped.total == 0)
        }
    }

    /// Splices every recorded input point with the verdict that the recorded output implies.
    @Test(arguments: try Fixtures.scenarios())
    func `exported points equal the recorded ones in every field and type`(scenario: String) throws {
        struct Meta: Decodable { let use_app_trace_id: Bool, level: String }
        let meta = try JSONDecoder().decode(
            Meta.self, from: Data(Fixtures.read("conformance/\(scenario)/meta.json")))
        let expected = try OraclePoints(serializedBytes: Fixtures.read("conformance/\(scenario)/expected.pb.gz")).arr
        let body = try Fixtures.body(scenario)
        var inputs: [String: (bytes: [UInt8], facts: SpanFacts)] = [:]
        for row in try walk(body, rules { $0.strict = true }).rows {
            let bytes = Array(body[Int(row.payloadOffset)..<Int(row.payloadOffset + row.payloadLength)])
            inputs[Self.identity(try OraclePoint(serializedBytes: bytes))] = (bytes, row.facts)
        }
        var splicer = PointSplicer(
            rules: try ExportRules(
                compat: true, idEncoding: .datakit, useApplicationTraceID: meta.use_app_trace_id))
        #expect(!expected.isEmpty)
        for point in expected {
            let input = try #require(inputs[Self.identity(point)])
            var output: [UInt8] = []
            let verdict = try Self.verdict(point, input.facts)
            let isWritten = input.bytes.withUnsafeBytes {
                splicer.appendProtobuf($0, verdict: verdict, to: &output)
            }
            #expect(isWritten)
            let written = try #require(try OraclePoints(serializedBytes: output).arr.first)
            var wanted = point
            if meta.level == "quirk", input.facts.application.parent == 0 {
                // Where two entries claim an exit the collector prints, in decimal, the parent it had before.
                let parent = try #require(point.fields.first { $0.key == "ebpf_parent_id" })
                wanted.fields.removeAll { $0.key == "parent_id" }
                wanted.fields.append(field("parent_id", parent.val))
            }
            #expect(Self.sorted(written) == Self.sorted(wanted), "\(scenario)")
        }
    }

    /// The fields that no export touches identify a point.
    private static func identity(_ point: OraclePoint) -> String {
        let names: Set = [
            "span_id", "parent_id", "trace_id", "ebpf_trace_id", "ebpf_parent_id", "app_trace_id_l",
            "app_trace_id_h", "app_parent_id_l",
        ]
        let fields = point.fields.filter { !names.contains($0.key) }.map { "\($0.key)=\(value($0))" }.sorted()
        return "\(point.time) \(fields)"
    }

    private static func sorted(_ point: OraclePoint) -> OraclePoint {
        var point = point
        point.fields.sort { $0.key < $1.key }
        return point
    }

    /// Rebuilds the verdict from the printed eBPF ids; the printed trace id only where it is another's.
    private static func verdict(_ point: OraclePoint, _ facts: SpanFacts) throws -> SpanVerdict {
        func text(_ key: String) throws -> String { try #require(point.fields.first { $0.key == key }).s }
        func hex(_ text: Substring) throws -> UInt64 { try #require(UInt64(text, radix: 16)) }
        func trace(_ text: String) throws -> TraceID {
            guard text.count == 32 else { return TraceID(high: 0, low: try #require(UInt64(text))) }
            return TraceID(high: try hex(text.prefix(16)), low: try hex(text.suffix(16)))
        }
        return SpanVerdict(
            flags: [.keep, .late], evidence: .thread, spanID: SpanID(try hex(text("span_id")[...])),
            parentID: SpanID(try hex(text("ebpf_parent_id")[...])), ebpfTraceID: try trace(text("ebpf_trace_id")),
            traceID: try trace(text("trace_id")))
    }
}
