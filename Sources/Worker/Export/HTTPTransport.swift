import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Shared

/// Posts one body and returns the answer; injected into the target.
protocol PostingTransport: Sendable {
    /// Throws when there is no answer: no connection, a broken one, or a time-out.
    ///
    /// - Parameter encoding: value of `Content-Encoding`; nil for a body as it is.
    func post(_ body: ByteBuffer, spans: Int, encoding: String?) async throws -> HTTPAnswer
    /// Ends all connections.
    func shutdown() async
}

/// Posts over HTTP/1.1: connect within 5 s, a whole request within 30 s, no redirects, connections kept.
struct HTTPTransport: PostingTransport {
    /// Most bytes of an answer that are looked at.
    private static let answerBytesMax = 16 << 10

    private let client: HTTPClient
    private let request: HTTPClientRequest
    private let spanCountHeader: String?
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - headers: of every request.
    ///   - spanCountHeader: a header that tells how many spans a body holds; nil for none.
    ///   - connections: most connections to the receiver.
    init(
        url: String, headers: HTTPHeaders, spanCountHeader: String? = nil, connections: Int,
        connectTimeout: TimeAmount = .seconds(5), requestTimeout: TimeAmount = .seconds(30)
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
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = headers
        request.headers.replaceOrAdd(name: "User-Agent", value: "ebpftrace")
        self.request = request
        self.spanCountHeader = spanCountHeader
    }

    /// To a Dataway or DataKit.
    static func dataway(
        _ address: DatawayAddress, connections: Int, connectTimeout: TimeAmount = .seconds(5),
        requestTimeout: TimeAmount = .seconds(30)
    ) -> HTTPTransport {
        HTTPTransport(
            url: address.url, headers: ["Content-Type": "application/protobuf; proto=com.guance.Point"],
            spanCountHeader: "X-Points", connections: connections, connectTimeout: connectTimeout,
            requestTimeout: requestTimeout)
    }

    /// To an OTLP receiver, with the user's headers.
    static func otlp(
        _ address: OTLPAddress, headers: [OTLPSpec.Header], connections: Int,
        connectTimeout: TimeAmount = .seconds(5), requestTimeout: TimeAmount = .seconds(30)
    ) -> HTTPTransport {
        var all = HTTPHeaders(headers.map { ($0.name, $0.value.revealed) })
        all.replaceOrAdd(name: "Content-Type", value: "application/x-protobuf")
        return HTTPTransport(
            url: address.url, headers: all, connections: connections, connectTimeout: connectTimeout,
            requestTimeout: requestTimeout)
    }

    func post(_ body: ByteBuffer, spans: Int, encoding: String?) async throws -> HTTPAnswer {
        var request = request
        if let spanCountHeader { request.headers.add(name: spanCountHeader, value: String(spans)) }
        if let encoding { request.headers.replaceOrAdd(name: "Content-Encoding", value: encoding) }
        request.body = .bytes(body)
        let response = try await client.execute(request, timeout: timeout)
        var bytes: [UInt8] = []
        for try await piece in response.body {
            bytes.append(contentsOf: piece.readableBytesView.prefix(Self.answerBytesMax - bytes.count))
            if bytes.count >= Self.answerBytesMax { break }
        }
        return HTTPAnswer(
            status: Int(response.status.code), retryAfter: response.headers.first(name: "Retry-After"), body: bytes)
    }

    func shutdown() async { try? await client.shutdown() }
}
