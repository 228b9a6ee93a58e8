import Foundation
import Hummingbird
import Linking
import NIOCore
import NIOFoundationCompat
import Shared
import Synchronization

/// `POST /v1/traces` on the console listener: OTLP over HTTP into the store, from our workers and from SDKs.
///
/// Protobuf and JSON; plain, gzip or zstd. The answer has the request's content type:
///
/// | status | when | body |
/// |---|---|---|
/// | 200 | the spans are committed; those that cannot be taken are a partial success | `ExportTraceServiceResponse` |
/// | 400 | the body is no trace request | `google.rpc.Status` |
/// | 413 | the body is larger than `body_bytes`, before or after decompression by its limit | the same |
/// | 415 | another content type or encoding | the same |
/// | 503 | the writer is behind, or cannot write; `Retry-After` says when to come again | the same |
struct OTLPEndpoint: Sendable {
    /// Bytes of bodies that may be read and decoded at a time, decompressed.
    static let bytesUnderWay = 128 << 20

    let store: TraceStore
    /// Told of every span that is stored.
    let graph: GraphRecorder?
    let limits: Limits
    private let denyList: OTLPDenyList
    private let room = BodyRoom(bytes: OTLPEndpoint.bytesUnderWay)

    /// - Parameter denyFields: attributes that are removed before anything is stored.
    init(store: TraceStore, graph: GraphRecorder? = nil, denyFields: [String] = [], limits: Limits) {
        self.store = store
        self.graph = graph
        self.limits = limits
        denyList = OTLPDenyList(denyFields)
    }

    func register(on router: some RouterMethods<some RequestContext>) {
        router.post("/v1/traces") { request, _ in await answer(request) }
    }

    private func answer(_ request: Request) async -> Response {
        guard let form = OTLPForm(request.headers[.contentType]) else {
            let message = "the content type must be application/x-protobuf or application/json"
            return OTLPForm.protobuf.refusal(.unsupportedMediaType, .invalidArgument, message)
        }
        do throws(Failure) {
            let encoded = try await encode(request, form)
            let result = try await store.insert(encoded)
            // Not before it is stored: a request that is refused comes again.
            if !encoded.calls.isEmpty { graph?.take(encoded.calls) }
            return form.success(result)
        } catch {
            return form.refusal(error)
        }
    }

    private func encode(_ request: Request, _ form: OTLPForm) async throws(Failure) -> TraceStore.Encoded {
        let encoding = request.headers[.contentEncoding]?.lowercased() ?? "identity"
        let claimed = request.headers[.contentLength].flatMap { Int($0) } ?? limits.bodyBytes
        let wanted = min(max(claimed, 1), limits.bodyBytes) * (encoding == "identity" ? 1 : 2)
        guard room.take(wanted) else {
            throw Failure(.limit, "too many bodies are being read; send the spans again in a few seconds")
        }
        defer { room.give(wanted) }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: limits.bodyBytes)
        } catch {
            throw Failure(
                .bodyTooLarge, "the body is larger than \(limits.bodyBytes) bytes, or was cut off", cause: error)
        }
        return try OTLPBody(
            encoding: encoding, form: form, store: store, denyList: denyList, readsCalls: graph != nil, limits: limits
        ).read(body)
    }
}

/// Unpacks one body.
private struct OTLPBody {
    let encoding: String
    let form: OTLPForm
    let store: TraceStore
    let denyList: OTLPDenyList
    let readsCalls: Bool
    let limits: Limits

    func read(_ body: ByteBuffer) throws(Failure) -> TraceStore.Encoded {
        do {
            return try body.withUnsafeReadableBytes { bytes in
                switch encoding {
                case "", "identity": return form == .json ? try json(Array(bytes)) : try read(bytes)
                case "gzip", "x-gzip": return try read(try Gzip().decompress(bytes, limit: limit(bytes.count)))
                case "zstd": return try read(try Zstd().decompress(bytes, limit: limit(bytes.count)))
                default:
                    throw Failure(
                        .badEncoding, "the content encoding \(encoding) is not known; use gzip, zstd or identity")
                }
            }
        } catch let failure as Failure {
            // Both compressions say `limit` for content that is too large, which to a client is no matter of time.
            throw failure.code == .limit ? Failure(.bodyTooLarge, failure.message, cause: failure.cause) : failure
        } catch {
            throw Failure(.corrupt, "the body cannot be read", cause: error)
        }
    }

    private func limit(_ bytes: Int) -> Int {
        min(limits.decompressedBodyBytes, bytes.multipliedReportingOverflow(by: limits.decompressionRatio).partialValue)
    }

