import NIOHTTP1

/// What the agents' listener serves. The raw value is the `path` of `http_requests_total`.
enum AgentRoute: String, CaseIterable, Sendable {
    case spans = "/v1/bpftracing"
    case ping = "/v1/ping"
    case lastError = "/v1/lasterror"
    case metrics = "/metrics"
    /// Anything else: 404.
    case unknown = "other"

    /// The route of a request target; the query does not matter.
    init(uri: String) {
        let path = uri.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        self =
            Self.allCases.first { $0 != .unknown && $0.rawValue.utf8.elementsEqual(path) } ?? .unknown
    }

    /// The method it takes; nil for an unknown path.
    var method: HTTPMethod? {
        switch self {
        case .spans, .lastError: .POST
        case .ping, .metrics: .GET
        case .unknown: nil
        }
    }
}

/// The headers the listener looks at, picked in one pass.
struct AgentHeaders {
    var contentType: String?
    var contentEncoding: String?
    /// nil when absent; -1 when it is no number (NIO's decoder refuses such a head itself).
    var contentLength: Int?
    var expectsContinue = false
    var agent: String?
    var forwardedFor: String?

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            switch name.utf8.count {
            case 6 where Self.same(name, "expect"):
                expectsContinue = Self.same(value, "100-continue")
            case 12 where Self.same(name, "content-type"):
                contentType = value
            case 14 where Self.same(name, "content-length"):
                contentLength = Int(value) ?? -1
            case 15 where Self.same(name, "x-forwarded-for"):
                forwardedFor = forwardedFor ?? value
            case 16 where Self.same(name, "content-encoding"):
                contentEncoding = value
            case 17 where Self.same(name, "x-ebpftrace-agent"):
                agent = value
            default: break
            }
        }
    }

    /// Equal but for ASCII case; `lower` is in lower case.
    private static func same(_ text: String, _ lower: String) -> Bool {
        text.utf8.elementsEqual(lower.utf8) { left, right in
            (65...90).contains(left) ? left | 0x20 == right : left == right
        }
    }
}
