import Linking
import Shared

/// What the merge's thread holds: the merge, the verdict log, and the rows whose verdict is in the log already.
struct MergeLoop: ~Copyable {
    private var merge: GraphMerge
    let log: RecordLog
    private var decided: DecidedRows
    private var verdicts = VerdictBuilder()
    /// Where the blocks of each step begin, oldest first.
    private var synchronizedEnd: UInt64 = 0
    private var lastSync = 0
    private var starts: [(epoch: Epoch, position: UInt64)] = []

    init(merge: consuming GraphMerge, log: RecordLog, decided: DecidedRows) {
        self.merge = merge
        self.log = log
        self.decided = decided
    }

    /// All facts of this epoch and before are in.
    var watermark: Epoch { merge.watermark }

    /// Takes a graph in; returns why not, where it was refused.
    mutating func insert(_ graph: [UInt8]) -> String? {
        do {
            let insertion = try graph.withRawBytes { (bytes) throws(CodecError) in try merge.insert(bytes) }
            return insertion == .refusedOverlap ? "another worker told of these partitions" : nil
        } catch {
            return error.message
        }
    }

    mutating func advance(to epoch: Epoch) { merge.advance(to: epoch, into: &verdicts) }

    /// Closes traces of so many spans; true when none is left.
    mutating func flush(atMost spans: Int) -> Bool { merge.flush(into: &verdicts, atMost: spans) }

    /// The blocks of this step, without rows that have their verdict from before a restart: a verdict is never given
    /// again.
    mutating func finishBlocks(spansPerBlock: Int) -> [[UInt8]] {
        if !decided.isEmpty { verdicts.leaveOut { decided.contains($0, $1, $2) } }
        return verdicts.finish(watermark: merge.watermark, spansPerBlock: spansPerBlock)
    }

    /// Appends a block: from here on its verdicts are true.
    mutating func append(_ block: [UInt8]) throws(Failure) {
        let position = try log.append(kind: VerdictLogRecord.block, block)
        if starts.last.map({ $0.epoch < merge.watermark }) ?? true { starts.append((merge.watermark, position)) }
    }

    /// Makes the log safe against a power cut when the last time was long enough ago. A failure is tried again later.
    mutating func synchronize(interval: Int, now: Int, onFailure: (Failure) -> Void) {
        guard log.end > synchronizedEnd, now - lastSync >= interval else { return }
        lastSync = now
        do {
            try log.sync()
            synchronizedEnd = log.end
        } catch {
            onFailure(error)
        }
    }

    /// Removes blocks below a position whose verdicts were given before an epoch.
    mutating func trim(below position: UInt64, horizon: Epoch) {
        var end: UInt64 = 0
        while let first = starts.first, first.epoch < horizon, first.position < position {
            end = first.position
            starts.removeFirst()
        }
        // What is not removed now goes with the next trim.
        if end > 0 { try? log.trim(below: end) }
    }

    func report(into progress: inout MergeThread.Progress) {
        progress.watermark = merge.watermark
        progress.verdicts = log.end
        progress.openSpans = merge.openSpans
        progress.statistics = merge.statistics
    }
}

/// Rows of the logs that had their verdict when the router started: read from the verdict log.
struct DecidedRows: Sendable {
    private struct Key: Hashable {
        var router: RouterOrdinal
        var position: LogPosition
    }

    /// A bit a row.
    private var rows: [Key: [UInt64]] = [:]

    init() {}

    var isEmpty: Bool { rows.isEmpty }

    /// Reads the whole verdict log. Fails with `.disk` when it cannot be read; damaged blocks are passed over.
    static func read(from log: RecordLogReader, end: UInt64) throws(Failure) -> DecidedRows {
        var decided = DecidedRows()
        var position: UInt64 = 0
        while position < end, let (entry, next) = try log.next(from: position, end: end) {
            if case .record(VerdictLogRecord.block, _, let bytes) = entry { decided.add(bytes) }
            position = next
        }
        return decided
    }

    private mutating func add(_ block: [UInt8]) {
        var decoded: [VerdictDecoder.Row] = []
        try? block.withRawBytes { (bytes) throws(CodecError) in
            var decoder = try VerdictDecoder(bytes)
            while let commit = try decoder.next(into: &decoded) {
                let key = Key(router: commit.router, position: commit.position)
                for row in decoded { insert(row.row, key) }
            }
        }
    }

    private mutating func insert(_ row: UInt32, _ key: Key) {
        let word = Int(row / 64)
        // Rows of a commit are bounded by `Limits.commitSpans`; a damaged number makes no large table.
        guard word < 1 << 16 else { return }
        var bits = rows[key] ?? []
        if bits.count <= word { bits += Array(repeating: 0, count: word + 1 - bits.count) }
        bits[word] |= 1 << (row % 64)
        rows[key] = bits
    }

    func contains(_ router: RouterOrdinal, _ position: LogPosition, _ row: UInt32) -> Bool {
        guard let bits = rows[Key(router: router, position: position)], Int(row / 64) < bits.count else { return false }
        return bits[Int(row / 64)] & 1 << (row % 64) != 0
    }
}
