import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Shared

/// Posts one body and returns the answer; injected into the target.
protocol DatawayTransport: Sendable {
    /// Throws when there is no answer: no connection, a broken one, or a time-out.
    func post(_ body: ByteBuffer, spans: Int, isGzip: Bool) async throws -> DatawayAnswer
    /// Ends all connections.
    func shutdown() async
}

/// Posts over HTTP/1.1: connect within 5 s, a whole request within 30 s, no redirects, connections kept.
struct HTTPDatawayTransport: DatawayTransport {
    /// Most bytes of an answer that are looked at.
    private static let answerBytesMax = 16 << 10

    private let client: HTTPClient
    private let request: HTTPClientRequest
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - connections: most connections to the receiver.
    init(
        address: DatawayAddress, connections: Int, connectTimeout: TimeAmount = .seconds(5),
        requestTimeout: TimeAmount = .seconds(30)
    ) {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = connectTimeout
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        // The target itself waits and tries again; the client must not.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        timeout = requestTimeout
        var request = HTTPClientRequest(url: address.url)
        request.method = .POST
        request.headers = [
            "Content-Type": "application/protobuf; proto=com.guance.Point", "User-Agent": "ebpftrace",
        ]
        self.request = request
    }

    func post(_ body: ByteBuffer, spans: Int, isGzip: Bool) async throws -> DatawayAnswer {
        var request = request
        request.headers.add(name: "X-Points", value: String(spans))
        if isGzip { request.headers.add(name: "Content-Encoding", value: "gzip") }
        request.body = .bytes(body)
        let response = try await client.execute(request, timeout: timeout)
        var bytes: [UInt8] = []
        for try await piece in response.body {
            bytes.append(contentsOf: piece.readableBytesView.prefix(Self.answerBytesMax - bytes.count))
            if bytes.count >= Self.answerBytesMax { break }
        }
        return DatawayAnswer(
            status: Int(response.status.code), retryAfter: response.headers.first(name: "Retry-After"), body: bytes)
    }

    func shutdown() async { try? await client.shutdown() }
}
