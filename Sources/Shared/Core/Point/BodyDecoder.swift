import Linking

/// Where the points of a decoded body lie.
public enum DecodedBody: Hashable, Sendable {
    /// The body as received is the payload.
    case asReceived
    /// These bytes are: the body was compressed, not protobuf, or held a field of the deny list.
    case rewritten([UInt8])
}

/// The form of a body, by its `Content-Type`.
public enum BodyForm: Hashable, Sendable {
    case protobuf
    case pbjson
    case json
    case lineProtocol

    /// Protobuf and pbjson by their media type, JSON when the text contains `application/json`, else line protocol.
    public init(contentType: String?) {
        let type = (contentType ?? "").lowercased()
        let media = type.prefix { $0 != ";" && $0 != " " }
        switch media {
        case "application/protobuf", "application/x-protobuf": self = .protobuf
        case "application/pbjson": self = .pbjson
        default: self = type.contains("application/json") ? .json : .lineProtocol
        }
    }

    /// The error of a body that cannot be read in this form.
    var invalid: BodyError.Kind {
        switch self {
        case .protobuf: .invalidProtobufPoint
        case .pbjson, .json: .invalidJsonPoint
        case .lineProtocol: .invalidLinePoint
        }
    }
}

/// Any body an agent may send, made into link facts and a payload of `PBPoints`.
///
/// Holds compression contexts, so it belongs to one thread at a time. A protobuf body costs what `PointWalker` costs;
/// the other forms are first rewritten as protobuf.
public struct BodyDecoder {
    private let walker: PointWalker
    private let denyList: FieldDenyList
    private let zstd = Zstd()
    private let gzip = Gzip()

    public init(rules: IngestRules) {
        walker = PointWalker(rules: rules)
        denyList = FieldDenyList(rules.denyFields)
    }

    /// Appends one row a point to `batch`; on error the batch is as before.
    ///
    /// - Parameters:
    ///   - scope: hash of the peer address or of the agent header; 0: none.
    ///   - now: nanoseconds since 1970, for points of text forms that bring no time.
    /// - Throws: see `BodyError.Kind`; the body is then refused as a whole.
    public func decode(
        contentType: String?, contentEncoding: String?, body: UnsafeRawBufferPointer, scope: UInt64, now: Int64,
        into batch: inout FactsBatch
    ) throws(BodyError) -> DecodedBody {
        let form = BodyForm(contentType: contentType)
        guard body.count <= walker.rules.limits.bodyBytes else {
            throw BodyError(.tooLarge, "the body is larger than \(walker.rules.limits.bodyBytes) bytes")
        }
        guard let plain = try decompressed(body, encoding: contentEncoding, form: form) else {
            return try decode(form, body, isReceived: true, scope: scope, now: now, into: &batch)
        }
        let decoded = try plain.withRawBytes { (bytes) throws(BodyError) in
            try decode(form, bytes, isReceived: false, scope: scope, now: now, into: &batch)
        }
        return decoded == .asReceived ? .rewritten(plain) : decoded
    }

    private func decode(
        _ form: BodyForm, _ body: UnsafeRawBufferPointer, isReceived: Bool, scope: UInt64, now: Int64,
        into batch: inout FactsBatch
    ) throws(BodyError) -> DecodedBody {
        guard form != .protobuf else { return try walk(body, scope: scope, into: &batch) }
        let transcoded = try transcode(form, body, now: now)
        let decoded = try transcoded.bytes.withRawBytes { (bytes) throws(BodyError) in
            try walk(bytes, scope: scope, into: &batch)
        }
        batch.dropped[.malformedPoint] += transcoded.malformed
        return decoded == .asReceived ? .rewritten(transcoded.bytes) : decoded
    }

    /// Walks a protobuf body; takes the fields of the deny list out when there are any.
    private func walk(
        _ body: UnsafeRawBufferPointer, scope: UInt64, into batch: inout FactsBatch
    ) throws(BodyError) -> DecodedBody {
        let rows = batch.rows.count
        let passedThrough = batch.passedThrough
        batch.holdsDeniedField = false
        try walker.decode(body, scope: scope, into: &batch)
        guard batch.holdsDeniedField else { return .asReceived }
        // Rare: read once more what is stored, so that offsets and ids belong to it. What the first reading dropped
        // as malformed is not stored, and its count stands.
        let (stripped, removed) = denyList.stripped(body)
        var again = FactsBatch()
        try stripped.withRawBytes { (bytes) throws(BodyError) in
            try walker.decode(bytes, scope: scope, into: &again)
        }
        batch.rows.removeLast(batch.rows.count - rows)
        batch.rows += again.rows
        batch.passedThrough = passedThrough
        for (reason, count) in again.passedThrough.entries { batch.passedThrough[reason] += count }
        batch.deniedFields += removed
        batch.holdsDeniedField = false
        return .rewritten(stripped)
    }

    private func transcode(
        _ form: BodyForm, _ body: UnsafeRawBufferPointer, now: Int64
    ) throws(BodyError) -> Transcoded {
        let limits = walker.rules.limits
        let transcoded: Transcoded? =
            switch form {
            case .pbjson: PBJSONPoints.transcode(body, limit: limits.pointsPerBody)
            case .json: JSONPoints.transcode(body, now: now, limit: limits.pointsPerBody)
            case .lineProtocol, .protobuf: LineProtocol.transcode(body, now: now, limit: limits.pointsPerBody)
            }
        guard body.count > 0 else { throw PointWalker.noPoints }
        guard let transcoded else { throw BodyError(form.invalid, "the body is no JSON of points") }
        guard !transcoded.isOverLimit else {
            throw BodyError(.tooLarge, "more than \(limits.pointsPerBody) points in one body")
        }
        guard transcoded.bytes.count <= limits.decompressedBodyBytes else {
            throw BodyError(.tooLarge, "the points take more than \(limits.decompressedBodyBytes) bytes")
        }
        guard !transcoded.bytes.isEmpty || transcoded.malformed == 0 else {
            throw BodyError(form.invalid, "no point of the body can be read")
        }
        return transcoded
    }

    /// The plain bytes; nil when the body is not compressed.
    private func decompressed(
        _ body: UnsafeRawBufferPointer, encoding: String?, form: BodyForm
    ) throws(BodyError) -> [UInt8]? {
        let name = (encoding ?? "").lowercased().filter { $0 != " " }
        guard !name.isEmpty, name != "identity" else { return nil }
        guard body.count > 0 else { throw PointWalker.noPoints }
        let limits = walker.rules.limits
        let (product, overflow) = body.count.multipliedReportingOverflow(by: limits.decompressionRatio)
        let limit = overflow ? limits.decompressedBodyBytes : min(limits.decompressedBodyBytes, product)
        do {
            switch name {
            case "gzip", "x-gzip": return try gzip.decompress(body, limit: limit)
            case "deflate": return try gzip.decompressDeflate(body, limit: limit)
            case "zstd": return try zstd.decompress(body, limit: limit)
            default: break
            }
        } catch let failure {
            throw BodyError(failure.code == .limit ? .tooLarge : form.invalid, failure.message)
        }
        throw BodyError(.unsupportedEncoding, "send the body plain, or as gzip, deflate or zstd")
    }
}
