import Foundation
import Hummingbird
import Linking
import Logging
import NIOCore
import NIOFoundationCompat
import Shared

/// The pages of the peer listener (paths and bodies: `PeerMessages`).
struct PeerEndpoints: Sendable {
    let core: RouterCore

    func register(on router: some RouterMethods<some RequestContext>) {
        router.post(RouterPath(PeerPath.hello)) { request, _ in try await hello(request) }
        router.get(RouterPath(PeerPath.ends)) { request, _ in try await ends(request) }
        router.post(RouterPath(PeerPath.partials)) { request, _ in try await partials(request) }
        router.post(RouterPath(PeerPath.report)) { request, _ in try await report(request) }
    }

    private func hello(_ request: Request) async throws -> Response {
        let hello = try await decode(WorkerHello.self, request)
        guard let welcome = core.welcome(hello) else {
            return text(
                .conflict,
                "this router has \(core.map.workers) workers; start the worker with --workers \(core.map.workers)")
        }
        return try json(welcome)
    }

    private func ends(_ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        guard let facts = query["facts"].flatMap({ UInt64($0) }),
            let verdicts = query["verdicts"].flatMap({ UInt64($0) })
        else { return text(.badRequest, "facts and verdicts must be numbers") }
        let known = PeerEnds(
            facts: facts, verdicts: verdicts, areFinal: query["final"] == "true",
            factsAreFinal: query["facts_final"] == "true")
        return try json(await core.board.ends(beyond: known, atMost: .seconds(10)))
    }

    private func partials(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: core.limits.partialGraphBytes)
        let graph: [UInt8]
        do {
            graph = try body.withUnsafeReadableBytes { bytes in
                if request.headers[.contentEncoding] == "identity" { return Array(bytes) }
                return try Zstd().decompress(bytes, limit: core.limits.partialGraphBytes)
            }
        } catch {
            return text(.badRequest, "the partial graph is not compressed with zstd, or too large")
        }
        switch core.merge.offer(graph) {
        case .taken: return text(.ok, "")
        case .later: return text(.serviceUnavailable, "too many epochs wait; send it again")
        case .refused(let reason): return text(.badRequest, reason)
        }
    }

    private func report(_ request: Request) async throws -> Response {
        core.take(try await decode(WorkerReport.self, request))
        return text(.ok, "{}")
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ request: Request) async throws -> Value {
        let body = try await request.body.collect(upTo: 16 << 20)
        do {
            return try JSONDecoder().decode(type, from: Data(buffer: body))
        } catch {
            throw HTTPError(.badRequest, message: "the body is no \(type)")
        }
    }

    private func json(_ value: some Encodable) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(data: try JSONEncoder().encode(value))))
    }

    private func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(status: status, body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
