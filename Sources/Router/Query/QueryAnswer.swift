import Hummingbird
import NIOCore
import Shared

/// What an endpoint answers, before it is a response.
struct QueryAnswer: Sendable {
    var status: HTTPResponse.Status = .ok
    var contentType: String
    var body: [UInt8]

    static func json(_ body: [UInt8], _ status: HTTPResponse.Status = .ok) -> QueryAnswer {
        QueryAnswer(status: status, contentType: "application/json", body: body)
    }

    static func protobuf(_ body: [UInt8]) -> QueryAnswer {
        QueryAnswer(contentType: "application/protobuf", body: body)
    }

    static func text(_ text: String, _ status: HTTPResponse.Status = .ok) -> QueryAnswer {
        QueryAnswer(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// `{"error":"…"}`
    static func problem(_ status: HTTPResponse.Status, _ sentence: String) -> QueryAnswer {
        var writer = JSONWriter()
        writer.object { $0.member("error", sentence) }
        return .json(writer.bytes, status)
    }

    /// 400 for what was asked wrongly, 503 for what the store cannot do now.
    static func failure(_ failure: Failure) -> QueryAnswer {
        switch failure.code {
        case .badInput, .usage: problem(.badRequest, failure.message)
        default: problem(.serviceUnavailable, failure.message)
        }
    }

    var response: Response {
        Response(
            status: status,
            headers: [.contentType: contentType, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// What an endpoint is asked.
struct QueryRequest: Sendable {
    let parameters: QueryParameters
    /// Tempo's rule: the word anywhere in `Accept`.
    let wantsProtobuf: Bool
    private let path: Parameters

    init(_ request: Request, _ context: some RequestContext) {
        parameters = QueryParameters(request.uri.query)
        wantsProtobuf = request.headers[.accept]?.contains("application/protobuf") ?? false
        path = context.parameters
    }

    /// A part of the path, decoded. Grafana encodes names of tags twice; a name has no other percent sign.
    func part(_ name: String) -> String {
        let once = QueryParameters.decoded(path.get(name) ?? "", plusIsSpace: false)
        return once.contains("%") ? QueryParameters.decoded(once, plusIsSpace: false) : once
    }
}