    private func read(_ content: [UInt8]) throws(Failure) -> TraceStore.Encoded {
        if form == .json { return try json(content) }
        return try content.withRawBytes { (bytes) throws(Failure) in try read(bytes) }
    }

    private func json(_ text: [UInt8]) throws(Failure) -> TraceStore.Encoded {
        let message = try OTLPJSON.protobuf(fromJSON: text)
        return try message.withRawBytes { (bytes) throws(Failure) in try read(bytes) }
    }

    private func read(_ message: UnsafeRawBufferPointer) throws(Failure) -> TraceStore.Encoded {
        guard let (stripped, _) = denyList.stripped(message) else { return try take(message) }
        return try stripped.withRawBytes { (bytes) throws(Failure) in try take(bytes) }
    }

    private func take(_ message: UnsafeRawBufferPointer) throws(Failure) -> TraceStore.Encoded {
        try store.encode(message, readsCalls: readsCalls)
    }
}

extension Failure.Code {
    /// A request's body is larger than its limit.
    static let bodyTooLarge = Failure.Code("body_too_large")
    /// A request's body is packed in a way that is not known.
    static let badEncoding = Failure.Code("bad_encoding")
}

/// Counts bytes of bodies, so that memory is bounded however many clients there are.
private final class BodyRoom: Sendable {
    private let free: Mutex<Int>

    init(bytes: Int) { free = Mutex(bytes) }

    func take(_ bytes: Int) -> Bool {
        free.withLock { free in
            guard free >= bytes else { return false }
            free -= bytes
            return true
        }
    }

    func give(_ bytes: Int) { free.withLock { $0 += bytes } }
}

/// The two forms of OTLP over HTTP.
enum OTLPForm: Sendable {
    case protobuf, json

    /// Numbers of `google.rpc.Code`.
    enum Code: Int {
        case invalidArgument = 3
        case resourceExhausted = 8
        case unavailable = 14
    }

    /// Nil for a content type that OTLP does not have; none at all is taken as protobuf.
    init?(_ contentType: String?) {
        let type = contentType?.split(separator: ";").first.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        switch type {
        case nil, "", "application/x-protobuf", "application/protobuf": self = .protobuf
        case "application/json": self = .json
        default: return nil
        }
    }

    private var contentType: String { self == .protobuf ? "application/x-protobuf" : "application/json" }

    /// `ExportTraceServiceResponse`, with partial success when spans were not taken.
    func success(_ result: InsertResult) -> Response {
        switch self {
        case .protobuf:
            var body: [UInt8] = []
            if result.rejected > 0 {
                var partial: [UInt8] = [0x08]
                PackedWriter.varint(UInt64(result.rejected), to: &partial)
                Self.append(0x12, result.message, to: &partial)
                body = [0x0a]
                partial.withUnsafeBytes { PackedWriter.counted($0, to: &body) }
            }
            return response(.ok, body)
        case .json:
            let partial = ["rejectedSpans": "\(result.rejected)", "errorMessage": result.message]
            return response(.ok, Self.json(result.rejected > 0 ? ["partialSuccess": partial] : [:]))
        }
    }

    /// The answer to a failure of the store or of the body.
    func refusal(_ failure: Failure) -> Response {
        switch failure.code {
        case .corrupt, .badInput: return refusal(.badRequest, .invalidArgument, failure.message)
        case .bodyTooLarge: return refusal(.contentTooLarge, .resourceExhausted, failure.message)
        case .badEncoding: return refusal(.unsupportedMediaType, .invalidArgument, failure.message)
        default:
            var response = refusal(.serviceUnavailable, .unavailable, failure.message)
            response.headers[.retryAfter] = "2"
            return response
        }
    }

    /// `google.rpc.Status`.
    func refusal(_ status: HTTPResponse.Status, _ code: Code, _ message: String) -> Response {
        switch self {
        case .protobuf:
            var body: [UInt8] = [0x08, UInt8(code.rawValue)]
            Self.append(0x12, message, to: &body)
            return response(status, body)
        case .json:
            struct Page: Encodable {
                var code: Int
                var message: String
            }
            return response(status, Self.json(Page(code: code.rawValue, message: message)))
        }
    }

    private static func append(_ tag: UInt8, _ text: String, to bytes: inout [UInt8]) {
        bytes.append(tag)
        Array(text.utf8).withUnsafeBytes { PackedWriter.counted($0, to: &bytes) }
    }

    private static func json(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { [UInt8]($0) } ?? Array("{}".utf8)
    }

    private func response(_ status: HTTPResponse.Status, _ body: [UInt8]) -> Response {
        Response(
            status: status, headers: [.contentType: contentType], body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
