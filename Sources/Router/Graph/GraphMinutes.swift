/// Edges by the minute of their requests, for questions about a stretch of time.
///
/// Minutes are those of the spans, not of their arrival, so that recorded spans lie where they belong. The newest
/// `minutesMax` minutes are kept. Starts in the future must not come here: each would push a real minute out.
struct GraphMinutes: Sendable {
    /// Requests over one edge in one minute.
    struct Edge: Sendable {
        var requests = 0
        var errors = 0
        /// Of the server where it was seen, else of the client.
        var latency = LatencyCounts()

        mutating func add(_ other: Edge) {
            requests += other.requests
            errors += other.errors
            latency.add(other.latency)
        }
    }

    struct Minute: Sendable {
        var edges: [GraphEdgeKey: Edge] = [:]
        var unpaired: [ServiceGraph.UnpairedKey: Int] = [:]
        /// Requests whose edge, and ends whose service, was one too many.
        var uncounted = 0
    }

    /// A day of minutes.
    static let minutesMax = 1_440
    private static let length: UInt64 = 60_000_000_000

    private var minutes: [UInt64: Minute] = [:]
    /// Requests and ends that were older than every minute that is kept.
    private(set) var tooOld = 0

    /// False when the minute has `edgesMax` edges and this is one more.
    mutating func count(
        _ key: GraphEdgeKey, _ request: ServiceGraph.Request, at start: UInt64, edgesMax: Int
    ) -> Bool {
        guard let number = minute(of: start) else { return true }
        if minutes[number]?.edges[key] == nil, minutes[number]?.edges.count ?? 0 >= edgesMax {
            minutes[number, default: Minute()].uncounted += 1
            return false
        }
        var edge = Edge(requests: 1, errors: request.isError ? 1 : 0)
        edge.latency.add(request.serverDuration ?? request.clientDuration ?? 0)
        minutes[number, default: Minute()].edges[key, default: Edge()].add(edge)
        return true
    }

    /// Names come from the network: beyond `keysMax` services in a minute they count as uncounted.
    mutating func unpaired(_ key: ServiceGraph.UnpairedKey, at start: UInt64, keysMax: Int) {
        guard let number = minute(of: start) else { return }
        // Asked in place: a copy of the dictionary would make the change below copy it whole.
        if minutes[number]?.unpaired[key] == nil, minutes[number]?.unpaired.count ?? 0 >= keysMax {
            minutes[number, default: Minute()].uncounted += 1
            return
        }
        minutes[number, default: Minute()].unpaired[key, default: 0] += 1
    }

    /// The sum of the minutes that overlap a stretch of time (nanoseconds since 1970). O(minutes · edges).
    func sum(from: UInt64, to: UInt64) -> Minute {
        var sum = Minute()
        for (number, minute) in minutes
        where number >= from / Self.length && number <= to / Self.length {
            for (key, edge) in minute.edges { sum.edges[key, default: Edge()].add(edge) }
            for (key, spans) in minute.unpaired { sum.unpaired[key, default: 0] += spans }
            sum.uncounted += minute.uncounted
        }
        return sum
    }

    /// The first and the last nanosecond of the minutes held; nil when there are none.
    var bounds: (from: UInt64, to: UInt64)? {
        guard let first = minutes.keys.min(), let last = minutes.keys.max() else { return nil }
        return (first * Self.length, last * Self.length + Self.length - 1)
    }

    /// The minute of a time, after room was made for it; nil when it is older than all that is kept.
    private mutating func minute(of time: UInt64) -> UInt64? {
        let number = time / Self.length
        if minutes[number] != nil || minutes.count < Self.minutesMax { return number }
        guard let oldest = minutes.keys.min(), oldest < number else {
            tooOld += 1
            return nil
        }
        minutes[oldest] = nil
        return number
    }
}
