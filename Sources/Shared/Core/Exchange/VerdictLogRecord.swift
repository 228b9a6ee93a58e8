import Linking

/// The records of the verdict log.
public enum VerdictLogRecord {
    /// Kind of a verdict block (`VerdictDecoder` reads it).
    public static let block: UInt16 = 1

    /// The newest facts position that a block is about. O(commits of the block).
    public static func newestPosition(in block: [UInt8]) throws(Failure) -> UInt64 {
        do {
            return try block.withUnsafeBytes { (bytes) throws(CodecError) in
                try VerdictDecoder(bytes).commits.map(\.position.offset).max() ?? 0
            }
        } catch {
            throw Failure(.corrupt, "a record of the verdict log is no verdict block: \(error.message)")
        }
    }
}
