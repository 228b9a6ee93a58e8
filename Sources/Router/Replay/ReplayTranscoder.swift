import Shared

/// Turns points of another form into the bytes of a `PBPoints` message.
struct ReplayTranscoder: Sendable {
    /// Bytes of whole points, each ended by a line break, to protobuf; throws where they cannot be read.
    var transcode: @Sendable (ReplayForm.Points, [UInt8]) throws -> [UInt8]
}

extension ReplayTranscoder {
    static let standard = ReplayTranscoder { _, bytes in bytes }
}
