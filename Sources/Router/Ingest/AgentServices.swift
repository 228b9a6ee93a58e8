import Foundation
import Linking
import Logging
import NIOCore
import NIOHTTP1
import Shared
import Synchronization

/// What all connections of the agents' listener share: the sink, the small pages, bounds and counters.
final class AgentServices: Sendable {
    let options: AgentListenerOptions
    let sink: any BodySink
    let metricsPage: @Sendable () async -> String
    let version: String
    let hostName: String
    let log: RateLimitedLog
    private let now: @Sendable () -> Int
    private let startedAt: Int

    /// Bytes of bodies held by connections; see `AgentListenerOptions.heldBytes`.
    private let held = Atomic(0)
    private let draining = Atomic(false)
    private let metrics: MetricsRegistry
    private let openConnections: Gauge
    private let refusedConnections: Counter
    private let slowConnections: Counter
    private let agentErrors: Counter
    /// One counter a route and status, so that counting looks nothing up.
    private let requests: [[Counter]]

    /// The statuses the listener gives; any other counts as 500.
    static let statuses = [200, 400, 404, 405, 413, 500, 503]

    /// - Parameters:
    ///   - metricsPage: makes the whole page, workers included.
    ///   - now: nanoseconds on a clock that never goes back.
    init(
        options: AgentListenerOptions, sink: any BodySink, metrics: MetricsRegistry,
        metricsPage: @escaping @Sendable () async -> String, version: String, hostName: String, logger: Logger,
        now: @escaping @Sendable () -> Int = { SystemClocks.monotonicNanoseconds() }
    ) {
        self.options = options
        self.sink = sink
        self.metricsPage = metricsPage
        self.version = version
        self.hostName = hostName
        self.now = now
        startedAt = now()
        self.metrics = metrics
        log = RateLimitedLog(logger, now: now)
        openConnections = metrics.gauge(Metric.connections)
        refusedConnections = metrics.counter(Metric.connectionsRefused, "limit")
        slowConnections = metrics.counter(Metric.connectionsRefused, "slow")
        agentErrors = metrics.counter(Metric.agentErrors)
        requests = AgentRoute.allCases.map { route in
            Self.statuses.map { metrics.counter(Metric.httpRequests, route.rawValue, String($0)) }
        }
    }

    /// Counts a new connection; false when there are too many and it has to go.
    func connectionOpened() -> Bool {
        openConnections.add(1)
        guard openConnections.value > Int64(options.connections) else { return true }
        openConnections.add(-1)
        refusedConnections.add()
        log.log(
            .warning, "connection refused over the limit", metadata: ["connections": "\(options.connections)"])
        return false
    }

    func connectionClosed() { openConnections.add(-1) }

    func connectionTooSlow() { slowConnections.add() }

    /// Takes room for bytes of a body; false when there is none.
    func hold(_ bytes: Int) -> Bool {
        let (_, new) = held.wrappingAdd(bytes, ordering: .relaxed)
        guard new > options.heldBytes else { return true }
        held.wrappingSubtract(bytes, ordering: .relaxed)
        return false
    }

    func release(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }

    /// From here on every answer ends its connection.
    func beginDraining() { draining.store(true, ordering: .relaxed) }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Shows the CPU time of the calling thread as a stage.
    func accountThisThread(stage: String) {
        if let clock = ThreadCPUClock.ofThisThread() { StageCPU.add(stage, clock, to: metrics) }
    }

    /// Bytes of bodies held at this moment.
    var heldBytes: Int { held.load(ordering: .relaxed) }

    func count(_ route: AgentRoute, _ status: HTTPResponseStatus) {
        let row = AgentRoute.allCases.firstIndex(of: route) ?? 0
        let column = Self.statuses.firstIndex(of: Int(status.code)) ?? Self.statuses.firstIndex(of: 500) ?? 0
        requests[row][column].add()
    }

    /// The page of `/v1/ping`.
    var ping: AgentAnswer {
        let content = [
            "\"version\":\"\(AgentJSON.escaped(version))\"",
            "\"uptime\":\"\(Self.durationText(nanoseconds: now() - startedAt))\"",
            "\"host\":\"\(AgentJSON.escaped(hostName))\"",
        ]
        return .json("{\"content\":{\(content.joined(separator: ","))}}")
    }

    /// Notes what an agent reports to `/v1/lasterror`. Anything that is not the expected object is a 400.
    func errorReport(_ body: ByteBuffer, from peer: String) -> AgentAnswer {
        struct Report: Decodable {
            var input: String?
            var err_content: String?
        }
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(body.readableBytesView)) else {
            return .error(.badRequest, "datakit.invalidJsonPoint", "expected {\"input\":\"…\",\"err_content\":\"…\"}")
        }
        agentErrors.add()
        let input = String((report.input ?? "").prefix(64))
        log.log(
            .warning, "agent reported an error", key: "agent " + input,
            metadata: [
                "input": "\(input)", "peer": "\(peer)", "error": "\(String((report.err_content ?? "").prefix(512)))",
            ])
        return .ok
    }

    /// As Go prints durations: "1h2m3s".
    static func durationText(nanoseconds: Int) -> String {
        let seconds = max(0, nanoseconds) / 1_000_000_000
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60)
        if hours > 0 { return "\(hours)h\(minutes)m\(rest)s" }
        return minutes > 0 ? "\(minutes)m\(rest)s" : "\(rest)s"
    }
}
