import Testing
@testable import Linking

/// What tests compare: the verdict of each span, by its key. A dropped span has a verdict of `nil`.
typealias Outcome = [SpanID: SpanVerdict?]

/// A miniature of the cluster: log, workers and merge in one function, without files and processes.
struct Cluster {
    var workers = 1
    var partitionKey = PartitionKey.tuple
    var partitionCount: UInt16 = 256
    var options = LinkingOptions()
    var limits = Limits()
    /// False: no group is closed the short way.
    var closesSimply = true
    /// Shuffles arrival, commits and pieces, and repeats spans and pieces.
    var seed: UInt64?
    var spansPerPiece = 7
    /// Spans that one step of `flush` decides.
    var spansPerFlush = Int.max
    /// The epoch up to which time runs on after the last span, before `flush`.
    var idleUntil: UInt64 = 0

    struct Result {
        var outcome: Outcome = [:]
        var statistics = LinkingStatistics()
        var openSpans = 0
        /// Groups that were closed the short way.
        var simpleGroups = 0
    }

    private struct Stored {
        var span: TestSpan
        var address: RowAddress
        var partition: UInt16
    }

    func link(_ spans: [TestSpan]) throws -> Result {
        var random = Seeded(seed ?? 0)
        var merge = GraphMerge(options: options, limits: limits)
        merge.closesSimply = closesSimply
        var result = Result()
        var keyAt: [RowAddress: SpanID] = [:]
        var position: UInt64 = 0
        var seen: Set<SpanID> = []
        let byEpoch = Dictionary(grouping: spans, by: \.epoch)
        let last = max(byEpoch.keys.max() ?? 0, idleUntil)
        var epoch = byEpoch.keys.min() ?? 0
        while epoch <= last {
            var arrived = byEpoch[epoch] ?? []
            if seed != nil {
                arrived += arrived.filter { _ in random.chance(0.1) }
                arrived.shuffle(using: &random)
            }
            let stored = append(arrived, &position, &random)
            for entry in stored { keyAt[entry.address] = entry.span.key }
            var pieces = try encode(stored, epoch: Epoch(epoch), &seen)
            if seed != nil {
                pieces += pieces.filter { _ in random.chance(0.2) }
                pieces.shuffle(using: &random)
            }
            for piece in pieces { try insert(piece, into: &merge) }
            var verdict = VerdictBuilder()
            merge.advance(to: Epoch(epoch), into: &verdict)
            try read(&verdict, keyAt, into: &result.outcome)
            epoch += 1
        }
        var isFlushed = false
        while !isFlushed {
            var verdict = VerdictBuilder()
            isFlushed = merge.flush(into: &verdict, atMost: spansPerFlush)
            try read(&verdict, keyAt, into: &result.outcome)
        }
        result.statistics = merge.statistics
        result.openSpans = merge.openSpans
        result.simpleGroups = merge.simpleGroups
        return result
    }

    /// The log: commits of up to five spans in one of two routers, rows sorted by partition.
    private func append(_ spans: [TestSpan], _ position: inout UInt64, _ random: inout Seeded) -> [Stored] {
        var stored: [Stored] = []
        var from = 0
        while from < spans.count {
            let to = min(spans.count, from + (seed == nil ? 5 : 1 + random.below(9)))
            position += 100
            var commit = spans[from..<to].map { span in
                let partition = partitionKey.partition(
                    flow: span.flow, requestSequence: span.facts.requestSequence, partitionCount: partitionCount)
                let address = RowAddress(router: RouterOrdinal(0), position: LogPosition(position), row: 0)
                return Stored(span: span, address: address, partition: partition.number)
            }
            commit.sort { $0.partition < $1.partition }
            let router = RouterOrdinal(seed == nil ? 0 : UInt16(random.below(2)))
            for row in commit.indices {
                commit[row].address.router = router
                commit[row].address.row = UInt32(row)
            }
            stored += commit
            from = to
        }
        return stored
    }

    /// The workers: each encodes the rows of its own partitions and leaves out repeats.
    private func encode(_ stored: [Stored], epoch: Epoch, _ seen: inout Set<SpanID>) throws -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        for worker in 0..<workers {
            let own = (0..<partitionCount).filter { Int($0) * workers / Int(partitionCount) == worker }
            guard let first = own.first, let last = own.last else { continue }
            var encoder = PartialGraphEncoder()
            var piece: UInt32 = 0
            func header(isLast: Bool) -> PartialGraphHeader {
                PartialGraphHeader(
                    firstPartition: first, endPartition: last + 1, epoch: epoch, piece: piece, isLastPiece: isLast)
            }
            for entry in stored where (first...last).contains(entry.partition) {
                // Each span has one flow, so a repeat meets the same worker's table.
                guard seen.insert(entry.span.key).inserted else { continue }
                encoder.append(entry.span.facts, at: entry.address)
                if encoder.spanCount == spansPerPiece {
                    pieces.append(encoder.finish(header(isLast: false)))
                    piece += 1
                }
            }
            pieces.append(encoder.finish(header(isLast: true)))
        }
        return pieces
    }

    private func insert(_ piece: [UInt8], into merge: inout GraphMerge) throws {
        try piece.withUnsafeBytes { bytes in
            if try merge.insert(bytes) == .refusedOverlap { Issue.record("a piece was refused") }
        }
    }

    private func read(
        _ builder: inout VerdictBuilder, _ keyAt: [RowAddress: SpanID], into outcome: inout Outcome
    ) throws {
        for block in builder.finish(watermark: Epoch(0), spansPerBlock: 100) {
            try block.withUnsafeBytes { bytes in
                var decoder = try VerdictDecoder(bytes)
                var rows: [VerdictDecoder.Row] = []
                while let commit = try decoder.next(into: &rows) {
                    for row in rows {
                        let address = RowAddress(router: commit.router, position: commit.position, row: row.row)
                        let key = try #require(keyAt[address], "a verdict names a row that holds no span")
                        #expect(outcome.updateValue(row.verdict, forKey: key) == nil, "a span got two verdicts")
                    }
                }
            }
        }
    }
}

/// The first differences of two outcomes, for a failing test's report.
func differences(_ one: Outcome, _ other: Outcome, _ spans: [TestSpan]) -> String {
    var lines: [String] = []
    for span in spans where one[span.key] != other[span.key] {
        lines.append("\(span.facts)\n  one:   \(String(describing: one[span.key]))"
            + "\n  other: \(String(describing: other[span.key]))")
    }
    return "\(lines.count) of \(spans.count) differ\n" + lines.prefix(3).joined(separator: "\n")
}
