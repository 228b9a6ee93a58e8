import Linking
import Logging
import ServiceLifecycle
import Shared
import SharedNet
import Synchronization

/// The worker's work, three loops around one router's logs:
///
///     follow      long poll ──▶ ends ─┬─▶ facts up to the end ──▶ PartitionState ──▶ partial graphs ──▶ router
///                                     └─▶ verdicts up to the end ──▶ VerdictApplier ──▶ ExportFanOut ──▶ targets
///     report      what ended ──▶ router, at least twice a second
///
/// Reading facts and applying verdicts run side by side: a slow target holds up the second alone.
final class WorkerService: Service {
    /// Least time between two answers about the ends of the logs: short in a replay, which waits for every epoch.
    private var pollPause: Duration { .milliseconds(welcome.isReplay ? 20 : 50) }
    /// Time between two reports.
    private static let reportPause = Duration.milliseconds(250)

    let peer: PeerClient
    let welcome: WorkerWelcome
    let limits: Limits
    let fanOut: ExportFanOut
    let reporter: WorkerReporter
    let metrics: WorkerMetrics
    let logger: Logger
    /// How far the logs reach.
    let ends = EndsWatch()
    /// How far the facts have been read; verdicts about later rows wait for it.
    let factsRead = EndsWatch()
    /// Wall clock of the append of the newest record read, nanoseconds since 1970.
    let readTime = Atomic<Int64>(0)
    /// Nanoseconds since 1970.
    let wallClock: @Sendable () -> Int

    init(
        peer: PeerClient, welcome: WorkerWelcome, limits: Limits, fanOut: ExportFanOut, reporter: WorkerReporter,
        metrics: WorkerMetrics, logger: Logger,
        wallClock: @escaping @Sendable () -> Int = { SystemClocks.wallNanoseconds() }
    ) {
        self.peer = peer
        self.welcome = welcome
        self.limits = limits
        self.fanOut = fanOut
        self.reporter = reporter
        self.metrics = metrics
        self.logger = logger
        self.wallClock = wallClock
        metrics.showLag(of: welcome.firstPartition..<welcome.endPartition) { [weak self] in self?.lag ?? 0 }
    }

    /// How old the newest facts read are while there are newer ones, nanoseconds.
    private var lag: Int {
        guard ends.current.facts > factsRead.current.facts else { return 0 }
        let read = Int(readTime.load(ordering: .relaxed))
        return read == 0 ? 0 : max(0, wallClock() - read)
    }

    func run() async throws {
        try await fanOut.start()
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await cancelWhenGracefulShutdown { await self.follow() } }
                group.addTask { await self.publishPartials() }
                group.addTask { await self.applyVerdicts() }
                group.addTask { await self.report() }
            }
        } onGracefulShutdown: {
            self.ends.close()
            self.factsRead.close()
        }
        await fanOut.close(grace: .seconds(5))
        acknowledge()
        try? await peer.report(reporter.next())
    }

    /// Asks the router how far the logs reach, over and over.
    private func follow() async {
        var known = PeerEnds(facts: 0, verdicts: welcome.acknowledgedVerdicts)
        let failures = RateLimitedLog(logger)
        while !ends.isClosed {
            do {
                let new = try await peer.ends(beyond: known)
                known = new
                reporter.reached(new)
                ends.set(new)
                // Under load every commit moves an end: asking again at once would cost more than reading the facts.
                try? await Task.sleep(for: pollPause)
            } catch is CancellationError {
                return
            } catch {
                failures.log(.warning, "cannot reach the router", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    private func acknowledge() {
        if let reached = fanOut.acknowledged { reporter.acknowledged(through: reached) }
    }

    /// Tells what ended. A report that was not answered is sent again before the next one is made.
    private func report() async {
        var unanswered: WorkerReport?
        var quiet = 0
        while !ends.isClosed {
            acknowledge()
            let report = unanswered ?? reporter.next()
            // Nothing new is told once a second, as a sign of life.
            quiet = reporter.isNews ? 0 : quiet + 1
            guard quiet % 4 == 0 || unanswered != nil else {
                try? await Task.sleep(for: Self.reportPause)
                continue
            }
            do {
                try await peer.report(report)
                unanswered = nil
            } catch {
                unanswered = report
            }
            try? await Task.sleep(for: Self.reportPause)
        }
    }
}
