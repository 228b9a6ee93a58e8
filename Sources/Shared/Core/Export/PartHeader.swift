import FoundationEssentials
import Linking

/// First line of a part of the file target: whose spans of which verdict blocks the part holds.
///
///     {"ebpftrace_part":1,"log":"…","worker":0,"part":17,"hour":"20260102T03","first_block":41,"last_block":44,
///      "first_epoch":9001,"spans":5000,"pairs":[[partition,epoch,first block,last block],…]}      (one line)
///
/// The line may end in blanks. A part holds *all* kept spans that its worker owns of each block in a pair's range.
public struct PartHeader: Codable, Equatable, Sendable {
    /// Version of the layout; readers refuse others.
    public static let version = 1
    /// Longest header line a reader takes, bytes.
    public static let bytesMax = 16 << 20

    public var format = PartHeader.version
    /// Name of the verdict log the block numbers belong to; parts of another log say nothing about ours.
    public var log: String
    public var worker: UInt16
    /// Running number of the part within its worker.
    public var part: UInt64
    /// The hour file the lines belong to, `YYYYMMDDTHH`, UTC, by log time.
    public var hour: String
    public var firstBlock: UInt64
    public var lastBlock: UInt64
    public var firstEpoch: UInt64
    public var spans: UInt64
    /// Four numbers each: partition, epoch, first and last verdict block.
    public var pairs: [[UInt64]]

    enum CodingKeys: String, CodingKey {
        case format = "ebpftrace_part"
        case log, worker, part, hour, spans, pairs
        case firstBlock = "first_block"
        case lastBlock = "last_block"
        case firstEpoch = "first_epoch"
    }

    public init(
        log: String, worker: UInt16, part: UInt64, hour: String, firstBlock: UInt64, lastBlock: UInt64,
        firstEpoch: UInt64, spans: UInt64, pairs: [[UInt64]]
    ) {
        self.log = log
        self.worker = worker
        self.part = part
        self.hour = hour
        self.firstBlock = firstBlock
        self.lastBlock = lastBlock
        self.firstEpoch = firstEpoch
        self.spans = spans
        self.pairs = pairs
    }

    /// The header as one line of JSON, with its line end, padded with blanks to at least `length` bytes.
    public func line(paddedTo length: Int = 0) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes = try [UInt8](encoder.encode(self))
        if bytes.count + 1 < length { bytes.append(contentsOf: repeatElement(0x20, count: length - bytes.count - 1)) }
        bytes.append(0x0A)
        return bytes
    }

    /// Reads a header line; throws `Failure(.corrupt)` for anything that is not one.
    public init(line: some Sequence<UInt8>) throws {
        do {
            self = try JSONDecoder().decode(PartHeader.self, from: Data(line))
        } catch {
            throw Failure(.corrupt, "the first line is not the header of an exported part", cause: error)
        }
        let pairsAreWhole = pairs.allSatisfy { $0.count == 4 && $0[0] <= UInt64(UInt16.max) && $0[2] <= $0[3] }
        let hourIsPlain = hour.utf8.count == 11 && hour.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x54 }
        guard format == PartHeader.version, firstBlock <= lastBlock, pairsAreWhole, hourIsPlain else {
            throw Failure(.corrupt, "the header of an exported part has another version or impossible numbers")
        }
    }

    /// `YYYYMMDDTHH` (UTC) of nanoseconds since 1970.
    public static func hour(ofNanoseconds time: UInt64) -> String {
        let hours = time / 3_600_000_000_000
        // Days to civil date, with years that begin in March so that the leap day comes last.
        let day = hours / 24 + 719_468
        let era = day / 146_097
        let dayOfEra = day % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func digits(_ number: UInt64, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return digits(year, 4) + digits(month, 2) + digits(dayOfYear - (153 * shifted + 2) / 5 + 1, 2) + "T"
            + digits(hours % 24, 2)
    }
}

/// Which rows of a verdict log are in completed parts already: by (partition, epoch), the verdict blocks.
public struct DoneBlocks: Sendable {
    private struct Pair: Hashable {
        var partition: UInt16
        var epoch: UInt64
    }
    private var ranges: [Pair: [ClosedRange<UInt64>]] = [:]

    public init() {}

    /// True when nothing is known to be done.
    public var isEmpty: Bool { ranges.isEmpty }

    /// Adds what a completed part holds. Ranges that touch are joined.
    public mutating func insert(_ header: PartHeader) {
        for pair in header.pairs {
            let key = Pair(partition: UInt16(truncatingIfNeeded: pair[0]), epoch: pair[1])
            var range = pair[2]...pair[3]
            var kept: [ClosedRange<UInt64>] = []
            for other in ranges[key] ?? [] {
                if other.overlaps(range) {
                    range = min(range.lowerBound, other.lowerBound)...max(range.upperBound, other.upperBound)
                } else {
                    kept.append(other)
                }
            }
            kept.append(range)
            ranges[key] = kept
        }
    }

    /// Whether the rows of a block, partition and epoch are in a completed part.
    public func contains(block: UInt64, partition: PartitionID, epoch: Epoch) -> Bool {
        guard let found = ranges[Pair(partition: partition.number, epoch: epoch.number)] else { return false }
        return found.contains { $0.contains(block) }
    }

    /// Forgets blocks up to and including `block`, which nobody will ask for again.
    public mutating func forget(through block: UInt64) {
        ranges = ranges.compactMapValues { list in
            let rest = list.filter { $0.upperBound > block }
            return rest.isEmpty ? nil : rest
        }
    }
}
