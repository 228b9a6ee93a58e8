import Linking

@testable import Router

/// Spans for the query tests: one request through three services, and a second, failed one.
///
///     load  out GET /home ─net▶ gw in GET /home ─thread▶ gw out GET /order ─net▶ orders in GET /order
///                                                      └ thread▶ gw out GET ─net▶ … (not answered)
enum QuerySamples {
    /// Nanoseconds since 1970.
    static let start: UInt64 = 1_795_346_416_000_000_000
    static let first = TraceID(high: 0x9c1e, low: 0x11)
    static let second = TraceID(high: 0x9c1e, low: 0x22)

    static func attributes(_ pairs: [String: AttributeValue]) -> [Attribute] {
        pairs.sorted { $0.key < $1.key }.map { Attribute($0.key, $0.value) }
    }

    /// Offsets and lengths in microseconds.
    static func span(
        _ id: UInt64, _ parent: UInt64?, in trace: TraceID = first, _ name: String, kind: Int, resource: Int,
        at offset: UInt64, for length: UInt64, status: Int = 0, _ more: [String: AttributeValue] = [:]
    ) -> StoredSpan {
        StoredSpan(
            traceID: trace, id: SpanID(id), parent: parent.map { SpanID($0) }, name: name, kind: kind,
            start: start + offset * 1_000, end: start + (offset + length) * 1_000, statusCode: status,
            statusMessage: status == 2 ? "went wrong" : "", resource: resource, scope: "ebpftrace",
            attributes: attributes(more), isApplication: false)
    }

    static func resource(_ service: String) -> [Attribute] {
        [Attribute("service.name", .string(service)), Attribute("host.name", .string("n1"))]
    }

    static let get: [String: AttributeValue] = [
        "http.request.method": .string("GET"), "http.response.status_code": .int(200),
    ]

    static var request: StoredTrace {
        StoredTrace(
            id: first, resources: [resource("load"), resource("gw"), resource("orders")],
            spans: [
                span(1, nil, "GET /home", kind: 3, resource: 0, at: 0, for: 9_000, get),
                span(2, 1, "GET /home", kind: 2, resource: 1, at: 100, for: 8_000, get),
                span(3, 2, "GET /order", kind: 3, resource: 1, at: 200, for: 5_000, get),
                span(4, 3, "GET /order", kind: 2, resource: 2, at: 300, for: 4_000, status: 2, get),
                span(5, 2, "HGET cart", kind: 3, resource: 1, at: 6_000, for: 400,
                ["db.system.name": .string("redis")]),
            ])
    }

    static var failed: StoredTrace {
        StoredTrace(
            id: second, resources: [resource("gw")],
            spans: [
                span(
                    6, nil, in: second, "POST /pay", kind: 2, resource: 0, at: 2_000_000, for: 700_000, status: 2,
                    ["http.request.method": .string("POST"), "http.response.status_code": .int(503),
                    "retry": .bool(true)])
            ])
    }

    static var store: TraceList { TraceList([request, failed]) }
}
