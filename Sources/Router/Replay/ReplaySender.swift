import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import Shared

/// Posts one body; what answers lies outside the poster, so that tests can answer as they like.
protocol ReplaySender: Sendable {
    /// Sends a body and waits for the answer. Never throws: no answer is an answer, too.
    func send(_ body: ReplayBody) async -> ReplayAnswer
}

/// What came back for a body.
enum ReplayAnswer: Sendable, Equatable {
    /// A status code, the seconds of `Retry-After`, and the start of the answer's body.
    case status(Int, retryAfter: Int?, text: String)
    /// No answer: refused, cut off, or out of time; in words.
    case silence(String)
}

/// The address of a running router, as given on the command line.
struct ReplayTarget: Sendable, Equatable {
    /// Where bodies are posted, with query (which may hold a token).
    let url: String
    /// The address for messages: without query and user.
    let shown: String

    /// - Throws: `Failure(.usage)` when the text is no http or https address.
    init(_ text: String) throws {
        guard var parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty
        else {
            throw Failure(.usage, "--to needs the address of a router, such as http://127.0.0.1:9529")
        }
        var path = parts.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        if !path.hasSuffix("/v1/bpftracing") { path += "/v1/bpftracing" }
        parts.percentEncodedPath = path
        var query = parts.queryItems ?? []
        if !query.contains(where: { $0.name == "input" }) {
            query.insert(URLQueryItem(name: "input", value: "dketrace"), at: 0)
        }
        parts.queryItems = query
        parts.fragment = nil
        guard let url = parts.string else { throw Failure(.usage, "--to needs an address without odd characters") }
        self.url = url
        shown = "\(scheme)://\(host)" + (parts.port.map { ":\($0)" } ?? "")
    }
}

/// Posts bodies over HTTP.
struct HTTPReplaySender: ReplaySender {
    private let client: HTTPClient
    private let target: ReplayTarget
    private let timeout: TimeAmount

    /// Bytes of an answer that are read.
    private static let answerBytes = 4096

    init(client: HTTPClient, target: ReplayTarget, timeout: TimeAmount = .seconds(30)) {
        self.client = client
        self.target = target
        self.timeout = timeout
    }

    /// A client that tells of a refused connection at once, for whoever calls to retry. Shut it down after use.
    static func makeClient() -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// "Connection refused" rather than where in the network code that came to light.
    private static func words(for error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as HTTPClientError: error.shortDescription
        default: "\(error)"
        }
    }

    func send(_ body: ReplayBody) async -> ReplayAnswer {
        var request = HTTPClientRequest(url: target.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/protobuf; proto=com.guance.Point")
        if let agent = body.agent { request.headers.add(name: "X-Ebpftrace-Agent", value: agent) }
        request.body = .bytes(ByteBuffer(bytes: body.bytes))
        do {
            let response = try await client.execute(request, timeout: timeout)
            let text = try? await response.body.collect(upTo: Self.answerBytes)
            let retryAfter = response.headers.first(name: "Retry-After").flatMap { Int($0) }
            return .status(
                Int(response.status.code), retryAfter: retryAfter.map { max(0, $0) },
                text: text.map { String(buffer: $0) } ?? "")
        } catch {
            return .silence(Self.words(for: error))
        }
    }
}
