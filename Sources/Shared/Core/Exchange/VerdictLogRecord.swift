import Linking

/// The records of the verdict log.
public enum VerdictLogRecord {
    /// Kind of a verdict block (`VerdictDecoder` reads it).
    public static let block: UInt16 = 1

    /// The newest facts position that a block is about. O(commits of the block).
    public static func newestPosition(in block: [UInt8]) throws(Failure) -> UInt64 {
        var newest: UInt64 = 0
        do throws(CodecError) {
            try block.withRawBytes { (bytes) throws(CodecError) in
                for commit in try VerdictDecoder(bytes).commits { newest = max(newest, commit.position.offset) }
            }
        } catch {
            throw Failure(.corrupt, "a record of the verdict log is no verdict block: \(error.message)")
        }
        return newest
    }
}
