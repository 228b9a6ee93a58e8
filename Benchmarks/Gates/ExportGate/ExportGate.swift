import Linking
import Shared

#if canImport(Glibc)
import Glibc
#endif

/// Encodes the points of recorded bodies for export again and again, for callgrind to count its instructions.
///
///     export-gate FORM TIMES FILE…      FORM: points, otlp, otlp-link, otlp-all; each file is one PBPoints body
///
/// Prints spans and bytes of one round. Exit 65: a file is no readable body. Run with two different TIMES, the
/// difference has no start-up in it.
@main
struct ExportGate {
    /// Bytes after which a request is written out, as in a worker.
    private static let requestBytes = 1_000_000

    /// One body, and the spans that are kept of it.
    private struct Batch {
        var body: [UInt8]
        var spans: [(range: Range<Int>, verdict: SpanVerdict)]
    }

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count > 2, let times = Int(arguments[1]), times > 0 else {
            fail("usage: export-gate points|otlp|otlp-link|otlp-all TIMES FILE…", code: 64)
        }
        let batches = arguments.dropFirst(2).map { batch($0) }
        guard let rules = try? ExportRules() else { fail("no rules", code: 70) }
        let spans = batches.reduce(0) { $0 + $1.spans.count }
        var bytes = 0
        for _ in 0..<times {
            switch arguments[0] {
            case "points": bytes = points(batches, rules)
            case "otlp": bytes = otlp(batches, rules, .none)
            case "otlp-link": bytes = otlp(batches, rules, .link)
            case "otlp-all": bytes = otlp(batches, rules, .all)
            default: fail("\(arguments[0]) is no form", code: 64)
            }
        }
        print(spans, bytes)
    }

    @inline(never) private static func points(_ batches: [Batch], _ rules: ExportRules) -> Int {
        var splicer = PointSplicer(rules: rules)
        var output: [UInt8] = []
        output.reserveCapacity(2 * requestBytes)
        var bytes = 0
        for batch in batches {
            batch.body.withUnsafeBytes { body in
                for span in batch.spans {
                    let point = UnsafeRawBufferPointer(rebasing: body[span.range])
                    guard splicer.appendProtobuf(point, verdict: span.verdict, to: &output) else { continue }
                    if output.count > requestBytes {
                        bytes += output.count
                        output.removeAll(keepingCapacity: true)
                    }
                }
            }
        }
        return bytes + output.count
    }

    @inline(never) private static func otlp(_ batches: [Batch], _ rules: ExportRules, _ fields: OTLPFields) -> Int {
        var encoder = OTLPEncoder(rules: rules, fields: fields)
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * requestBytes, alignment: 16)
        defer { output.deallocate() }
        var bytes = 0
        for batch in batches {
            batch.body.withUnsafeBytes { body in
                for span in batch.spans {
                    let point = UnsafeRawBufferPointer(rebasing: body[span.range])
                    guard encoder.encode(point, verdict: span.verdict) else { continue }
                    if encoder.bytesWithPending > requestBytes { bytes += encoder.write(to: output) }
                    encoder.accept()
                }
            }
        }
        return bytes + encoder.write(to: output)
    }

    private static func batch(_ path: String) -> Batch {
        let body = read(path)
        var facts = FactsBatch()
        let isRead = body.withUnsafeBytes { bytes in
            (try? PointWalker(rules: IngestRules()).decode(bytes, scope: 1, into: &facts)) != nil
        }
        guard isRead else { fail("\(path) is no readable body", code: 65) }
        let spans = facts.rows.map { row in
            let start = Int(row.payloadOffset)
            let trace = TraceID(high: row.facts.id.bits, low: 7)
            let verdict = SpanVerdict(
                flags: .keep, evidence: .net, spanID: row.facts.id, parentID: SpanID(5), ebpfTraceID: trace,
                traceID: trace)
            return (range: start..<start + Int(row.payloadLength), verdict: verdict)
        }
        return Batch(body: body, spans: spans)
    }

    private static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { fail("\(path) cannot be read", code: 66) }
        defer { fclose(file) }
        var body: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&part, 1, part.count, file)
            guard count > 0 else { return body }
            body += part[..<count]
        }
    }

    private static func fail(_ text: String, code: Int32) -> Never {
        let line = Array("export-gate: \(text)\n".utf8)
        _ = write(2, line, line.count)
        exit(code)
    }
}
