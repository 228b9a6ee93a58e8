import Foundation
import Linking
import Logging
import NIOCore
import Shared
import Synchronization

@testable import Worker

/// Writes spans so that a test can tell them apart: `{"id":N}` lines, or `arr` entries with the point as it is.
struct MarkingEncoder: SpanEncoder {
    /// The id of a span whose point this encoder refuses.
    static let unreadable: UInt64 = 1_000_007
    let calls = Counter()

    func encode(_ batch: ExportBatch, as format: ExportFormat, bytesMax: Int) -> EncodedBatch {
        calls.add(1)
        return ChunkBuilder.encode(batch, bytesMax: bytesMax) { point, verdict, bytes in
            guard verdict.spanID.bits != MarkingEncoder.unreadable else { return false }
            if format == .jsonLines {
                bytes.writeString("{\"id\":\(verdict.spanID.bits)}\n")
            } else {
                bytes.writeInteger(0x0A as UInt8)
                var length = point.count
                while length >= 0x80 {
                    bytes.writeInteger(UInt8(length & 0x7F) | 0x80)
                    length >>= 7
                }
                bytes.writeInteger(UInt8(length))
                bytes.writeBytes(point)
            }
            return true
        }
    }
}

final class Counter: Sendable {
    private let value = Mutex(0)
    func add(_ count: Int) { value.withLock { $0 += count } }
    var count: Int { value.withLock { $0 } }
}

/// Collects what targets report.
final class Recorder: ExportObserver {
    struct Key: Hashable {
        var target: String
        var epoch: Epoch
        var partition: PartitionID
        var outcome: ExportOutcome
    }
    struct State {
        var spans: [Key: Int] = [:]
        var acknowledged: [String: VerdictBlockID] = [:]
        var retries: [String: Int] = [:]
        var statuses: [Int: Int] = [:]
        var queueMax: [String: Int] = [:]
        var isBeyond: [String: Bool] = [:]
        var wasBeyond = false
    }
    let state = Mutex(State())

    var ledger: ExportLedger {
        { [self] report in
            state.withLock { state in
                for run in report.partitions {
                    let key = Key(
                        target: report.target, epoch: report.epoch, partition: run.partition, outcome: report.outcome)
                    state.spans[key, default: 0] += run.spans
                }
            }
        }
    }
    var acknowledge: @Sendable (String, VerdictBlockID) -> Void {
        { [self] target, block in state.withLock { $0.acknowledged[target] = block } }
    }
    func spans(_ target: String, _ outcome: ExportOutcome = .exported) -> Int {
        state.withLock { state in
            state.spans.filter { $0.key.target == target && $0.key.outcome == outcome }.reduce(0) { $0 + $1.value }
        }
    }
    func ended(target: String, spans: Int, outcome: ExportOutcome) {}
    func queue(target: String, bytes: Int) {
        state.withLock { $0.queueMax[target] = max($0.queueMax[target] ?? 0, bytes) }
    }
    func retried(target: String, reason: String) { state.withLock { $0.retries[reason, default: 0] += 1 } }
    func request(target: String, status: Int, duration: Duration) {
        state.withLock { $0.statuses[status, default: 0] += 1 }
    }
    func beyondDataUsage(target: String, _ isBeyond: Bool) {
        state.withLock {
            $0.isBeyond[target] = isBeyond
            $0.wasBeyond = $0.wasBeyond || isBeyond
        }
    }

    func queue(_ target: String, bytesMax: Int = 64 << 20) -> TargetQueue {
        TargetQueue(target: target, bytesMax: bytesMax, ledger: ledger, observer: self, acknowledge: acknowledge)
    }
}

/// Waits a hundredth of what is asked.
let hurried = ExportWaiting(
    sleep: { try await Task.sleep(for: $0 / 100) }, random: { 0.5 }, now: { ContinuousClock.now }, unixSeconds: { 0 })

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// 2026-01-02 03:00 UTC, nanoseconds.
let threeOClock: UInt64 = 1_767_322_800 * 1_000_000_000

/// A batch whose spans have the ids `ids`, spread evenly over partitions in order.
func makeBatch(
    block: UInt64, epoch: UInt64 = 1, ids: Range<UInt64>, partitions: [UInt16] = [3], ends: Bool = true,
    pointBytes: Int = 40, time: UInt64 = threeOClock
) -> ExportBatch {
    var points: [UInt8] = []
    var places: [Range<Int>] = []
    var spans: [ExportSpan] = []
    var runs: [PartitionCount] = []
    let list = Array(ids)
    for (index, partition) in partitions.enumerated() {
        let from = list.count * index / partitions.count
        let to = list.count * (index + 1) / partitions.count
        for id in list[from..<to] {
            let start = points.count
            withUnsafeBytes(of: id.littleEndian) { points += $0 }
            points += [UInt8](repeating: 0x61, count: max(0, pointBytes - 8))
            places.append(start..<points.count)
            spans.append(
                ExportSpan(
                    point: places.count - 1,
                    address: RowAddress(router: RouterOrdinal(0), position: LogPosition(block), row: UInt32(id)),
                    verdict: SpanVerdict(
                        flags: .keep, evidence: .net, spanID: SpanID(id), parentID: .none,
                        ebpfTraceID: TraceID(high: 1, low: 2), traceID: TraceID(high: 1, low: 2))))
        }
        if to > from { runs.append(PartitionCount(partition: PartitionID(partition), spans: to - from)) }
    }
    return ExportBatch(
        block: VerdictBlockID(block), endsBlock: ends, epoch: Epoch(epoch), epochTime: time,
        points: points.withUnsafeBytes { PointBuffer($0, points: places) }, spans: spans, partitions: runs)
}

/// The ids in a body of `MarkingEncoder`.
func ids(inProtobuf body: [UInt8]) -> [UInt64] {
    var ids: [UInt64] = []
    var index = 0
    while index < body.count {
        guard body[index] == 0x0A else { return [] }
        index += 1
        var length = 0
        var shift = 0
        while index < body.count {
            let byte = body[index]
            index += 1
            length |= Int(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { break }
        }
        guard length >= 8, index + length <= body.count else { return [] }
        ids.append(body[index..<index + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
        index += length
    }
    return ids
}

func ids(inLines text: String) -> [UInt64] {
    text.split(separator: "\n").compactMap { line in
        guard line.hasPrefix("{\"id\":"), line.hasSuffix("}") else { return nil }
        return UInt64(line.dropFirst(6).dropLast())
    }
}

func temporaryFolder() -> String {
    let path = NSTemporaryDirectory() + "/ebpftrace-export-\(UUID().uuidString)"
    return path
}

func contents(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}

/// All lines of all hour files.
func hourIDs(_ folder: String) -> [UInt64] {
    names(folder).filter { $0.hasPrefix("traces-") }.flatMap { ids(inLines: contents(folder + "/" + $0)) }
}

/// Looks every few milliseconds until it holds, for at most `seconds`.
func eventually(within seconds: Double = 150, _ condition: @Sendable () -> Bool) async -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}
