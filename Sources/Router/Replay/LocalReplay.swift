import Foundation
import Linking
import Logging
import NIOPosix
import ServiceLifecycle
import Shared
import Synchronization

/// `replay --local`: a private router and real workers in a temporary directory, fed from files.
struct LocalReplay {
    private let settings: RouterSettings
    private let isTimed: Bool
    private let files: [String]
    private let output: String
    private let folder: String
    private let logger: Logger

    /// - Parameters:
    ///   - flags: settings of the private router; data directory, listeners and targets are replaced.
    ///   - output: the file for kept spans; `-` is standard output.
    init(flags: RouterFlags, isTimed: Bool, files: [String], output: String) throws {
        folder = try Self.makeFolder()
        var flags = flags
        flags.common.dataDir = folder + "/data"
        flags.common.workerListen = "127.0.0.1:0"
        flags.peers = "127.0.0.1:0"
        flags.store = "off"
        flags.output.target = ["file:\(folder)/out"]
        do {
            settings = try RouterSettings.resolve(flags)
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
        self.isTimed = isTimed
        self.files = files
        self.output = output
        Logs.bootstrap(level: settings.logLevel)
        logger = Logger(label: "replay")
    }

    private static func makeFolder() throws -> String {
        let folder = NSTemporaryDirectory() + "/ebpftrace-replay-\(UUID().uuidString.lowercased())"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(.cannotCreate, "cannot create \(folder); set TMPDIR to a writable folder", cause: error)
        }
        return folder
    }

    /// Feeds, links, waits until everything has ended, joins the workers' parts, and tells what happened.
    func run() async throws -> ReplaySummary {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let started = ContinuousClock.now
        // A file that is missing is found before any process is started; the feed opens them again.
        _ = try ReplayInput(paths: files, timed: isTimed, limits: settings.limits)
        let clock = SimulatedClock(windowNanoseconds: Int(settings.linking.window.exactNanoseconds))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: RunCommand.loops)
        let core = try RouterCore(
            settings: settings, mode: .init(isDriven: true, closesByTime: isTimed), clock: clock.epochClock,
            group: group, logger: logger)
        let process = try RouterProcess(
            core: core, group: group, parts: .init(hasListeners: false), logger: logger)
        let services = process.serviceGroup()
        let running = Task { try await services.run() }
        let feed = ReplayFeed(core: core, clock: clock, isTimed: isTimed, supervisor: process.supervisor)
        let feeding = Task { [files, isTimed, limits = settings.limits] in
            let input = try ReplayInput(paths: files, timed: isTimed, limits: limits)
            try await feed.run(input)
            return input.points
        }
        // Whichever ends first: the feed, or a part of the router that cannot go on.
        let watching = Task {
            _ = await running.result
            feeding.cancel()
        }
        let fed = await feeding.result
        watching.cancel()
        await services.triggerGracefulShutdown()
        if case .failure(let failure) = await running.result { throw failure }
        let spansIn = try fed.get()
        let exported = try FileParts.join(folder + "/out", to: output)
        return summary(core, spansIn: spansIn, exported: Int(exported), elapsed: started.duration(to: .now))
    }

    private func summary(_ core: RouterCore, spansIn: Int, exported: Int, elapsed: Duration) -> ReplaySummary {
        var summary = ReplaySummary(spansIn: spansIn, exported: exported)
        for line in core.accounts.lines {
            if let reason = line.reason { summary.dropped[reason, default: 0] += Int(clamping: line.count) }
        }
        for reason in PointDropReason.allCases {
            let count = core.metrics.counter(Metric.spansDropped, "ingest", reason.rawValue).value
            if count > 0 { summary.dropped[reason.rawValue, default: 0] += Int(clamping: count) }
        }
        let statistics = core.merge.progress.statistics
        summary.traces = Int(clamping: statistics.tracesKept)
        for evidence in LinkEvidence.allCases where evidence != .none {
            summary.edges[evidence.name] = Int(clamping: statistics.edges[Int(evidence.rawValue)])
        }
        summary.elapsed = elapsed
        return summary
    }
}

/// The log's clock of a replay: stands still but for what the recorded arrivals say.
final class SimulatedClock: Sendable {
    private let now = Atomic(0)
    private let window: Int

    init(windowNanoseconds: Int) { window = windowNanoseconds }

    var epochClock: EpochClock {
        EpochClock(window: window, isDriven: true) { [self] in now.load(ordering: .relaxed) }
    }

    /// Moves to a time; never back.
    func move(to time: Int) {
        let current = now.load(ordering: .relaxed)
        if time > current { now.store(time, ordering: .relaxed) }
    }

    /// Nanoseconds since 1970, as recorded.
    var time: Int { now.load(ordering: .relaxed) }
}
