import Linking
import NIOCore
import Shared

/// One part of the file target while it is written. A value: after an error the copy from before is still right,
/// since every write goes to the place that the copy knows.
///
///     0 ── headerBytes ─────────────── length
///     header line, padded with blanks  | lines of the spans
///
/// The header's room is kept free at first and filled when the part is complete.
struct PartWriter: Sendable {
    /// Room kept for the header line, bytes. A longer header means that the part is copied once.
    static let headerBytes = 32 << 10

    private struct Pair: Hashable {
        var partition: PartitionID
        var epoch: Epoch
    }

    let descriptor: Int32
    let number: UInt64
    let headerBytes: Int
    /// Length of the file so far, bytes.
    private(set) var length: UInt64
    private(set) var blocks: [(block: VerdictBlockID, items: Int)] = []
    /// What to report once the part is complete.
    private(set) var counts: [Epoch: [PartitionID: Int]] = [:]
    private var pairs: [Pair: ClosedRange<UInt64>] = [:]
    private var latestTime: UInt64 = 0
    private var spans = 0

    init(descriptor: Int32, number: UInt64, headerBytes: Int = PartWriter.headerBytes) {
        self.descriptor = descriptor
        self.number = number
        self.headerBytes = headerBytes
        length = UInt64(headerBytes)
    }

    /// Bytes of spans so far.
    var lineBytes: Int { Int(length) - headerBytes }

    /// Writes a chunk behind the others.
    mutating func append(_ chunk: EncodedChunk, disk: any ExportDisk) throws {
        try chunk.bytes.withUnsafeReadableBytes { try disk.write($0, to: descriptor, at: length) }
        length += UInt64(chunk.bytes.readableBytes)
        spans += chunk.spans
        latestTime = max(latestTime, chunk.epochTime)
        count(chunk.block)
        for run in chunk.partitions {
            counts[chunk.epoch, default: [:]][run.partition, default: 0] += run.spans
            let pair = Pair(partition: run.partition, epoch: chunk.epoch)
            let first = pairs[pair]?.lowerBound ?? chunk.block.number
            pairs[pair] = first...chunk.block.number
        }
    }

    /// Takes note that a block is whole.
    mutating func end(_ block: VerdictBlockID) { count(block) }

    /// Takes over what another writer wrote, into a file with more room for the header.
    init(copying other: PartWriter, to descriptor: Int32, number: UInt64, headerBytes: Int, disk: any ExportDisk) throws
    {
        self.init(descriptor: descriptor, number: number, headerBytes: headerBytes)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var from = UInt64(other.headerBytes)
        while from < other.length {
            let size = min(buffer.count, Int(other.length - from))
            let count = try disk.read(into: .init(rebasing: buffer[..<size]), from: other.descriptor, at: from)
            guard count > 0 else { throw Failure(.disk, "an exported part became shorter while it was written") }
            try disk.write(.init(rebasing: buffer[..<count]), to: descriptor, at: length)
            from += UInt64(count)
            length += UInt64(count)
        }
        (blocks, counts, pairs) = (other.blocks, other.counts, other.pairs)
        (latestTime, spans) = (other.latestTime, other.spans)
    }

    /// The header of the part as it is now.
    func header(log: String, worker: WorkerOrdinal) -> PartHeader {
        let list = pairs.map { pair, range in
            [UInt64(pair.partition.number), pair.epoch.number, range.lowerBound, range.upperBound]
        }
        return PartHeader(
            log: log, worker: worker.number, part: number, hour: PartHeader.hour(ofNanoseconds: latestTime),
            firstBlock: blocks.first?.block.number ?? 0, lastBlock: blocks.last?.block.number ?? 0,
            firstEpoch: pairs.keys.map(\.epoch.number).min() ?? 0, spans: UInt64(spans),
            pairs: list.sorted { ($0[1], $0[0]) < ($1[1], $1[0]) })
    }

    /// Puts the header into its room and makes the part safe.
    func finish(_ header: [UInt8], disk: any ExportDisk) throws {
        precondition(header.count == headerBytes, "the header must fill its room")
        try header.withUnsafeBytes { try disk.write($0, to: descriptor, at: 0) }
        // What an earlier failed write left behind the last line is cut.
        try disk.truncate(descriptor, to: length)
        try disk.sync(descriptor)
    }

    private mutating func count(_ block: VerdictBlockID) {
        if blocks.last?.block != block { blocks.append((block, 0)) }
        blocks[blocks.count - 1].items += 1
    }
}
