/// Why a body was refused as a whole. No point of it was taken.
public struct BodyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// An open set of kinds: the part of `error_code` after `datakit.`, and the status it is answered with.
    public struct Kind: Hashable, Sendable {
        public var name: String
        /// HTTP status of the answer.
        public var status: Int

        public static let noPoints = Kind(name: "noPoints", status: 400)
        public static let invalidProtobufPoint = Kind(name: "invalidProtobufPoint", status: 400)
        public static let invalidLinePoint = Kind(name: "invalidLinePoint", status: 400)
        public static let invalidJsonPoint = Kind(name: "invalidJsonPoint", status: 400)
        /// A `Content-Encoding` other than identity, gzip, deflate and zstd.
        public static let unsupportedEncoding = Kind(name: "unsupportedEncoding", status: 400)
        /// Over a bound of `Limits`.
        public static let tooLarge = Kind(name: "tooLarge", status: 413)
    }

    public var kind: Kind
    /// One sentence for the sender.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// `error_code` of the answer's body.
    public var errorCode: String { "datakit." + kind.name }
    public var description: String { "\(errorCode): \(message)" }
}
