import LoadModel

/// Shows that the OTLP sink takes what a perfect product would send, answers as the specification says, and that the
/// check notices a false kind, time or trace id.
public enum OTLPSinkTest {
    public static func run(_ settings: LoadSettings, _ check: (String, Bool, String) -> Void) {
        let (truth, bodies) = generate(settings)
        for isGzip in [false, true] {
            let name = isGzip ? "otlp, gzip" : "otlp"
            let (counts, report, statuses) = export(bodies, truth, .none, isGzip: isGzip)
            check("\(name): every body is answered with 200", statuses == [200], "\(bodies.count) bodies")
            check("\(name): every span arrives and is right",
                  counts.spans == truth.count && counts.unreadable == 0 && report.wrong == 0, "\(counts.spans)")
        }
        let few = bodies.prefix(4).map { $0 }
        let sent = few.reduce(0) { $0 + $1.points }
        check("otlp: a false kind", export(few, truth, .kind).report.unknown == sent, "")
        check("otlp: a start 1 us off", export(few, truth, .start).report.unknown == sent, "")
        check("otlp: a trace id for each span", export(few, truth, .traceID).report.splitTraces > 0, "")
        answers(bodies, truth, check)
    }

    private static func answers(
        _ bodies: [BodyBuffer], _ truth: Truth, _ check: (String, Bool, String) -> Void
    ) {
        guard let sink = SpanSink(.otlp), let whole = OTLPRequest(truth).bytes(of: bodies[0].body) else {
            return check("otlp: a sink and a request", false, "")
        }
        defer { sink.stop() }
        let type = "Content-Type: application/x-protobuf"
        func status(_ path: String, _ fields: [String], _ body: [UInt8]) -> Int? {
            ask("POST", port: sink.port, path: path, fields: fields, body: body)?.status
        }
        check("otlp: a body cut short is answered with 400", status("/v1/traces", [type], whole.dropLast()) == 400, "")
        check("otlp: another path with 404", status("/v1/metrics", [type], whole) == 404, "")
        check("otlp: JSON with 415", status("/v1/traces", ["Content-Type: application/json"], whole) == 415, "")
        check("otlp: zstd with 415", status("/v1/traces", [type, "Content-Encoding: zstd"], whole) == 415, "")
        check("otlp: all four count as unreadable", sink.soFar().unreadable == 4, "\(sink.soFar().unreadable)")
    }

    private static func generate(_ settings: LoadSettings) -> (Truth, [BodyBuffer]) {
        var bodies: [BodyBuffer] = []
        let generator = LoadGenerator(settings: settings, makeBuffer: { BodyBuffer(capacity: 320 << 10) })
        while generator.step({ bodies.append($0) }) {}
        generator.finish { bodies.append($0) }
        return (generator.truth, bodies)
    }

    private static func export(
        _ bodies: [BodyBuffer], _ truth: Truth, _ fault: OTLPRequest.Fault, isGzip: Bool = false
    ) -> (counts: SinkCounts, report: TruthReport, statuses: Set<Int>) {
        guard let sink = SpanSink(.otlp) else { return (SinkCounts(), TruthReport(), []) }
        defer { sink.stop() }
        let requests = OTLPRequest(truth, fault: fault)
        var statuses: Set<Int> = []
        for body in bodies {
            let plain = requests.bytes(of: body.body) ?? []
            let fields = ["Content-Type: application/x-protobuf"] + (isGzip ? ["Content-Encoding: gzip"] : [])
            let body = isGzip ? deflated(plain) ?? [] : plain
            let answer = ask("POST", port: sink.port, path: "/v1/traces", fields: fields, body: body)
            statuses.insert(answer?.status ?? 0)
        }
        return (sink.soFar(), sink.check(truth, samplingRate: 1), statuses)
    }
}
