import AsyncHTTPClient
import Foundation
import Linking
import Logging
import NIOCore
import SharedNet
import Synchronization
import Testing

@testable import Shared
@testable import Worker

/// A real worker service on real log files, with a stand-in for the router that keeps the ledger.
final class WorkerHarness: Sendable {
    /// What the stand-in router knows.
    struct Router: Sendable {
        var ends = PeerEnds(facts: 0, verdicts: 0)
        var ledger = Ledger()
        var graphs = 0
        var lastReport: WorkerReport?
        /// What a partial graph is answered with.
        var graphStatus = 200
    }

    /// Partitions 0..<4 of eight belong to the worker.
    static let owned: Range<UInt16> = 0..<4
    static let verdictEpochs: UInt64 = 10

    let folder = NSTemporaryDirectory() + "/ebpftrace-worker-\(UUID().uuidString)"
    let router = Mutex(Router())
    let exported = Exported()
    let log: LogBox
    private let service: WorkerService
    private let running: Task<Void, any Error>
    private let server: MiniServer
    private let client: HTTPClient

    init() async throws {
        let box = try LogBox(folder: folder)
        log = box
        let handler = PeerHandler()
        server = MiniServer.handling { handler.answer($0) }
        let port = try await server.start()
        client = HTTPClient(eventLoopGroupProvider: .singleton)
        let welcome = WorkerWelcome(
            dataDirectory: folder, logIdentity: "test", router: 0, firstPartition: Self.owned.lowerBound,
            endPartition: Self.owned.upperBound, epochNanoseconds: 1_000_000_000, lateWindowEpochs: 24,
            acknowledgedVerdicts: 0, reportedEpoch: nil, settled: [], isReplay: false,
            verdictEpochs: Self.verdictEpochs)
        let reporter = WorkerReporter(ordinal: 0, pid: 1, welcome: welcome)
        let target = Exported.Target(
            sink: exported,
            queue: TargetQueue(
                target: "test", bytesMax: 1 << 20, ledger: { reporter.ended($0) }, observer: SilentExportObserver()))
        service = WorkerService(
            peer: PeerClient(client: client, router: "http://127.0.0.1:\(port)"), welcome: welcome, limits: Limits(),
            fanOut: ExportFanOut(targets: [target], encoder: MarkingEncoder()), reporter: reporter,
            metrics: WorkerMetrics(MetricsRegistry()), logger: quiet)
        running = Task { [service] in try await service.run() }
        router.withLock { _ = try? $0.ledger.target("test") }
        handler.harness.withLock { $0 = { [weak self] in self?.answer($0) ?? .close } }
    }

    /// Tells the worker how far the logs are.
    func tell(watermark: UInt64 = 0) {
        let (facts, verdicts) = log.ends
        router.withLock { router in
            router.ends.facts = facts
            router.ends.verdicts = verdicts
            router.ends.watermark = max(router.ends.watermark, watermark)
        }
    }

    /// Appends a commit and enters it into the ledger; returns its position.
    @discardableResult
    func commit(epoch: UInt64, ids: Range<UInt64>, partition: UInt16 = 1) throws -> LogPosition {
        router.withLock { $0.ledger.accept(.init(PartitionID(partition), Epoch(epoch)), UInt64(ids.count)) }
        return try log.commit(epoch: epoch, ids: ids, partition: partition)
    }

    /// Waits until the worker has read all facts it was told of.
    func readsAll() async -> Bool {
        await eventually { [service, log] in
            service.factsRead.current.facts >= log.ends.facts
        }
    }

    /// Waits until nothing is held.
    func settles() async -> Bool {
        await eventually { [self] in router.withLock { $0.ledger.held(for: $0.ledger.targets[0]) == 0 } }
    }

    /// What left, by reason; "" is exported.
    var ended: [String: UInt64] {
        router.withLock { router in
            Dictionary(router.ledger.lines.map { ($0.reason ?? "", $0.count) }, uniquingKeysWith: +)
        }
    }

    var violations: Int { router.withLock { $0.ledger.checkBalance().count } }
    var pendingRows: Int { service.reporter.pendingRows }
    /// Facts below have ended, as the worker's newest report says.
    var lowWater: UInt64 { router.withLock { $0.lastReport?.lowWater ?? 0 } }

