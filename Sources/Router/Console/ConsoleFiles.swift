import HTTPTypes
import Hummingbird
import NIOCore

/// Serves the console's page at `/` and its files at `/ui/NAME`.
///
/// Every answer forbids scripts, styles and connections of other hosts, framing, and guessing of types. A browser asks
/// again each time, with the tag that it has, and gets 304 when nothing changed: after an upgrade no old file is shown.
struct ConsoleFiles: Sendable {
    /// What a page of the console may load: only what this listener serves.
    static let contentPolicy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """

    /// A router for the console's listener: every GET answers HEAD, too, with the same headers and no body.
    static func router() -> Hummingbird.Router<BasicRequestContext> {
        Hummingbird.Router(options: .autoGenerateHeadEndpoints)
    }

    /// Adds the files to a router, beside whatever else it serves.
    func register(on router: some RouterMethods<some RequestContext>) {
        router.get("/") { request, _ in Self.answer("index.html", request) }
        router.get("ui/:name") { request, context in Self.answer(context.parameters.get("name") ?? "", request) }
    }

    private static func answer(_ name: String, _ request: Request) -> Response {
        guard let file = ConsoleFile.all[name], let mediaType = file.mediaType else {
            return Response(
                status: .notFound, headers: headers(type: "text/plain; charset=utf-8"),
                body: ResponseBody(byteBuffer: ByteBuffer(string: "the console has no such file\n")))
        }
        var headers = headers(type: mediaType)
        headers[.eTag] = file.tag
        guard !isFresh(file.tag, request.headers[.ifNoneMatch]) else {
            return Response(status: .notModified, headers: headers)
        }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: file.contents))
    }

    /// Whether one of the tags that the browser has is this one.
    private static func isFresh(_ tag: String, _ sent: String?) -> Bool {
        guard let sent else { return false }
        return sent.split(separator: ",").contains { candidate in
            var candidate = candidate.drop { $0 == " " }
            if candidate.hasPrefix("W/") { candidate = candidate.dropFirst(2) }
            return candidate == tag || candidate == "*"
        }
    }

    private static func headers(type: String) -> HTTPFields {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache"]
        for (name, value) in security {
            guard let name = HTTPField.Name(name) else { continue }
            headers[name] = value
        }
        return headers
    }

    private static let security = [
        ("content-security-policy", contentPolicy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ]
}
