import Linking

/// A span as the store gives it back.
struct StoredSpan: Sendable, Equatable {
    /// Its own trace id; a view of a trace may hold spans of application traces with other ids.
    var traceID: TraceID
    var id: SpanID
    /// The parent as shown in the view; nil for a root. It may be missing in the trace (an orphan).
    var parent: SpanID?
    var name: String
    /// OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer; 0 not told.
    var kind: Int
    /// Nanoseconds since 1970.
    var start: UInt64
    /// Nanoseconds since 1970; never before `start`.
    var end: UInt64
    /// OTLP's number: 0 unset, 1 ok, 2 error.
    var statusCode: Int
    var statusMessage: String
    /// Index into `StoredTrace.resources`.
    var resource: Int
    /// Name of the instrumentation scope; `ebpftrace` for our own spans.
    var scope: String
    var attributes: [Attribute]
    /// From an SDK, not from ebpftrace.
    var isApplication: Bool
    /// Events, links, trace state and what else OTLP has and the store does not read: fields of an OTLP `Span`
    /// message one after the other, for answers in protobuf.
    var rest: [UInt8] = []

    /// Nanoseconds.
    var duration: UInt64 { end &- start }
    var isError: Bool { statusCode == 2 }
}

/// All that the store knows of a trace: pieces joined, repeats removed, parents by the view rules.
struct StoredTrace: Sendable, Equatable {
    /// The id that was asked for.
    var id: TraceID
    /// Attributes of each resource that a span names.
    var resources: [[Attribute]]
    /// Sorted by start, then id.
    var spans: [StoredSpan]

    /// `service.name` of a span's resource; "unknown_service" where there is none.
    func service(of span: StoredSpan) -> String {
        guard resources.indices.contains(span.resource), let name = resources[span.resource]["service.name"] else {
            return "unknown_service"
        }
        return name.text
    }
}

/// What a list of traces shows of one.
struct TraceSummary: Sendable, Equatable {
    struct Service: Sendable, Equatable {
        var name: String
        var spans: Int
        var errors: Int
    }

    var id: TraceID
    /// Nanoseconds since 1970.
    var start: UInt64
    var durationNanoseconds: UInt64
    /// Service and name of the root; of the earliest span where no root is there.
    var rootService: String
    var rootName: String
    var spanCount: Int
    var errorCount: Int
    /// Sorted by name.
    var services: [Service]
}

/// One hit of a search.
struct FoundTrace: Sendable, Equatable {
    var summary: TraceSummary
    /// Spans that fulfil the condition, at most `TraceSearch.spansPerSet`, by start.
    var spans: [StoredSpan]
    /// How many fulfil it.
    var matched: Int
    /// Attributes of each resource that `spans` name.
    var resources: [[Attribute]]
}

/// A service with what it does.
struct ServiceSummary: Sendable, Equatable {
    var name: String
    /// Span names, sorted, at most `StoreLimits.operationsPerService`.
    var operations: [String]
    var spans: Int
    var errors: Int
}