    func stop() async throws {
        service.ends.close()
        service.factsRead.close()
        _ = try await running.value
        try await client.shutdown()
        await server.die()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func answer(_ request: MiniServer.Request) -> MiniServer.Behaviour {
        router.withLock { router in
            switch request.uri.prefix(while: { $0 != "?" }) {
            case PeerPath.ends: return .answer(200, [], Self.text(router.ends))
            case PeerPath.partials:
                router.graphs += 1
                return .answer(router.graphStatus, [], "no")
            case PeerPath.report:
                if let report = try? JSONDecoder().decode(WorkerReport.self, from: Data(request.body)) {
                    Self.enter(report, &router)
                }
                return .answer(200, [], "{}")
            default: return .answer(404)
            }
        }
    }

    private static func text(_ value: some Encodable) -> String {
        (try? JSONEncoder().encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// As the router does it.
    private static func enter(_ report: WorkerReport, _ router: inout Router) {
        if let last = router.lastReport, report.number <= last.number { return }
        router.lastReport = report
        for line in report.lines {
            for place in stride(from: 0, to: line.counts.count, by: 2) {
                let slice = Ledger.Slice(PartitionID(UInt16(line.counts[place])), Epoch(line.epoch))
                let target = line.target.flatMap { try? router.ledger.target($0) } ?? .everyTarget
                if let reason = line.reason.flatMap({ try? router.ledger.reason($0) }) {
                    router.ledger.drop(slice, for: target, reason: reason, line.counts[place + 1])
                } else {
                    router.ledger.export(slice, to: target, line.counts[place + 1])
                }
            }
        }
        for lost in report.settled {
            guard let reason = try? router.ledger.reason(lost.reason) else { continue }
            router.ledger.settle(
                where: { lost.contains(epoch: $0.epoch.number, partition: $0.partition.number) }, reason: reason)
        }
    }

    /// Breaks the circle between server and harness.
    private final class PeerHandler: Sendable {
        let harness = Mutex<@Sendable (MiniServer.Request) -> MiniServer.Behaviour>({ _ in .close })
        func answer(_ request: MiniServer.Request) -> MiniServer.Behaviour {
            let answer = harness.withLock { $0 }
            return answer(request)
        }
    }
}

/// The ids that reached the target.
final class Exported: Sendable {
    private let state = Mutex<[UInt64]>([])
    var spans: [UInt64] { state.withLock { $0.sorted() } }

    struct Target: ExportTarget {
        let sink: Exported
        let name = "test"
        let format = ExportFormat.jsonLines
        let queue: TargetQueue

        func run() async {
            while let item = await queue.next() {
                switch item {
                case .chunk(let chunk):
                    let text = String(decoding: chunk.bytes.readableBytesView, as: UTF8.self)
                    sink.state.withLock { $0 += ids(inLines: text).map { $0 >> 32 } }
                    queue.report(chunk.partitions, epoch: chunk.epoch, outcome: .exported)
                    queue.release(bytes: chunk.bytes.readableBytes)
                    queue.finish(chunk.block)
                case .end(let block): queue.finish(block)
                case .flush: break
                }
            }
        }

    }
}

/// Span log and verdict log as the router writes them, on disk.
final class LogBox: Sendable {
    private struct State {
        let spans: SpanLogWriter
        let verdicts: RecordLog
        var rows: [LogPosition: (epoch: Epoch, ids: Range<UInt64>)] = [:]
    }

    private let state: Mutex<State>
    let folder: String

    init(folder: String) throws {
        self.folder = folder
        let directory = try DataDirectory.open(folder)
        let disk = directory.disk
        state = Mutex(
            State(
                spans: try SpanLogWriter(disk: disk, folder: directory.spanLog, segmentBytes: 1 << 20),
                verdicts: try RecordLog(disk: disk, folder: directory.verdictLog, segmentBytes: 1 << 20)))
    }

    var ends: (facts: UInt64, verdicts: UInt64) { state.withLock { ($0.spans.end.offset, $0.verdicts.end) } }

    func commit(epoch: UInt64, ids: Range<UInt64>, partition: UInt16) throws -> LogPosition {
        try state.withLock { state in
            var commit = SpanCommit(epoch: Epoch(epoch), time: Int64(epoch) * 1_000_000_000)
            let rows = ids.enumerated().map { index, id in
                FactsRow(
                    facts: Self.facts(id), partition: PartitionID(partition), payloadOffset: UInt32(index * 16),
                    payloadLength: 16)
            }
            try commit.add(payload: PayloadBytes([UInt8](repeating: 0x61, count: ids.count * 16)), rows: rows)
            let position = try state.spans.append(commit)
            state.rows[position] = (Epoch(epoch), ids)
            return position
        }
    }

    /// A span that is linked with nothing, and is its own trace.
    private static func facts(_ id: UInt64) -> SpanFacts {
        var facts = SpanFacts()
        facts.flags = .passThrough
        // The filter of duplicates looks at the high bits.
        facts.id = SpanID(id << 32)
        return facts
    }

    func mark(_ epoch: UInt64) throws {
        _ = try state.withLock { try $0.spans.appendMark(epoch: Epoch(epoch), time: Int64(epoch) * 1_000_000_000) }
    }

    /// Appends the block that keeps all rows of some commits; returns its position.
    @discardableResult
    func keep(_ commits: [LogPosition]) throws -> UInt64 {
        try state.withLock { state in
            var options = LinkingOptions()
            options.samplingRate = 1
            var merge = GraphMerge(options: options)
            for commit in commits {
                let rows = try #require(state.rows[commit])
                for (row, id) in rows.ids.enumerated() {
                    let address = RowAddress(router: RouterOrdinal(0), position: commit, row: UInt32(row))
                    merge.insert(Self.facts(id), at: address, epoch: Epoch(1))
                }
            }
            var verdicts = VerdictBuilder()
            merge.flush(into: &verdicts)
            let blocks = verdicts.finish(watermark: Epoch(1), spansPerBlock: 1 << 20)
            return try state.verdicts.append(kind: VerdictLogRecord.block, try #require(blocks.first))
        }
    }

    /// Appends a record that is sound, but no verdict block.
    func appendNonsense() throws {
        _ = try state.withLock { try $0.verdicts.append(kind: VerdictLogRecord.block, Array("EVB1 nonsense".utf8)) }
    }

    /// Turns a bit round in the record at a position of a log: `span-log/facts` or `verdict-log`.
    func damage(_ log: String, at position: UInt64) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder + "/" + log + "/" + SegmentHeader.name(0)))
        defer { try? file.close() }
        let offset = UInt64(SegmentHeader.bytes) + position + UInt64(RecordHeader.bytes) + 3
        try file.seek(toOffset: offset)
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: offset)
        try file.write(contentsOf: [byte ^ 0x10])
    }
}
