import Foundation
import ProductSupport
import Testing

/// One scenario: its input, and what the collector exported.
struct ConformanceScenario {
    struct Meta: Decodable {
        struct Step: Decodable { var bodies: [String] }

        var level: String
        var useAppTraceId: Bool
        var samplingRate: Double
        var steps: [Step]
        var spansSent: Int
        var spansExported: Int
        var truthTraces: Int
        var exportedWithTruthParent: Int
    }

    struct Expected: Decodable {
        var span: String
        var spanId: String
        var ebpfTraceId: String
        var traceId: String
        var parentId: String
        var parentIs: String
        var ebpfParent: String
    }

    /// The generator's tree; beside the quirk scenarios only.
    struct Truth: Decodable {
        var id: Int
        var parent: Int
        var trace: Int
        var direction: String
        var reqSeq: Int64
        var respSeq: Int64
        var fullTreeEbpfTraceId: String
        var identity: String { "\(reqSeq)/\(respSeq)/\(direction)" }

    }

    /// Whether the sampling rule keeps the trace of an id, where no application has a say.
    static func isKept(_ id: String, rate: Double) -> Bool {
        guard let high = UInt64(id.prefix(16), radix: 16), let low = UInt64(id.suffix(16), radix: 16) else {
            return false
        }
        return rate >= 1 || (low &+ high) &* 1_111_111_111_111_111_111 < UInt64(rate * 0x1p64)
    }

    let name: String
    let folder: String
    let meta: Meta
    let expected: [Expected]

    init(_ name: String) async throws {
        self.name = name
        folder = Product.fixtures + "/conformance/" + name
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        meta = try decoder.decode(Meta.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/meta.json")))
        expected = try await JSONLines.read(Expected.self, folder + "/expected.jsonl.gz")
    }

    func truth() async throws -> [Truth] { try await JSONLines.read(Truth.self, folder + "/truth.jsonl.gz") }

    /// Replays the bodies of all windows, or other files, with the settings of the scenario.
    ///
    /// - Parameter rate: a sampling rate in place of the scenario's.
    func replay(_ arguments: [String], files: [String]? = nil, rate: Double? = nil) async throws -> Replay.Result {
        let bodies = meta.steps.flatMap(\.bodies).map { folder + "/" + $0 }
        let settings = [
            "--workers", "2", "--sampling-rate", "\(rate ?? meta.samplingRate)", "--use-app-trace-id",
            "\(meta.useAppTraceId)",
        ]
        return try await Replay.run(settings + arguments, files ?? bodies)
    }

    /// Fails the test where an exported span differs from what the collector exported.
    func compare(_ spans: [ExportedSpan]) throws {
        let ours = spans.byIdentity
        let byID = spans.byID
        #expect(spans.count == expected.count)
        #expect(Set(ours.keys) == Set(expected.map(\.span)), "other spans are kept")
        for wanted in expected {
            let found = try #require(ours[wanted.span], "\(wanted.span) is missing")
            try #require(found.count == 1, "\(wanted.span) comes \(found.count) times")
            let span = found[0]
            let parent = span.ebpfParentID == "0" ? "" : byID[span.ebpfParentID]?.identity ?? "not-exported"
            #expect(parent == wanted.ebpfParent, "eBPF parent of \(wanted.span)")
            #expect(span.ebpfTraceID == wanted.ebpfTraceId, "eBPF trace of \(wanted.span)")
            #expect(span.traceID == wanted.traceId, "trace of \(wanted.span)")
            switch wanted.parentIs {
            case "none": #expect(span.parentID == "0", "parent of \(wanted.span)")
            case "other": #expect(span.parentID == wanted.parentId, "parent of \(wanted.span)")
            default: #expect(byID[span.parentID]?.identity == wanted.parentIs, "parent of \(wanted.span)")
            }
        }
    }
}
