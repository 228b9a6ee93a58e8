import Foundation
import Linking
import SwiftProtobuf
import Testing

@testable import Shared

typealias OraclePoints = Ebpftrace_Oracle_PBPoints
typealias OraclePoint = Ebpftrace_Oracle_PBPoint
typealias OracleField = Ebpftrace_Oracle_Field

/// Committed test data.
enum Fixtures {
    static let directory = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")

    static func read(_ path: String) throws -> [UInt8] {
        let bytes = [UInt8](try Data(contentsOf: directory.appendingPathComponent(path)))
        return path.hasSuffix(".gz") ? try Gzip().decompress(bytes, limit: 64 << 20) : bytes
    }

    static func scenarios() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.appendingPathComponent("conformance").path)
            .filter { !$0.contains(".") }.sorted()
    }

    static func inputs(_ scenario: String) throws -> [[UInt8]] {
        let names = try FileManager.default.contentsOfDirectory(
            atPath: directory.appendingPathComponent("conformance/\(scenario)").path)
        return try names.filter { $0.hasSuffix(".pb") }.sorted().map { try read("conformance/\(scenario)/\($0)") }
    }

    /// All points of a scenario as one body.
    static func body(_ scenario: String) throws -> [UInt8] { Array(try inputs(scenario).joined()) }
}

/// SplitMix64: the same numbers from the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

func rules(_ change: (inout IngestRules) -> Void = { _ in }) -> IngestRules {
    var rules = IngestRules()
    change(&rules)
    return rules
}

func walk(_ body: [UInt8], _ rules: IngestRules = IngestRules(), scope: UInt64 = 7) throws -> FactsBatch {
    var batch = FactsBatch()
    try body.withRawBytes { bytes throws(BodyError) in
        try PointWalker(rules: rules).decode(bytes, scope: scope, into: &batch)
    }
    return batch
}

/// Decodes a body of any form: what became of it, and the payload its rows point into.
func decode(
    _ body: [UInt8], type: String?, encoding: String? = nil, _ rules: IngestRules = IngestRules(), now: Int64 = 5_000
) throws -> (batch: FactsBatch, payload: [UInt8]) {
    var batch = FactsBatch()
    let decoder = BodyDecoder(rules: rules)
    let decoded = try body.withRawBytes { bytes throws(BodyError) in
        try decoder.decode(
            contentType: type, contentEncoding: encoding, body: bytes, scope: 7, now: now, into: &batch)
    }
    switch decoded {
    case .asReceived: return (batch, body)
    case .rewritten(let bytes): return (batch, bytes)
    }
}

let protobufType = "application/protobuf; proto=com.guance.Point"

func message(_ points: [OraclePoint]) throws -> [UInt8] {
    var body = OraclePoints()
    body.arr = points
    return [UInt8](try body.serializedData())
}

func field(_ key: String, _ value: OracleField.OneOf_Val?) -> OracleField {
    var field = OracleField()
    field.key = key
    field.val = value
    return field
}

/// A complete outgoing exit span as agents send it; `changes` replace, add or (nil) remove fields.
func span(_ changes: [(String, OracleField.OneOf_Val?)] = []) -> OraclePoint {
    var point = OraclePoint()
    point.name = "dketrace"
    point.time = 1_760_967_818_176_049_377
    point.fields = [
        field("status", .s("ok")), field("ebpf_span_type", .s("exit")), field("req_seq", .i(1_568_661_565)),
        field("resp_seq", .i(189_502_688)), field("direction", .s("outgoing")),
        field("thread_trace_id", .i(5_231_972_779_143_275_111)), field("tid", .i(46_588)),
        field("ktime", .i(1_745_418_176_059_377)), field("pid", .s("46575")), field("dst_ip", .s("10.244.0.121")),
        field("src_ip", .s("10.244.1.47")), field("src_port", .s("32769")), field("dst_port", .s("8011")),
        field("start", .i(1_760_967_818_176_049)), field("duration", .i(8_328)),
    ]
    for (key, value) in changes {
        point.fields.removeAll { $0.key == key }
        if let value { point.fields.append(field(key, value)) }
    }
    return point
}

func facts(_ changes: [(String, OracleField.OneOf_Val?)] = [], scope: UInt64 = 7) throws -> SpanFacts {
    let batch = try walk(message([span(changes)]), scope: scope)
    return try #require(batch.rows.first).facts
}
