import Foundation
import Hummingbird

/// Whether a process takes work, and what keeps it from doing so.
public struct Readiness: Sendable, Codable, Equatable {
    /// Short sentences; empty when the process is ready.
    public var reasons: [String]
    public var ready: Bool { reasons.isEmpty }

    public static let ready = Readiness(reasons: [])
    public init(reasons: [String]) { self.reasons = reasons }
}

/// The pages that operators and orchestrators ask every process for.
///
/// | path | answer |
/// |---|---|
/// | `/livez` | 200 as long as the process can answer at all |
/// | `/readyz` | 200 `{"ready":true,"reasons":[]}`, or 503 with the reasons |
/// | `/status` | 200, JSON |
/// | `/metrics` | 200, Prometheus text |
public struct AdminEndpoints: Sendable {
    private let readiness: @Sendable () async -> Readiness
    private let status: @Sendable () async throws -> any Encodable & Sendable
    private let metrics: @Sendable () async -> String

    public init(
        readiness: @escaping @Sendable () async -> Readiness,
        status: @escaping @Sendable () async throws -> any Encodable & Sendable,
        metrics: @escaping @Sendable () async -> String
    ) {
        self.readiness = readiness
        self.status = status
        self.metrics = metrics
    }

    /// Adds the four pages to a router, beside whatever else it serves.
    public func register(on router: some RouterMethods<some RequestContext>) {
        router.get("livez") { _, _ in JSONAnswer.response(.ok, ["live": true]) }
        router.get("readyz") { _, _ in
            let readiness = await readiness()
            return JSONAnswer.response(
                readiness.ready ? .ok : .serviceUnavailable, ReadinessPage(readiness))
        }
        router.get("status") { _, _ in JSONAnswer.response(.ok, try await status()) }
        router.get("metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: PrometheusText.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: await metrics())))
        }
    }

    private struct ReadinessPage: Encodable {
        var ready: Bool
        var reasons: [String]
        init(_ readiness: Readiness) {
            ready = readiness.ready
            reasons = readiness.reasons
        }
    }
}

/// The media type of a metrics page.
public enum PrometheusText {
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"
}

/// Makes JSON responses with sorted keys, so that pages compare well.
enum JSONAnswer {
    static func response(_ status: HTTPResponse.Status, _ value: any Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            return Response(status: .internalServerError)
        }
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}
