import Linking
import Testing

@testable import Shared

/// Bodies that are not plain protobuf: line protocol, JSON, protojson, compression, the deny list.
@Suite struct PointBodyTests {
    private func points(_ body: String, type: String?, now: Int64 = 5_000) throws -> [OraclePoint] {
        try OraclePoints(serializedBytes: decode(Array(body.utf8), type: type, now: now).payload).arr
    }

    private func point(_ name: String, _ fields: [OracleField], time: Int64) -> OraclePoint {
        var point = OraclePoint()
        point.name = name
        point.fields = fields
        point.time = time
        return point
    }

    private func tag(_ key: String, _ value: String) -> OracleField {
        var tag = field(key, .s(value))
        tag.isTag = true
        return tag
    }

    @Test func `line protocol: every value and every escape`() throws {
        let body = #"""
            # a comment

            m\,1\ x,t\=1=a\,b\ c,u=v\w i=-9223372036854775808i,u=18446744073709551615u,f=-1.5e3,n=7,\#
            b=T,c=F,s="x \"y\" \\ \n,=" 12
            m s="two
            lines"
            m k\=\,\ 1=1i 13
            """#
        let expected = [
            point(
                "m,1 x",
                [
                    tag("t=1", "a,b c"), tag("u", #"v\w"#), field("i", .i(.min)), field("u", .u(.max)),
                    field("f", .f(-1_500)), field("n", .f(7)), field("b", .b(true)), field("c", .b(false)),
                    field("s", .s(#"x "y" \ \n,="#)),
                ], time: 12),
            point("m", [field("s", .s("two\nlines"))], time: 5_000),
            point("m", [field("k=, 1", .i(1))], time: 13),
        ]
        #expect(try points(body, type: "text/plain") == expected)
    }

    @Test(arguments: [
        "m", "m ", "m f", "m f=", "m f=1x", "m f=nan", "m,t f=1", "m,=v f=1", ",t=v f=1", "m f=1 2 3", "m f=\"open",
        "m f=9223372036854775808i", "m f=-1u", "m f=1 1.5",
    ])
    func `a bad line loses only itself`(line: String) throws {
        let good = "m f=1i 1\n"
        let batch = try decode(Array((good + line + "\n" + good).utf8), type: nil).batch
        #expect(batch.rows.count == 2)
        #expect(batch.dropped[.malformedPoint] == 1)
        let error = #expect(throws: BodyError.self) { try decode(Array(line.utf8), type: nil) }
        #expect(error?.errorCode == "datakit.invalidLinePoint")
    }

    @Test func `JSON keeps 64-bit integers exact and reads every kind of value`() throws {
        let element = #"""
            {"measurement": "m\u00e9\ud83d\ude00\ud800", "time": "2026-11-23T01:32:03.000000005+01:00",
             "tags": {"a": "b", "n": 1, "z": null},
             "fields": {"i": 9223372036854775807, "m": -9223372036854775808, "u": 18446744073709551615, "f": 1e2,
              "big": 18446744073709551616, "b": true, "s": "x\n\"", "none": null, "l": [1, {"a": 2}]}}
            """#
        let expected = point(
            "mé😀\u{fffd}",
            [
                tag("a", "b"), tag("n", "1"), field("i", .i(.max)), field("m", .i(.min)), field("u", .u(.max)),
                field("f", .f(100)), field("big", .f(18_446_744_073_709_551_616)), field("b", .b(true)),
                field("s", .s("x\n\"")), field("l", .s(#"[1, {"a": 2}]"#)),
            ], time: 1_795_393_923_000_000_005)
        #expect(try points("[\(element), \(element)]", type: "application/json") == [expected, expected])
        #expect(
            try points("\(element)\n\(element)\n", type: "Application/JSON; charset=utf-8") == [expected, expected])
    }

    @Test(
        arguments: [
            (#""time":7"#, 7), (#""timestamp":"8""#, 8), (#""time":"1970-01-01T00:00:00.1Z""#, 100_000_000),
            (#""time":null"#, 5_000), (#""x":1"#, 5_000), (#""time":1e3"#, 1_000),
            (#""time":"2000-02-29 12:00:00-00:30""#, 951_827_400_000_000_000),
        ] as [(String, Int64)])
    func `times of JSON points`(member: String, time: Int64) throws {
        let body = #"{"measurement":"m","fields":{"a":1},\#(member)}"#
        #expect(try points(body, type: "application/json").map(\.time) == [time])
    }

    @Test(arguments: [
        "{}", "1", #"{"measurement":"m"}"#, #"{"measurement":"","fields":{}}"#, #"{"measurement":"m","fields":1}"#,
        #"{"measurement":"m","fields":{"a":1},"time":"x"}"#,
    ])
    func `a bad element loses only itself`(element: String) throws {
        let good = #"{"measurement":"m","fields":{"a":1}}"#
        for body in ["[\(good),\(element),\(good)]", "\(good)\n\(element)\n\(good)", "\(good)\n\(element)}}\n\(good)"] {
            let batch = try decode(Array(body.utf8), type: "application/json").batch
            #expect(batch.rows.count == 2)
            #expect(batch.dropped[.malformedPoint] >= 1)
        }
    }

    @Test(arguments: [
        ("[1,", "application/json"), ("[{}]", "application/json"), ("{", "application/json"),
        ("[]x", "application/json"),
        ("{}x", "application/pbjson"), (#"{"arr":1}"#, "application/pbjson"), (#"{"arr":[1]}"#, "application/pbjson"),
    ])
    func `bodies without any JSON point are refused`(body: String, type: String) {
        let error = #expect(throws: BodyError.self) { try decode(Array(body.utf8), type: type) }
        #expect(error?.errorCode == "datakit.invalidJsonPoint")
    }

    @Test(arguments: [protobufType, nil, "application/json", "application/pbjson; proto=com.guance.Point"])
    func `an empty body has no points`(type: String?) {
        for encoding in [nil, "gzip", "identity"] {
            let error = #expect(throws: BodyError.self) { try decode([], type: type, encoding: encoding) }
            #expect(error?.errorCode == "datakit.noPoints")
        }
    }

    @Test func `deeply nested JSON is refused without recursion`() {
        let body = Array(repeating: UInt8(ascii: "["), count: 200_000)
        #expect(throws: BodyError.self) { try decode(body, type: "application/json") }
    }

    @Test func `protojson: every kind of value`() throws {
        let body = #"""
            {"arr":[{"name":"m","fields":[{"key":"i","i":"-5"},{"key":"u","u":"18446744073709551615"},
            {"key":"f","f":"NaN"},{"key":"g","f":0.5},{"key":"b","b":true},{"key":"d","d":"_-8="},
            {"key":"s","s":"x","isTag":true,"type":"GAUGE","unit":"ms"},{"key":"none"}],"time":"9"},
            {"name":"bad","fields":[{"key":"i","i":"x"}]}]}
            """#
        let decoded = try decode(Array(body.utf8), type: "application/pbjson; proto=com.guance.Point")
        #expect(decoded.batch.dropped[.malformedPoint] == 1)
        let point = try #require(try OraclePoints(serializedBytes: decoded.payload).arr.first)
        #expect(point.time == 9 && point.fields.count == 7)
        #expect(point.fields[1].val == .u(.max) && point.fields[2].f.isNaN && point.fields[3].val == .f(0.5))
        #expect(point.fields[5].val == .d(.init([0xff, 0xef])) && point.fields[6].unit == "ms")
    }

    @Test(arguments: ["gzip", "zstd", "deflate", "GZIP"]) func `compressed bodies`(encoding: String) throws {
        let body = try message([span()])
        let packed =
            switch encoding.lowercased() {
            case "zstd": try Zstd().compress(body)
            // A stored block of raw deflate.
            case "deflate":
                [
                    1, UInt8(body.count & 255), UInt8(body.count >> 8), ~UInt8(body.count & 255),
                    ~UInt8(body.count >> 8),
                ] + body
            default: try Gzip().compress(body)
            }
        let decoded = try decode(packed, type: protobufType, encoding: encoding)
        #expect(decoded.payload == body)
        #expect(decoded.batch.rows == (try walk(body)).rows)
        let error = #expect(throws: BodyError.self) {
            try decode(Array(packed.dropLast(9)), type: protobufType, encoding: encoding)
        }
        #expect(error?.errorCode == "datakit.invalidProtobufPoint")
    }

    @Test func `bombs, oversized bodies and unknown encodings are refused`() throws {
        let zeros = [UInt8](repeating: 0, count: 8 << 20)
        for (bytes, encoding) in [(try Gzip().compress(zeros), "gzip"), (try Zstd().compress(zeros), "zstd")] {
            let error = #expect(throws: BodyError.self) { try decode(bytes, type: nil, encoding: encoding) }
            #expect(error?.kind == .tooLarge)
        }
        let large = #expect(throws: BodyError.self) {
            try decode(message([span()]), type: protobufType, rules { $0.limits.bodyBytes = 9 })
        }
        #expect(large?.kind.status == 413)
        let unknown = #expect(throws: BodyError.self) { try decode([1], type: nil, encoding: "br") }
        #expect(unknown?.errorCode == "datakit.unsupportedEncoding")
    }

    @Test func `fields of the deny list are taken out before anything is stored`() throws {
        let secret = span([("Authorization", .s("Bearer s3cret")), ("cookie", .s("a=s3cret"))])
        let decoded = try decode(message([span(), secret]), type: protobufType)
        #expect(try OraclePoints(serializedBytes: decoded.payload).arr == [span(), span()])
        #expect(decoded.batch.deniedFields == 2 && decoded.batch.rows.count == 2)
        #expect(try decode(message([secret]), type: protobufType, rules { $0.denyFields = [] }).batch.deniedFields == 0)
        let kept = try message([span([("app_parent_id", .s("5")), ("cookies", .s("6"))])])
        #expect(try decode(kept, type: protobufType).payload == kept)
    }
}

@Suite struct CompressionTests {
    @Test func `what is compressed comes back, by one reused value`() throws {
        let zstd = Zstd()
        let gzip = Gzip()
        var random = SeededGenerator(state: 9)
        for count in [0, 1, 100, 70_000, 1_000_000] {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...20, using: &random) }
            #expect(try zstd.decompress(zstd.compress(bytes, level: 3), limit: count) == bytes)
            #expect(try gzip.decompress(gzip.compress(bytes, level: 6), limit: count) == bytes)
            guard count > 0 else { continue }
            let isLimit = { (error: any Error) in (error as? Failure)?.code == .limit }
            #expect(performing: { try zstd.decompress(zstd.compress(bytes), limit: count - 1) }, throws: isLimit)
            #expect(performing: { try gzip.decompress(gzip.compress(bytes), limit: count - 1) }, throws: isLimit)
        }
    }

    @Test func `several frames or members are one content`() throws {
        let (zstd, gzip) = (Zstd(), Gzip())
        let (left, right) = (Array("left".utf8), Array("right".utf8))
        #expect(try zstd.decompress(zstd.compress(left) + zstd.compress(right), limit: 99) == left + right)
        #expect(try gzip.decompress(gzip.compress(left) + gzip.compress(right), limit: 99) == left + right)
    }

    @Test func `cut and garbled frames are errors`() throws {
        let (zstd, gzip) = (Zstd(), Gzip())
        let bytes = Array(try Fixtures.body("mix").prefix(5_000))
        for packed in [try zstd.compress(bytes), try gzip.compress(bytes)] {
            for cut in stride(from: 0, to: packed.count, by: 37) {
                let rest = Array(packed.prefix(cut))
                #expect(throws: Failure.self) { try zstd.decompress(rest, limit: 4_999) }
                #expect(throws: Failure.self) { try gzip.decompress(rest, limit: 4_999) }
            }
        }
    }
}
