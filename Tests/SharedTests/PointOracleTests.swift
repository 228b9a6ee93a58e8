import Foundation
import Linking
import SwiftProtobuf
import Testing

@testable import Shared

/// swift-protobuf as judge of the walker, the splicer and the JSON writer, on points made at random from a seed.
@Suite struct PointOracleTests {
    private static let keys =
        FieldKey.allCases.map { "\($0.name)" } + ExportKey.allCases.map { "\($0.name)" }
        + ["http_route", "service", "cookie2", "ключ", "", String(repeating: "k", count: 200)]

    static func randomValue(_ random: inout SeededGenerator) -> OracleField.OneOf_Val? {
        let texts = [
            "", "incoming", "outgoing", "entry", "hex", "error", "10.0.0.1", "fe80::1", "8080", "-1", "ff",
            "a\"\\\n\u{1}é😀",
            String(repeating: "x", count: 300), "a49143666d7cb052834c18e9982f793c", "18446744073709551615",
        ]
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: return .i(Int64(truncatingIfNeeded: random.next() >> UInt64.random(in: 0...63, using: &random)))
        case 2: return .i(Int64(truncatingIfNeeded: random.next()))
        case 3: return .u(random.next() >> UInt64.random(in: 0...63, using: &random))
        case 4:
            let doubles: [Double] = [0, 1.5, -2e300, .leastNonzeroMagnitude, .infinity, 1e15, 12]
            return .f(doubles.randomElement(using: &random) ?? 0)
        case 5: return .b(Bool.random(using: &random))
        case 6: return .d(Data((0..<5).map { _ in UInt8.random(in: 0...255, using: &random) }))
        case 7:
            var any = Google_Protobuf_Any()
            any.typeURL = "type/x"
            any.value = Data([1, 2])
            return .a(any)
        case 8: return nil
        default: return .s(texts.randomElement(using: &random) ?? "")
        }
    }

    static func randomPoint(_ random: inout SeededGenerator) -> OraclePoint {
        var point = Bool.random(using: &random) ? span() : OraclePoint()
        point.name = ["", "dketrace", "\u{7}m"].randomElement(using: &random) ?? ""
        point.time = Bool.random(using: &random) ? 0 : Int64(truncatingIfNeeded: random.next())
        for _ in 0..<Int.random(in: 0..<12, using: &random) {
            let key = keys.randomElement(using: &random) ?? ""
            point.fields.removeAll { $0.key == key }
            var added = field(key, randomValue(&random))
            if Int.random(in: 0..<4, using: &random) == 0 {
                added.isTag = true
                added.unit = "ms"
                added.type = .gauge
            }
            point.fields.append(added)
        }
        return point
    }

    private static func value(_ point: OraclePoint, _ key: String) -> OracleField.OneOf_Val? {
        point.fields.last { $0.key == key }?.val
    }

    private static func integer(_ value: OracleField.OneOf_Val?) -> UInt64? {
        func decimal(_ text: String) -> UInt64? {
            text.hasPrefix("+") ? nil : UInt64(text) ?? Int64(text).map { UInt64(bitPattern: $0) }
        }
        switch value {
        case .i(let number): return UInt64(bitPattern: number)
        case .u(let number): return number
        case .s(let text): return decimal(text)
        case .d(let data): return String(data: data, encoding: .utf8).flatMap(decimal)
        case .f(let number): return Int64(exactly: number).map { UInt64(bitPattern: $0) }
        default: return nil
        }
    }

    @Test func `both decoders agree on random points`() throws {
        var random = SeededGenerator(state: 1)
        for _ in 0..<400 {
            let points = (0..<3).map { _ in Self.randomPoint(&random) }
            let body = try message(points)
            let batch = try walk(body)
            #expect(batch.rows.count == 3 && batch.dropped.total == 0)
            for (row, point) in zip(batch.rows, points) {
                let facts = row.facts
                #expect(facts.requestSequence == Self.integer(Self.value(point, "req_seq")) ?? 0)
                #expect(facts.responseSequence == Self.integer(Self.value(point, "resp_seq")) ?? 0)
                #expect(facts.kernelTime == Int64(bitPattern: Self.integer(Self.value(point, "ktime")) ?? 0))
                #expect(facts.duration == Int64(bitPattern: Self.integer(Self.value(point, "duration")) ?? 0))
                #expect(facts.application.parent == Self.integer(Self.value(point, "app_parent_id_l")) ?? 0)
                #expect(facts.isIncoming == (Self.value(point, "direction") == .s("incoming")))
                #expect(facts.isEntry == (Self.value(point, "ebpf_span_type") == .s("entry")))
                let start = Self.integer(Self.value(point, "start")).map { Int64(bitPattern: $0) }
                #expect(facts.start == start ?? point.time / 1_000)
            }
        }
    }

    @Test func `our encoder writes what the oracle reads`() throws {
        var random = SeededGenerator(state: 2)
        for _ in 0..<300 {
            let point = Self.randomPoint(&random)
            var encoder = PointEncoder()
            encoder.begin(name: Array(point.name.utf8))
            var expected = point
            expected.fields.removeAll { Self.encodable($0.val) == nil }
            for field in expected.fields {
                guard let value = Self.encodable(field.val) else { continue }
                encoder.append(
                    key: Array(field.key.utf8), value: value, isTag: field.isTag,
                    metricType: UInt64(field.type.rawValue), unit: Array(field.unit.utf8))
            }
            encoder.end(time: point.time)
            #expect(try OraclePoints(serializedBytes: encoder.bytes).arr == [expected])
        }
    }

    private static func encodable(_ value: OracleField.OneOf_Val?) -> PointValue? {
        switch value {
        case .i(let number): .signed(number)
        case .u(let number): .unsigned(number)
        case .f(let number): .double(number)
        case .b(let truth): .bool(truth)
        case .d(let data): .bytes(Array(data))
        case .s(let text): .text(Array(text.utf8))
        case .a, nil: nil
        }
    }

    static let verdict = SpanVerdict(
        flags: [.keep, .late, .rootMissing, .truncated, .applicationTrace, .applicationHex], evidence: .netKey,
        spanID: SpanID(0xff), parentID: SpanID(0xabcdef0123456789), ebpfTraceID: TraceID(high: 1, low: 2),
        traceID: TraceID(high: 0xa, low: 0xb))

    private static let ours: Set = [
        "span_id", "parent_id", "trace_id", "ebpf_trace_id", "ebpf_parent_id", "app_trace_id_l", "app_trace_id_h",
        "app_parent_id_l", "link_evidence", "late", "root_missing", "truncated",
    ]

    @Test func `a spliced point is the original minus our fields plus ours`() throws {
        var random = SeededGenerator(state: 3)
        var splicer = PointSplicer(
            rules: try ExportRules(useApplicationTraceID: false, globalTags: [("host", "h1"), ("cluster", "c1")]))
        for _ in 0..<300 {
            let point = Self.randomPoint(&random)
            var output: [UInt8] = [9, 9]
            let bytes = [UInt8](try point.serializedData())
            guard !bytes.isEmpty else { continue }
            let isWritten = bytes.withUnsafeBytes {
                splicer.appendProtobuf($0, verdict: Self.verdict, to: &output)
            }
            #expect(isWritten)
            let written = try #require(try OraclePoints(serializedBytes: Array(output.dropFirst(2))).arr.first)
            var expected = point
            expected.fields.removeAll { Self.ours.contains($0.key) }
            let texts = [
                ("span_id", "00000000000000ff"), ("ebpf_trace_id", "00000000000000010000000000000002"),
                ("ebpf_parent_id", "abcdef0123456789"), ("trace_id", "000000000000000a000000000000000b"),
                ("parent_id", "abcdef0123456789"), ("link_evidence", "net_key"),
            ]
            expected.fields += texts.map { field($0.0, .s($0.1)) }
            expected.fields += ["late", "root_missing", "truncated"].map { field($0, .b(true)) }
            for (name, value) in [("host", "h1"), ("cluster", "c1")]
            where !point.fields.contains(where: { $0.key == name }) {
                var tag = field(name, .s(value))
                tag.isTag = true
                expected.fields.append(tag)
            }
            #expect(written == expected)
        }
    }

    @Test func `a JSON line holds every field of the exported point`() throws {
        var random = SeededGenerator(state: 4)
        let rules = try ExportRules(globalTags: [("host", "h\"1")])
        var splicer = PointSplicer(rules: rules)
        for _ in 0..<300 {
            let bytes = [UInt8](try Self.randomPoint(&random).serializedData())
            guard !bytes.isEmpty else { continue }
            var binary: [UInt8] = []
            var line: [UInt8] = []
            let isWritten = bytes.withUnsafeBytes {
                splicer.appendProtobuf($0, verdict: Self.verdict, to: &binary)
                    && splicer.appendJSONLine($0, verdict: Self.verdict, to: &line)
            }
            #expect(isWritten)
            let exported = try #require(try OraclePoints(serializedBytes: binary).arr.first)
            #expect(line.last == UInt8(ascii: "\n") && line.filter { $0 == UInt8(ascii: "\n") }.count == 1)
            var expected: [String: String] = [
                "measurement": PointConformanceTests.quoted(exported.name), "time": String(exported.time),
            ]
            for field in exported.fields {
                let key = ["time", "measurement"].contains(field.key) ? "field_\(field.key)" : field.key
                expected[key] = Self.json(field)
            }
            #expect(try Self.members(line) == expected)
        }
    }

    private static func json(_ field: OracleField) -> String {
        switch field.val {
        case .f(let number) where !number.isFinite: "null"
        case .d(let data): "\"\(data.base64EncodedString())\""
        case .a(let any): "\"\(((try? any.serializedData()) ?? Data()).base64EncodedString())\""
        default: PointConformanceTests.value(field)
        }
    }

    /// The members of a line: keys unescaped, values as they stand.
    private static func members(_ line: [UInt8]) throws -> [String: String] {
        // A second judge of the syntax.
        _ = try JSONSerialization.jsonObject(with: Data(line))
        return line.withRawBytes { bytes in
            var scanner = JSONScanner(bytes)
            let members = scanner.value().flatMap { JSONScanner.members(bytes, $0) } ?? []
            return Dictionary(
                members.map {
                    (String(decoding: $0.key, as: UTF8.self), String(decoding: bytes[$0.value], as: UTF8.self))
                },
                uniquingKeysWith: { $1 })
        }
    }

    @Test func `cut and garbled bodies never trap`() throws {
        var random = SeededGenerator(state: 5)
        var splicer = PointSplicer(rules: try ExportRules(globalTags: [("host", "h")]))
        let seeds = [
            try message([span(), Self.randomPoint(&random)]), Array(try Fixtures.body("odd-fields").prefix(3_000)),
        ]
        let types = [protobufType, "", "application/json", "application/pbjson; proto=com.guance.Point"]
        for round in 0..<3_000 {
            var body = seeds[round % 2]
            if round % 7 == 3 { body = try PointConformanceTests.pbjson(seeds[0]) }
            if round % 7 == 4 { body = Array("m,t=a\\ b f=1i,s=\"x\\\"y\" 12\n{\"measurement\":\"m\"}".utf8) }
            body.removeLast(Int.random(in: 0..<body.count, using: &random))
            for _ in 0..<Int.random(in: 0..<6, using: &random) where !body.isEmpty {
                body[Int.random(in: 0..<body.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
            }
            let encodings: [String?] = [nil, nil, nil, "gzip", "zstd", "deflate"]
            let encoding = encodings.randomElement(using: &random) ?? nil
            guard
                let decoded = try? decode(
                    body, type: types[Int.random(in: 0..<4, using: &random)], encoding: encoding)
            else { continue }
            for row in decoded.batch.rows {
                #expect(Int(row.payloadOffset) + Int(row.payloadLength) <= decoded.payload.count)
                let point = decoded.payload[Int(row.payloadOffset)..<Int(row.payloadOffset + row.payloadLength)]
                var output: [UInt8] = []
                point.withUnsafeBytes {
                    _ = splicer.appendProtobuf($0, verdict: Self.verdict, to: &output)
                    _ = splicer.appendJSONLine($0, verdict: Self.verdict, to: &output)
                }
            }
        }
    }
}
