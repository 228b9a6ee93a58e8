import AsyncHTTPClient
import Foundation
import Linking
import NIOCore
import NIOFoundationCompat
import Shared

/// A worker's side of the peer listener: one router, over HTTP. Errors are `Failure`s; callers try again.
struct PeerClient: Sendable {
    /// Bytes of an answer that are read at most.
    private static let answerBytes = 1 << 20

    let client: HTTPClient
    /// `http://host:port` of the router's peer listener.
    let router: String

    func hello(_ hello: WorkerHello) async throws -> WorkerWelcome {
        try await exchange(PeerPath.hello, body: .bytes(JSONEncoder().encode(hello)), seconds: 10)
    }

    /// Waits until one of the ends is beyond what is known, at most some seconds.
    func ends(beyond known: PeerEnds) async throws -> PeerEnds {
        let facts = "facts=\(known.facts)&facts_final=\(known.factsAreFinal)"
        let query = "?\(facts)&verdicts=\(known.verdicts)&final=\(known.areFinal)"
        return try await exchange(PeerPath.ends + query, body: nil, seconds: 30)
    }

    /// What the router made of a partial graph.
    enum Publication: Equatable {
        case taken
        /// The router is too far behind and wants it later.
        case later
        /// The router wants it neither now nor later: why.
        case refused(String)
    }

    /// Hands over a partial graph, compressed with zstd or as it is.
    func publish(_ graph: [UInt8], isCompressed: Bool) async throws -> Publication {
        var request = HTTPClientRequest(url: router + PeerPath.partials)
        request.method = .POST
        if !isCompressed { request.headers.add(name: "Content-Encoding", value: "identity") }
        request.body = .bytes(ByteBuffer(bytes: graph))
        let response = try await client.execute(request, timeout: .seconds(30))
        let answer = try await response.body.collect(upTo: Self.answerBytes)
        switch response.status.code {
        case 200: return .taken
        case 503: return .later
        case 400: return .refused(String(buffer: answer))
        default: throw Failure(.network, "the router answered a partial graph with \(response.status.code)")
        }
    }

    func report(_ report: WorkerReport) async throws {
        struct Nothing: Decodable {}
        let _: Nothing = try await exchange(
            PeerPath.report, body: .bytes(JSONEncoder().encode(report)), seconds: 30)
    }

    private func exchange<Answer: Decodable>(
        _ path: String, body: HTTPClientRequest.Body?, seconds: Int64
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: router + path)
        request.method = body == nil ? .GET : .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = body
        let response = try await client.execute(request, timeout: .seconds(seconds))
        let bytes = try await response.body.collect(upTo: Self.answerBytes)
        guard response.status == .ok else {
            throw Failure(.network, "the router answered \(path.prefix { $0 != "?" }) with \(response.status.code)")
        }
        return try JSONDecoder().decode(Answer.self, from: Data(buffer: bytes))
    }
}
