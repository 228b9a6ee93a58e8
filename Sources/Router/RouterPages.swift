import AsyncHTTPClient
import Foundation
import Linking
import NIOCore
import Shared
import SharedNet

/// What the router tells about itself: `/status`, `/readyz`, and `/metrics` with its workers' series.
struct RouterPages: Sendable {
    /// The status page.
    struct Status: Codable, Sendable {
        struct Partition: Codable, Sendable {
            var worker: Int
            var first: UInt16
            var end: UInt16
        }

        var version: String
        var upSeconds: Double
        var workers: [WorkerStatus]
        var partitions: [Partition]
        var spansAccepted: UInt64
        var spansHeld: UInt64
        var spansExported: [String: UInt64]
        var spansDropped: [String: UInt64]
        var openSpans: Int
        var watermark: UInt64
        var newestMark: UInt64?
        var waitingEpochs: Int
        var traces: [String: UInt64]
        var edges: [String: UInt64]
        var problems: [String]
        /// What the embedded store holds.
        var store = StoreStatus()
    }

    let core: RouterCore
    let supervisor: OneValue<WorkerSupervisor>
    let startedNanoseconds: Int

    var readiness: Readiness { Readiness(reasons: problems) }

    private var problems: [String] {
        var problems: [String] = []
        let workers = supervisor.current?.statuses ?? []
        let running = workers.count { $0.state == "running" }
        if running < Int(core.map.workers) { problems.append("\(running) of \(core.map.workers) workers run") }
        let greeted = core.board.workers.count { $0 != nil }
        if greeted < Int(core.map.workers) {
            problems.append("\(greeted) of \(core.map.workers) workers have presented themselves")
        }
        if let failure = core.merge.progress.failure { problems.append("the verdict log fails: \(failure)") }
        return problems
    }

    var status: Status {
        let progress = core.merge.progress
        let statistics = progress.statistics
        var exported: [String: UInt64] = [:]
        var dropped: [String: UInt64] = [:]
        for line in core.accounts.lines {
            if let reason = line.reason {
                dropped[reason, default: 0] += line.count
            } else {
                exported[line.target] = line.count
            }
        }
        var edges: [String: UInt64] = [:]
        for evidence in LinkEvidence.allCases where evidence != .none {
            edges[evidence.name] = statistics.edges[Int(evidence.rawValue)]
        }
        return Status(
            version: Product.version,
            upSeconds: Double(SystemClocks.monotonicNanoseconds() - startedNanoseconds) / 1e9,
            workers: supervisor.current?.statuses ?? [],
            partitions: (0..<Int(core.map.workers)).map { worker in
                let owned = core.map.partitions(of: WorkerOrdinal(UInt16(worker)))
                return Status.Partition(worker: worker, first: owned.lowerBound, end: owned.upperBound)
            },
            spansAccepted: core.accounts.accepted, spansHeld: core.accounts.held, spansExported: exported,
            spansDropped: dropped, openSpans: progress.openSpans, watermark: progress.watermark.number,
            newestMark: core.logWriter.progress?.mark?.number, waitingEpochs: progress.waitingEpochs,
            traces: ["keep": statistics.tracesKept, "drop": statistics.tracesDropped], edges: edges,
            problems: problems, store: core.store?.status ?? StoreStatus())
    }

    /// The figures that `/api/history` keeps of this moment.
    var moment: StatusHistory.Point {
        let status = status
        let pids = status.workers.compactMap(\.pid) + [getpid()]
        let usage = pids.compactMap(ProcessUsage.of)
        return StatusHistory.Point(
            time: Double(SystemClocks.wallNanoseconds()) / 1e9, accepted: status.spansAccepted,
            exported: status.spansExported, dropped: status.spansDropped, held: status.spansHeld,
            openSpans: status.openSpans,
            lagSeconds: Self.lag(
                newest: status.newestMark, merged: status.watermark, epochNanoseconds: core.clock.epochNanoseconds),
            cpuSeconds: usage.reduce(0) { $0 + $1.cpuSeconds }, memoryBytes: usage.reduce(0) { $0 + $1.memoryBytes })
    }

    /// Seconds of log time between the newest mark and the newest epoch that is merged; 0 before the first one is.
    static func lag(newest: UInt64?, merged: UInt64, epochNanoseconds: Int) -> Double {
        guard let newest, merged > 0, newest > merged else { return 0 }
        return Double(newest - merged) * Double(epochNanoseconds) / 1e9
    }

    // MARK: Metrics

    /// The router's own page and, under the label `worker`, those of its workers that answer within a second.
    func metricsPage() async -> String {
        let own = core.metrics.render()
        let pages = await withTaskGroup(of: (Int, String)?.self) { group in
            for (ordinal, worker) in core.board.workers.enumerated() {
                guard let worker else { continue }
                group.addTask { await Self.page(of: worker.admin).map { (ordinal, $0) } }
            }
            var pages: [(Int, String)] = []
            for await page in group { if let page { pages.append(page) } }
            return pages.sorted { $0.0 < $1.0 }
        }
        var page = PrometheusPage(parsing: own)
        for (ordinal, text) in pages {
            var other = PrometheusPage(parsing: text)
            other.addLabel("worker", String(ordinal))
            page.merge(other)
        }
        return page.text
    }

    private static func page(of address: String) async -> String? {
        let request = HTTPClientRequest(url: "http://\(address)/metrics")
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(1))
            let body = try await response.body.collect(upTo: 8 << 20)
            return response.status == .ok ? String(buffer: body) : nil
        } catch {
            return nil
        }
    }
}
