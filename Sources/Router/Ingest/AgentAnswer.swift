import NIOCore
import NIOHTTP1
import SharedNet

/// One answer of the agents' listener, in the form DataKit gives it.
///
/// | status | body |
/// |---|---|
/// | 200 for spans, error reports | empty |
/// | 400, 404, 405, 413, 503 | `{"error_code":"datakit.X","message":"…"}` |
///
/// X is of the body decoder for 400 (`noPoints`, `invalidProtobufPoint`, …); ours are `routeNotFound` (404),
/// `methodNotAllowed` (405), `bodyTooLarge` (413) and `busy` (503, with `Retry-After`).
struct AgentAnswer: Sendable {
    var status: HTTPResponseStatus
    var contentType: String?
    var body: ByteBuffer?
    var extra: (name: String, value: String)?

    static let ok = AgentAnswer(status: .ok)

    static let routeNotFound = error(
        .notFound, "datakit.routeNotFound", "no such path; spans go to POST /v1/bpftracing")

    static func methodNotAllowed(_ route: AgentRoute) -> AgentAnswer {
        let method = route.method?.rawValue ?? "GET"
        var answer = error(.methodNotAllowed, "datakit.methodNotAllowed", "\(route.rawValue) takes \(method)")
        answer.extra = ("allow", method)
        return answer
    }

    static func tooLarge(_ message: String) -> AgentAnswer {
        error(.payloadTooLarge, "datakit.bodyTooLarge", message)
    }

    static func busy(retryAfterSeconds: Int, _ message: String) -> AgentAnswer {
        var answer = error(.serviceUnavailable, "datakit.busy", message)
        answer.extra = ("retry-after", String(retryAfterSeconds))
        return answer
    }

    /// The answer to a body of spans.
    init(_ answer: IngestAnswer) {
        switch answer {
        case .accepted: self = .ok
        case .refused(let code, let message): self = .error(.badRequest, code, message)
        case .tooLarge(let message): self = .tooLarge(message)
        case .busy(let seconds, let message): self = .busy(retryAfterSeconds: seconds, message)
        }
    }

    init(status: HTTPResponseStatus, contentType: String? = nil, body: ByteBuffer? = nil) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    static func json(_ text: String) -> AgentAnswer {
        AgentAnswer(status: .ok, contentType: "application/json", body: ByteBuffer(string: text))
    }

    static func error(_ status: HTTPResponseStatus, _ code: String, _ message: String) -> AgentAnswer {
        let text = "{\"error_code\":\"\(AgentJSON.escaped(code))\",\"message\":\"\(AgentJSON.escaped(message))\"}"
        return AgentAnswer(status: status, contentType: "application/json", body: ByteBuffer(string: text))
    }

    /// The head, with the length of the body and what becomes of the connection.
    func head(version: HTTPVersion, keepAlive: Bool) -> HTTPResponseHead {
        var headers = HTTPHeaders()
        headers.reserveCapacity(4)
        if let contentType { headers.add(name: "content-type", value: contentType) }
        headers.add(name: "content-length", value: String(body?.readableBytes ?? 0))
        if let extra { headers.add(name: extra.name, value: extra.value) }
        if !keepAlive {
            headers.add(name: "connection", value: "close")
        } else if version == .http1_0 {
            headers.add(name: "connection", value: "keep-alive")
        }
        return HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    }
}

/// Text within a JSON string.
enum AgentJSON {
    /// Escapes what RFC 8259 demands: quote, backslash and control characters.
    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
