import Linking
import Testing

@testable import Shared

@Suite struct PointWalkerTests {
    @Test func `every key matches by its words`() {
        for key in FieldKey.allCases {
            // Exactly sized memory: a load beyond the key would be seen by a sanitizer.
            let count = key.name.utf8CodeUnitCount
            let copy = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
            defer { copy.deallocate() }
            copy.copyMemory(from: UnsafeRawPointer(key.name.utf8Start), byteCount: count)
            #expect(FieldKey.match(UnsafeRawPointer(copy), 0, count) == key)
        }
        for key in ExportKey.allCases {
            #expect(ExportKey.match(UnsafeRawPointer(key.name.utf8Start), 0, key.name.utf8CodeUnitCount) == key)
        }
    }

    @Test(arguments: ["http_method", "bytes_read", "resource", "service", "span_type", "tiD", "app_trace_id_x", ""])
    func `other keys do not match`(key: String) {
        Array(key.utf8).withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            #expect(FieldKey.match(base, 0, bytes.count) == nil)
            #expect(ExportKey.match(base, 0, bytes.count) == nil)
        }
    }

    @Test func `link facts of a complete span`() throws {
        let facts = try facts()
        #expect(facts.requestSequence == 1_568_661_565)
        #expect(facts.responseSequence == 189_502_688)
        #expect(facts.threadKey == 5_231_972_779_143_275_111)
        #expect(facts.processID == 46_575)
        #expect(facts.threadID == 46_588)
        #expect(facts.kernelTime == 1_745_418_176_059_377)
        #expect(facts.start == 1_760_967_818_176_049)
        #expect(facts.duration == 8_328)
        #expect(facts.scope == 7)
        #expect(facts.flags == [.hasFlow, .hasKernelTime, .hasProcess, .hasPID])
        let source = FlowEnd(ipv4: 0x0af4_012f, port: 32_769)
        let flow = FlowKey(source: source, destination: FlowEnd(ipv4: 0x0af4_0079, port: 8_011), incoming: false)
        #expect(facts.flow == flow.pairFingerprint)
        #expect(facts.initiator == flow.initiatorFingerprint)
        #expect(facts.id == facts.computedID)
    }

    @Test func `integers come as i, u or decimal text`() throws {
        let plain = try facts()
        let unsigned = try facts([("req_seq", .u(1_568_661_565)), ("ktime", .u(1_745_418_176_059_377))])
        let text = try facts([("req_seq", .s("1568661565")), ("tid", .d(.init("46588".utf8))), ("pid", .i(46_575))])
        let whole = try facts([("req_seq", .f(1_568_661_565))])
        #expect(unsigned == plain)
        #expect(text == plain)
        #expect(whole == plain)
        #expect(try facts([("req_seq", .s("12x"))]).requestSequence == 0)
        #expect(try facts([("app_parent_id_l", .s("18446744073709551615"))]).application.parent == .max)
        #expect(try facts([("app_parent_id_l", .s("18446744073709551616"))]).application.parent == 0)
        #expect(try facts([("app_parent_id_l", .s("-5"))]).application.parent == UInt64(bitPattern: -5))
    }

    @Test(arguments: [0, -1] as [Int64]) func `a thread id of 0 or -1 is none`(thread: Int64) throws {
        #expect(try facts([("thread_trace_id", .i(thread))]).threadKey == 0)
        #expect(try facts([("thread_trace_id", .u(UInt64(bitPattern: thread)))]).threadKey == 0)
    }

    @Test func `tid_usr wins over tid, unless it is 0`() throws {
        let user = try facts([("tid_usr", .i(967))])
        #expect(user.threadID == 967 && user.flags.contains(.userThread))
        let none = try facts([("tid_usr", .i(0))])
        #expect(none.threadID == 46_588 && !none.flags.contains(.userThread))
    }

    @Test func `a pid that is no number counts by its hash`() throws {
        let named = try facts([("pid", .s("container-1/7"))])
        #expect(named.processID == Array("container-1/7".utf8).withUnsafeBytes(StableHash.of))
        #expect(try !facts([("pid", nil)]).flags.contains(.hasPID))
    }

    @Test func `the destination behind a NAT replaces the one before it`() throws {
        let direct = try facts([("dst_ip", .s("10.1.2.3")), ("dst_port", .s("80"))])
        let nat = try facts([("dst_nat_ip", .s("10.1.2.3")), ("dst_nat_port", .s("80"))])
        let empty = try facts([("dst_nat_ip", .s("")), ("dst_nat_port", .s(""))])
        #expect(nat.flow == direct.flow)
        #expect(empty.flow == (try facts()).flow)
    }

    @Test func `scope is the host field, else the given one, else src_ip`() throws {
        func hash(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes(StableHash.of) }
        #expect(try facts([("host", .s("node-1"))]).scope == hash("node-1"))
        #expect(try facts([], scope: 7).scope == 7)
        #expect(try facts([], scope: 0).scope == hash("10.244.1.47"))
    }

    @Test func `an application trace counts only when both halves are there`() throws {
        let both = try facts([("app_trace_id_l", .i(-5)), ("app_trace_id_h", .i(3)), ("app_span_sampled", .i(1))])
        #expect(both.application == ApplicationIDs(traceLow: UInt64(bitPattern: -5), traceHigh: 3))
        #expect(both.flags.contains([.hasApplication, .sampledKeep, .applicationHex]))
        let half = try facts([("app_trace_id_l", .i(77)), ("app_parent_id_l", .i(78)), ("app_span_sampled", .i(-1))])
        #expect(half.application == ApplicationIDs(parent: 78))
        #expect(half.flags.isDisjoint(with: [.sampledKeep, .sampledReject]))
        let zero = try facts([("app_trace_id_l", .i(0)), ("app_trace_id_h", .i(0)), ("app_span_sampled", .i(-1))])
        #expect(!zero.flags.contains(.hasApplication) && zero.flags.contains(.sampledReject))
    }

    @Test(arguments: [
        ("", "a49143666d7cb052834c18e9982f793c", 0, true), ("", "11051282038977924370", 0, false),
        ("", "80f198ee56343ba8", 0, true), ("hex", "77", 0, true), ("decimal", "a49143666d7cb052", 5, false),
        ("", "", 5, true), ("", "", 0, false), ("", "12345678901234567890123456789012", 0, true),
    ])
    func `the form of the trace id text`(encoding: String, text: String, high: Int64, isHex: Bool) throws {
        let facts = try facts([
            ("app_trace_id_l", .i(9)), ("app_trace_id_h", .i(high)), ("app_trace_encode", .s(encoding)),
            ("app_trace_id", .s(text)),
        ])
        #expect(facts.flags.contains(.applicationHex) == isHex)
        #expect(facts.flags.contains(.encodeHex) == (encoding == "hex"))
    }

    @Test func `a given span id is kept`() throws {
        #expect(try facts([("span_id", .i(-2))]).id.bits == UInt64(bitPattern: -2))
        #expect(try facts([("span_id", .s("00000000000000ff"))]).id.bits == 255)
        #expect(try facts([("span_id", .s("255"))]).id.bits == 255)
        #expect(try facts([("span_id", .s("ff"))]).id.bits == 255)
        #expect(try facts([("span_id", .i(-2))]).flags.contains(.givenID))
        #expect(try facts([("span_id", .i(0))]) == facts())
        #expect(try facts([("span_id", .s("zz"))]) == facts())
    }

    @Test func `what linking cannot use is passed through, counted by reason`() throws {
        let points = [
            span(), span([("direction", nil)]), span([("direction", .i(1))]), span([("ebpf_span_type", nil)]),
            span([("req_seq", nil), ("thread_trace_id", nil), ("pid", nil)]),
        ]
        let body = try message(points)
        let batch = try walk(body)
        #expect(batch.rows.count == 5)
        #expect(batch.rows.map { $0.facts.flags.contains(.passThrough) } == [false, true, true, true, true])
        #expect(batch.passedThrough[.missingDirection] == 2)
        #expect(batch.passedThrough[.missingSpanType] == 1)
        #expect(batch.passedThrough[.noLinkFacts] == 1)
        for row in batch.rows.dropFirst() {
            let bytes = body[Int(row.payloadOffset)..<Int(row.payloadOffset + row.payloadLength)]
            #expect(row.facts.id.bits == Array(bytes).withUnsafeBytes(StableHash.of))
        }
    }

    @Test func `strict drops what today's collector drops`() throws {
        let bad: [[(String, OracleField.OneOf_Val?)]] = [
            [("req_seq", nil)], [("resp_seq", .u(5))], [("thread_trace_id", .s("5"))], [("direction", nil)],
            [("ebpf_span_type", .d(.init("exit".utf8)))], [("span_id", .s("ff"))], [("span_id", .u(5))],
        ]
        let good: [[(String, OracleField.OneOf_Val?)]] = [
            [], [("req_seq", .i(0))], [("span_id", .i(5))], [("pid", nil)], [("direction", .s("unknown"))],
        ]
        let batch = try walk(message((bad + good).map { span($0) }), rules { $0.strict = true })
        #expect(batch.dropped[.missingField] == bad.count)
        #expect(batch.rows.count == good.count)
        #expect(batch.passedThrough.total == 0)
    }

    @Test func `a missing start is the point's time`() throws {
        #expect(try facts([("start", nil)]).start == 1_760_967_818_176_049)
    }

    @Test func `the payload range of a row is its point`() throws {
        let points = [span(), span([("pid", .s("9"))])]
        let body = try message(points)
        let rows = try walk(body).rows
        let decoded = try rows.map { row in
            try OraclePoint(
                serializedBytes: Array(body[Int(row.payloadOffset)..<Int(row.payloadOffset + row.payloadLength)]))
        }
        #expect(decoded == points)
    }

    @Test func `a malformed point loses only itself`() throws {
        let good = try message([span()])
        let bad: [UInt8] = [0x0a, 0x04, 0x12, 0x09, 0x0a, 0x01]
        let group: [UInt8] = [0x0a, 0x02, 0x1b, 0x1c]
        let batch = try walk(good + bad + group + good)
        #expect(batch.rows.count == 2)
        #expect(batch.dropped[.malformedPoint] == 2)
        #expect(throws: BodyError.self) { try walk(bad) }
    }

    @Test func `broken framing refuses the body and leaves the batch alone`() throws {
        let good = try message([span()])
        var batch = try walk(good)
        let before = batch.rows
        for body in [good + [0x0a, 0x05, 0x01], good + [0x0b], good + [0xff], good + [0x00]] {
            let error = #expect(throws: BodyError.self) {
                try body.withRawBytes { bytes throws(BodyError) in
                    try PointWalker(rules: IngestRules()).decode(bytes, scope: 0, into: &batch)
                }
            }
            #expect(error?.errorCode == "datakit.invalidProtobufPoint")
            #expect(batch.rows == before)
            #expect(batch.dropped.total == 0)
        }
        #expect(throws: PointWalker.noPoints) { try walk([]) }
        #expect(throws: PointWalker.noPoints) { try walk([0x10, 0x05]) }
    }

    @Test func `limits drop a point or refuse the body`() throws {
        let body = try message([span(), span([("extra", .i(1))])])
        let fields = try walk(body, rules { $0.limits.fieldsPerPoint = 15 })
        #expect(fields.rows.count == 1 && fields.dropped[.tooManyFields] == 1)
        let bytes = try walk(body, rules { $0.limits.pointBytes = 10 })
        #expect(bytes.rows.isEmpty && bytes.dropped[.pointTooLarge] == 2)
        let error = #expect(throws: BodyError.self) { try walk(body, rules { $0.limits.pointsPerBody = 1 }) }
        #expect(error?.kind.status == 413)
    }

    @Test(arguments: PartitionKey.allCases) func `both ends of a flow meet in one partition`(key: PartitionKey) throws {
        let client = span()
        let server = span([
            ("direction", .s("incoming")), ("src_ip", .s("::ffff:10.244.0.121")), ("src_port", .i(8_011)),
            ("dst_ip", .s("10.244.1.47")), ("dst_port", .u(32_769)), ("pid", .s("1")),
        ])
        let rows = try walk(message([client, server]), rules { $0.partitionKey = key }).rows
        #expect(rows[0].partition == rows[1].partition)
        #expect(rows[0].facts.flow == rows[1].facts.flow)
        #expect(rows[0].facts.initiator == rows[1].facts.initiator)
    }
}
