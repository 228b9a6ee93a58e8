import Foundation
import Linking
import Shared
import Testing

@testable import Worker

/// Recorded points through the real splicer and the real targets.
@Suite struct RealPointTests {
    private let recorder = Recorder()
    private static func encoder() throws -> SplicingEncoder { SplicingEncoder(rules: try ExportRules()) }

    /// All points of `conformance/mix`, each with its computed id, as one block a body.
    private func batches() throws -> [ExportBatch] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/conformance/mix")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".pb") }.sorted()
        return try names.enumerated().map { index, name in
            let body = [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
            var facts = FactsBatch()
            try body.withUnsafeBytes { try PointWalker(rules: IngestRules()).decode($0, scope: 7, into: &facts) }
            let spans = facts.rows.enumerated().map { place, row in
                ExportSpan(
                    point: place,
                    address: RowAddress(router: RouterOrdinal(0), position: LogPosition(UInt64(index)), row: 0),
                    verdict: SpanVerdict(
                        flags: .keep, evidence: .none, spanID: row.facts.computedID, parentID: .none,
                        ebpfTraceID: TraceID(high: 1, low: 2), traceID: TraceID(high: 1, low: 2)))
            }
            let places = facts.rows.map { Int($0.payloadOffset)..<Int($0.payloadOffset + $0.payloadLength) }
            let points = body.withUnsafeBytes { PointBuffer($0, points: places) }
            return ExportBatch(
                block: VerdictBlockID(UInt64(index) + 1), endsBlock: true, epoch: Epoch(1), epochTime: threeOClock,
                points: points, spans: spans,
                partitions: [PartitionCount(partition: PartitionID(0), spans: spans.count)])
        }
    }

    @Test func theReceiverGetsExactlyTheSplicedPoints() async throws {
        let encoder = try Self.encoder()
        let batches = try batches()
        var expected: [UInt8] = []
        var splicer = PointSplicer(rules: encoder.rules)
        for batch in batches {
            for span in batch.spans {
                #expect(splicer.appendProtobuf(batch.points[span.point], verdict: span.verdict, to: &expected))
            }
        }
        let server = MiniServer { _ in .answer(200) }
        let address = try DatawayAddress("http://127.0.0.1:\(try await server.start())?token=tkn_x")
        let target = PostingTarget(
            format: .protobuf, rules: DatawayRules(),
            transport: HTTPTransport.dataway(address, connections: 1), packing: nil,
            queue: recorder.queue("dataway"), waiting: hurried, observer: recorder, logger: quiet)
        let fanOut = ExportFanOut(targets: [target], encoder: encoder)
        try await fanOut.start()
        for batch in batches {
            await fanOut.submit(batch)
            // One body after the other, so that the order is that of the blocks.
            await fanOut.flush()
        }
        await fanOut.close(grace: .seconds(10))
        #expect(server.taken.flatMap(\.body) == expected)
        #expect(recorder.spans("dataway") == batches.reduce(0) { $0 + $1.spans.count })
        #expect(recorder.spans("dataway") > 1000)
        await server.die()
    }

    @Test func theFileHoldsAnObjectASpan() async throws {
        let folder = temporaryFolder()
        let batches = try batches()
        let target = FileTarget(
            folder: folder, worker: WorkerOrdinal(0), log: "log", policy: .replay, queue: recorder.queue("file"),
            disk: SystemDisk(isDurable: false), waiting: hurried, observer: recorder, logger: quiet)
        let fanOut = ExportFanOut(targets: [target], encoder: try Self.encoder())
        try await fanOut.start()
        for batch in batches { await fanOut.submit(batch) }
        await fanOut.close(grace: .seconds(10))
        let output = temporaryFolder() + ".jsonl"
        let spans = batches.flatMap(\.spans)
        #expect(try FileParts.join(folder, to: output) == UInt64(spans.count))
        let found = try contents(output).split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        }
        let ids = spans.map { span in
            let text = String(span.verdict.spanID.bits, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        #expect(found.map { $0?["span_id"] as? String } == ids)
        #expect(found.allSatisfy { $0?["measurement"] is String && $0?["time"] is NSNumber })
    }
}
