import Linking

/// What the service graph looks at of a span.
struct GraphSpan: Sendable {
    /// Which end of a request a span is.
    enum Side: Sendable {
        case client, server
    }

    /// What a client calls that reports no spans of its own, as far as the span tells.
    enum Peer: Hashable, Sendable {
        case database(String)
        case messaging(String)
        /// Host name or address.
        case external(String)
    }

    var traceID: TraceID
    var id: SpanID
    /// The span that called it: of a server span the client span, where it is known.
    var parent: SpanID?
    var side: Side
    var service: String
    var peer: Peer?
    /// Nanoseconds since 1970.
    var start: UInt64
    /// Nanoseconds.
    var duration: UInt64
    var isError: Bool
}

/// Two services, one of which calls the other.
struct GraphEdgeKey: Hashable, Sendable {
    /// Where the two names come from: Tempo's label `connection_type`.
    enum Connection: String, Sendable {
        /// Both ends were seen.
        case paired = ""
        /// Only the client was seen; its span says what it called.
        case database
        case messaging = "messaging_system"
        case external = "virtual_node"
    }

    var client: String
    var server: String
    var connection: Connection
}
