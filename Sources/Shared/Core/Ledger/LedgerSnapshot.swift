import Foundation
import Linking

// The file `ledger/snapshot`: the ledger, and how far logs and reports are that it counts. Written by the router as a
// whole in place of the one before, so that a killed process leaves the old one or the new one.
//
//    0   4  magic "EVL1"
//    4   4  CRC32C of all that follows
//    8   4  bytes of the positions (p)
//   12   p  positions, JSON (`LedgerPositions`)
//           the ledger (`Ledger.encode`), to the end

/// How far the logs are counted by a ledger.
public struct LedgerPositions: Codable, Sendable, Equatable {
    /// Rows below this position of the facts log are accepted in the ledger.
    public var acceptedEnd: UInt64
    public var partitions: UInt16
    /// Per worker: verdicts below this position have ended in every target, in the ledger too.
    public var acknowledged: [UInt64]
    /// Per worker: duplicates of epochs up to this one are in the ledger.
    public var reportedEpochs: [UInt64?]
    /// Epochs of which spans were given up; their verdicts do not count any more. The newest last.
    public var settled: [LostEpochs]

    public init(
        acceptedEnd: UInt64 = 0, partitions: UInt16, acknowledged: [UInt64], reportedEpochs: [UInt64?],
        settled: [LostEpochs] = []
    ) {
        self.acceptedEnd = acceptedEnd
        self.partitions = partitions
        self.acknowledged = acknowledged
        self.reportedEpochs = reportedEpochs
        self.settled = settled
    }

    /// The positions for a run with other workers or partitions: then the lowest of all hold for everybody.
    ///
    /// - Parameter end: of the verdict log; after a power cut it may be below what was acknowledged.
    public func fitted(to map: PartitionMap, verdictsEnd end: UInt64) -> LedgerPositions {
        var fitted = self
        if partitions != map.partitions || acknowledged.count != Int(map.workers) {
            let lowest = acknowledged.min() ?? 0
            let epoch = reportedEpochs.contains(nil) ? nil : reportedEpochs.compactMap(\.self).min()
            fitted.partitions = map.partitions
            fitted.acknowledged = Array(repeating: lowest, count: Int(map.workers))
            fitted.reportedEpochs = Array(repeating: epoch, count: Int(map.workers))
        }
        fitted.acknowledged = fitted.acknowledged.map { min($0, end) }
        return fitted
    }
}

/// The ledger as it is kept over restarts of the router.
public struct LedgerSnapshot: Sendable, Equatable {
    /// Largest snapshot that is read, bytes.
    public static let bytesMax = 64 << 20
    private static let magic = Array("EVL1".utf8)

    public var ledger: Ledger
    public var positions: LedgerPositions

    public init(ledger: Ledger, positions: LedgerPositions) {
        self.ledger = ledger
        self.positions = positions
    }

    /// The snapshot's bytes. O(open slices).
    public func encode() throws -> [UInt8] {
        let positions = try JSONEncoder().encode(positions)
        var rest: [UInt8] = []
        withUnsafeBytes(of: UInt32(positions.count).littleEndian) { rest += $0 }
        rest += positions
        rest += ledger.encode()
        let checksum = rest.withUnsafeBytes { Checksum.of($0) }
        return Self.magic + withUnsafeBytes(of: checksum.littleEndian) { Array($0) } + rest
    }

    /// The snapshot of some bytes. Fails with `.corrupt`. O(bytes).
    public static func decode(_ bytes: [UInt8]) throws(Failure) -> LedgerSnapshot {
        let damaged = Failure(.corrupt, "the snapshot of the ledger is damaged; all spans in the log count as new")
        guard bytes.count >= 12, Array(bytes[..<4]) == magic else { throw damaged }
        let (checksum, length) = bytes.withUnsafeBytes { bytes in
            (
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)),
                Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
            )
        }
        let actual = bytes.withUnsafeBytes { Checksum.of(UnsafeRawBufferPointer(rebasing: $0[8...])) }
        guard checksum == actual, length <= bytes.count - 12,
            let positions = try? JSONDecoder().decode(LedgerPositions.self, from: Data(bytes[12..<12 + length]))
        else { throw damaged }
        return LedgerSnapshot(ledger: try Ledger.decode(Array(bytes[(12 + length)...])), positions: positions)
    }
}
