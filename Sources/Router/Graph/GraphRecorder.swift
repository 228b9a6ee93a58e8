import Linking
import Shared
import Synchronization

/// The router's service graph: takes spans from any task, counts them for `/metrics`, answers for `/api/graph`.
final class GraphRecorder: Sendable {
    /// Handles of one edge's series.
    fileprivate struct Series {
        var requests: Counter
        var failed: Counter
        var server: Histogram
        var client: Histogram
    }

    fileprivate struct State {
        var graph: ServiceGraph
        var series: [GraphEdgeKey: Series] = [:]
        var unpaired: [ServiceGraph.UnpairedKey: Int] = [:]
    }

    private let state: Mutex<State>
    private let metrics: MetricsRegistry
    private let edgesMax: Int
    private let uncounted: Counter
    private let now: @Sendable () -> UInt64
    private let wall: @Sendable () -> UInt64

    /// - Parameters:
    ///   - now: nanoseconds of a clock that does not go back.
    ///   - wall: nanoseconds since 1970.
    init(
        metrics: MetricsRegistry, limits: Limits = Limits(),
        now: @escaping @Sendable () -> UInt64 = { UInt64(SystemClocks.monotonicNanoseconds()) },
        wall: @escaping @Sendable () -> UInt64 = { UInt64(clamping: SystemClocks.wallNanoseconds()) }
    ) {
        state = Mutex(State(graph: ServiceGraph(limits: limits)))
        self.metrics = metrics
        self.now = now
        self.wall = wall
        edgesMax = limits.graphEdges
        uncounted = metrics.counter(Metric.graphUncounted)
        metrics.onScrape(Metric.graphWaiting) { [weak self] emit in
            guard let self else { return }
            emit([], Double(self.waiting))
        }
        metrics.onScrape(Metric.graphMisdated) { [weak self] emit in
            guard let self else { return }
            let (future, past) = self.state.withLock { ($0.graph.fromFuture, $0.graph.minutes.tooOld) }
            emit(["future"], Double(future))
            emit(["past"], Double(past))
        }
        metrics.onScrape(Metric.graphUnpaired) { [weak self] emit in
            guard let self else { return }
            for (key, count) in self.unpaired {
                emit(key.side == .client ? [key.service, ""] : ["", key.service], Double(count))
            }
        }
    }

    /// Takes the spans of one request of a worker.
    func take(_ spans: [GraphSpan]) {
        state.withLock { state in
            var requests: [(GraphEdgeKey, ServiceGraph.Request)] = []
            state.graph.take(spans, now: now(), wall: wall()) { requests.append(($0, $1)) }
            for (key, request) in requests { record(key, request, &state) }
            let tooMany = state.count(state.graph.takeUnpaired(), keysMax: edgesMax)
            uncounted.add(tooMany)
        }
    }

    /// Requests, errors and latencies between two times (nanoseconds since 1970).
    func sum(from: UInt64, to: UInt64) -> GraphMinutes.Minute {
        expire()
        return state.withLock { $0.graph.minutes.sum(from: from, to: to) }
    }

    /// The first and the last minute that something is known of, nanoseconds since 1970.
    var bounds: (from: UInt64, to: UInt64)? { state.withLock { $0.graph.minutes.bounds } }

    private var waiting: Int {
        expire()
        return state.withLock { $0.graph.waiting }
    }

    private var unpaired: [ServiceGraph.UnpairedKey: Int] { state.withLock { $0.unpaired } }

    /// Ends are given up when somebody looks, too: without load no spans come to push them out.
    private func expire() { take([]) }

    private func record(_ key: GraphEdgeKey, _ request: ServiceGraph.Request, _ state: inout State) {
        guard let series = series(key, &state) else { return uncounted.add() }
        series.requests.add()
        if request.isError { series.failed.add() }
        if let duration = request.serverDuration { series.server.record(Int(clamping: duration)) }
        if let duration = request.clientDuration { series.client.record(Int(clamping: duration)) }
    }

    private func series(_ key: GraphEdgeKey, _ state: inout State) -> Series? {
        if let series = state.series[key] { return series }
        guard state.series.count < edgesMax else { return nil }
        let (client, server, type) = (key.client, key.server, key.connection.rawValue)
        let series = Series(
            requests: metrics.counter(Metric.graphRequests, client, server, type),
            failed: metrics.counter(Metric.graphFailed, client, server, type),
            server: metrics.histogram(Metric.graphServerSeconds, client, server, type),
            client: metrics.histogram(Metric.graphClientSeconds, client, server, type))
        state.series[key] = series
        return series
    }
}

extension GraphRecorder.State {
    /// Counts ends that stayed alone; returns how many belong to one service too many.
    fileprivate mutating func count(_ ended: [ServiceGraph.UnpairedKey: Int], keysMax: Int) -> Int {
        var tooMany = 0
        for (key, spans) in ended {
            if unpaired[key] == nil, unpaired.count >= keysMax {
                tooMany += spans
            } else {
                unpaired[key, default: 0] += spans
            }
        }
        return tooMany
    }
}
