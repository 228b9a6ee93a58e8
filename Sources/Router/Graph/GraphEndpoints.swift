import Foundation
import Hummingbird
import Shared

/// `GET /api/graph?start=&end=`: the service graph between two times (seconds since 1970, fractions allowed).
struct GraphEndpoints: Sendable {
    /// The answer.
    struct Page: Codable, Sendable {
        struct Node: Codable, Sendable {
            var name: String
            /// service, database, messaging, external.
            var type: String
            /// Requests that it served; of a service nobody calls, 0.
            var requests: Int
            var errors: Int
        }

        struct Edge: Codable, Sendable {
            var client: String
            var server: String
            var requests: Int
            var errors: Int
            /// Requests a second over the stretch of time the answer is about.
            var rate: Double
            /// Milliseconds.
            var p50: Double
            var p95: Double
            var p99: Double
        }

        struct Unpaired: Codable, Sendable {
            var service: String
            /// The side that was seen: client or server.
            var side: String
            var spans: Int
        }

        /// Seconds since 1970.
        var start: Double
        var end: Double
        var nodes: [Node]
        var edges: [Edge]
        var unpaired: [Unpaired]
        /// Requests left out because there were too many edges.
        var uncounted: Int
    }

    let recorder: GraphRecorder

    func register(on router: some RouterMethods<some RequestContext>) {
        router.get("api/graph") { request, _ in
            let parameters = QueryParameters(request.uri.query)
            let page: Page
            do throws(Failure) {
                page = self.page(from: try parameters.time("start"), to: try parameters.time("end"))
            } catch {
                return QueryAnswer.failure(error).response
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return QueryAnswer.json([UInt8](try encoder.encode(page))).response
        }
    }

    /// The graph between two times, nanoseconds since 1970; nil: as far as something is known.
    func page(from: UInt64?, to: UInt64?) -> Page {
        let bounds = recorder.bounds ?? (0, 0)
        let (start, end) = (max(from ?? bounds.from, bounds.from), min(to ?? bounds.to, bounds.to))
        let sum = recorder.sum(from: from ?? 0, to: to ?? .max)
        let seconds = end > start ? Double(end - start) / 1e9 : 60
        let edges = sum.edges.sorted { ($0.key.client, $0.key.server) < ($1.key.client, $1.key.server) }
        return Page(
            start: Double(start) / 1e9, end: Double(end) / 1e9, nodes: Self.nodes(sum),
            edges: edges.map { key, edge in
                Page.Edge(
                    client: key.client, server: key.server, requests: edge.requests, errors: edge.errors,
                    rate: Double(edge.requests) / seconds, p50: edge.latency.quantile(0.5),
                    p95: edge.latency.quantile(0.95), p99: edge.latency.quantile(0.99))
            },
            unpaired: sum.unpaired.map { key, spans in
                Page.Unpaired(service: key.service, side: key.side == .client ? "client" : "server", spans: spans)
            }.sorted { ($0.service, $0.side) < ($1.service, $1.side) },
            uncounted: sum.uncounted)
    }

    private static func nodes(_ sum: GraphMinutes.Minute) -> [Page.Node] {
        var nodes: [String: Page.Node] = [:]
        func add(_ name: String, _ type: String) {
            // A service that reports spans is one, whatever clients call it.
            if nodes[name] == nil || type == "service" {
                nodes[name] = Page.Node(
                    name: name, type: type, requests: nodes[name]?.requests ?? 0, errors: nodes[name]?.errors ?? 0)
            }
        }
        for key in sum.unpaired.keys { add(key.service, "service") }
        for (key, edge) in sum.edges {
            add(key.client, "service")
            add(key.server, key.connection.nodeType)
            nodes[key.server]?.requests += edge.requests
            nodes[key.server]?.errors += edge.errors
        }
        return nodes.values.sorted { $0.name < $1.name }
    }
}

extension GraphEdgeKey.Connection {
    /// What the called end is.
    fileprivate var nodeType: String {
        switch self {
        case .paired: "service"
        case .database: "database"
        case .messaging: "messaging"
        case .external: "external"
        }
    }
}
