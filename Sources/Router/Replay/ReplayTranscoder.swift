import Shared

/// Turns points of a text form into the bytes of a `PBPoints` message. Belongs to one file, and one task at a time.
struct ReplayTranscoder {
    /// Points that cannot be read.
    struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    private let decoder: BodyDecoder
    private var batch = FactsBatch()

    init() {
        var rules = IngestRules()
        // The router that takes the points applies its own deny list.
        rules.denyFields = []
        decoder = BodyDecoder(rules: rules)
    }

    /// The points of `text`, each ended by a line break, as protobuf.
    /// - Parameter now: nanoseconds since 1970, for points that bring no time.
    /// - Throws: `BodyError` or `Unreadable`, when a single point of `text` is none.
    mutating func protobuf(_ text: [UInt8], form: ReplayForm.Points, now: Int64) throws -> [UInt8] {
        let type: String
        switch form {
        case .protobuf: return text
        case .lineProtocol: type = "application/line-protocol"
        case .json: type = "application/json"
        }
        batch.removeAll()
        let decoded = try text.withUnsafeBytes {
            try decoder.decode(
                contentType: type, contentEncoding: nil, body: $0, scope: 0, now: now, into: &batch)
        }
        let malformed = batch.dropped[.malformedPoint]
        guard malformed == 0, case .rewritten(let bytes) = decoded else {
            throw Unreadable(description: "\(malformed) of the points cannot be read")
        }
        return bytes
    }
}
