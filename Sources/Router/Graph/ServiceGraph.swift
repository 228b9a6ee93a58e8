import Linking

/// Who calls whom how often, how fast and with how many errors, from the spans that were kept.
///
///     client span of A ──┐ same trace; the server span's parent is the client span
///     server span of B ──┴──▶ edge A → B
///     client span alone, after `patience` ──▶ edge A → database | messaging | address; counted as unpaired
///     server span alone, after `patience` ──▶ counted as unpaired (called from outside, or the caller was lost)
///
/// Pure but for its own state: the time comes with each call. A span costs one table operation; ends that wait are
/// at most `Limits.graphWaitingSpans`, edges at most `Limits.graphEdges` for each minute.
struct ServiceGraph: Sendable {
    /// Told of each request once its edge is known: for metrics.
    typealias Observer = (GraphEdgeKey, Request) -> Void

    /// One request over an edge; nanoseconds.
    struct Request: Sendable {
        var isError: Bool
        var clientDuration: UInt64?
        var serverDuration: UInt64?
    }

    /// Spans of one service whose other end never came.
    struct UnpairedKey: Hashable, Sendable {
        var service: String
        var side: GraphSpan.Side
    }

    private struct SpanKey: Hashable {
        var trace: TraceID
        var span: SpanID
    }

    private struct Waiting {
        var span: GraphSpan
        /// Since when, nanoseconds of the caller's clock.
        var since: UInt64
    }

    /// How long an end waits for the other one: workers deliver the two within a few seconds.
    static let patience: UInt64 = 10_000_000_000
    /// How far clocks of nodes may be ahead. A span that starts later has a broken one, and counts as of its arrival.
    static let aheadNanoseconds: UInt64 = 300_000_000_000

    private let limits: Limits
    private var clients: [SpanKey: Waiting] = [:]
    /// Server spans whose client has not come yet, by the client's id.
    private var servers: [SpanKey: Waiting] = [:]
    private var queue: [(since: UInt64, key: SpanKey, side: GraphSpan.Side)] = []
    private var queueHead = 0
    private(set) var minutes = GraphMinutes()
    /// Spans whose start lay in the future.
    private(set) var fromFuture = 0
    private var unpaired: [UnpairedKey: Int] = [:]

    init(limits: Limits = Limits()) { self.limits = limits }

    /// Ends that wait for the other one.
    var waiting: Int { clients.count + servers.count }

    /// Takes spans; `now`: nanoseconds of any clock that does not go back; `wall`: nanoseconds since 1970.
    mutating func take(_ spans: [GraphSpan], now: UInt64, wall: UInt64 = .max, observe: Observer) {
        expire(now: now, observe)
        for var span in spans {
            if span.start > wall, span.start - wall > Self.aheadNanoseconds {
                span.start = wall
                fromFuture += 1
            }
            take(span, now: now, observe)
        }
    }

    /// The ends that stayed alone since the last call.
    mutating func takeUnpaired() -> [UnpairedKey: Int] {
        defer { unpaired.removeAll(keepingCapacity: true) }
        return unpaired
    }

    /// Lets ends go that waited for `patience`.
    mutating func expire(now: UInt64, _ observe: Observer) {
        while queueHead < queue.count {
            let next = queue[queueHead]
            guard next.since &+ Self.patience <= now || waiting > limits.graphWaitingSpans else { break }
            queueHead += 1
            giveUp(next.key, next.side, since: next.since, observe)
        }
        if queueHead > 4_096, queueHead * 2 > queue.count {
            queue.removeFirst(queueHead)
            queueHead = 0
        }
    }

    private mutating func take(_ span: GraphSpan, now: UInt64, _ observe: Observer) {
        switch span.side {
        case .client:
            let key = SpanKey(trace: span.traceID, span: span.id)
            if let server = servers.removeValue(forKey: key) { return join(span, server.span, observe) }
            // The same span again: a repeated delivery.
            guard clients.updateValue(Waiting(span: span, since: now), forKey: key) == nil else { return }
            queue.append((now, key, .client))
        case .server:
            guard let parent = span.parent else {
                return countUnpaired(span)
            }
            let key = SpanKey(trace: span.traceID, span: parent)
            if let client = clients.removeValue(forKey: key) { return join(client.span, span, observe) }
            guard servers.updateValue(Waiting(span: span, since: now), forKey: key) == nil else { return }
            queue.append((now, key, .server))
        }
    }

    private mutating func join(_ client: GraphSpan, _ server: GraphSpan, _ observe: Observer) {
        let key = GraphEdgeKey(client: client.service, server: server.service, connection: .paired)
        let request = Request(
            isError: client.isError || server.isError, clientDuration: client.duration,
            serverDuration: server.duration)
        count(key, request, at: server.start, observe)
    }

    private mutating func giveUp(
        _ key: SpanKey, _ side: GraphSpan.Side, since: UInt64, _ observe: Observer
    ) {
        let waiting = side == .client ? clients[key] : servers[key]
        // Another span may wait under the key by now.
        guard let waiting, waiting.since == since else { return }
        if side == .client { clients[key] = nil } else { servers[key] = nil }
        let span = waiting.span
        countUnpaired(span)
        guard side == .client, let peer = span.peer else { return }
        let (server, connection): (String, GraphEdgeKey.Connection) = switch peer {
        case .database(let name): (name, .database)
        case .messaging(let name): (name, .messaging)
        case .external(let name): (name, .external)
        }
        let request = Request(isError: span.isError, clientDuration: span.duration, serverDuration: nil)
        count(
            GraphEdgeKey(client: span.service, server: server, connection: connection), request, at: span.start,
            observe)
    }

    private mutating func countUnpaired(_ span: GraphSpan) {
        let key = UnpairedKey(service: span.service, side: span.side)
        minutes.unpaired(key, at: span.start, keysMax: limits.graphEdges)
        unpaired[key, default: 0] += 1
    }

    private mutating func count(_ key: GraphEdgeKey, _ request: Request, at start: UInt64, _ observe: Observer) {
        if minutes.count(key, request, at: start, edgesMax: limits.graphEdges) { observe(key, request) }
    }
}
