import Linking
import Shared

/// Turns a verdict block into what the worker does with its own rows: batches of kept spans, counts of dropped ones.
///
/// Payload is read for kept spans only. One owner, not thread-safe.
final class VerdictApplier {
    /// Rows of one commit that a block decided.
    struct Ended {
        var position: LogPosition
        var rows: Int
        /// Wall clock of the commit's append, nanoseconds since 1970.
        var appended: Int64
    }

    /// What a block means for this worker.
    struct Outcome {
        /// In the order in which they are to be submitted; the last one ends the block. Never empty.
        var batches: [ExportBatch] = []
        /// Rows that ended with this verdict itself: traces not sampled, and payload that cannot be read.
        var dropped: [Dropped: UInt64] = [:]
        /// Rows that have ended once the block is acknowledged, by commit.
        var ended: [Ended] = []
        /// Commits whose facts are damaged: their rows cannot be told.
        var unreadable: [LogPosition] = []

        /// What a block means that cannot be read: nothing but its end.
        static func unreadable(_ id: VerdictBlockID) -> Outcome { Outcome(batches: [.end(of: id)]) }
    }

    struct Dropped: Hashable {
        var partition: PartitionID
        var epoch: Epoch
        var reason: String
    }

    private let router: RouterOrdinal
    private let owned: Range<UInt16>
    private let epochNanoseconds: Int
    /// Epochs that were given up: their spans have left already.
    private let settled: [LostEpochs]
    private let log: SpanLogReader
    /// The points of the block in hand.
    private var points = PointBuffer()
    private var rows: [VerdictDecoder.Row] = []
    /// The kept rows of the commit in hand, and what is exported of them.
    private var keptRows: [FactsRow] = []
    private var kept: [Kept] = []
    /// Memory for points beyond this, bytes, is given back after its block.
    private static let pointBytesHeld = 16 << 20

    private struct Kept {
        var partition: PartitionID
        var span: ExportSpan
    }

    init(
        router: RouterOrdinal, owned: Range<UInt16>, epochNanoseconds: Int, settled: [LostEpochs], log: SpanLogReader
    ) {
        self.router = router
        self.owned = owned
        self.epochNanoseconds = epochNanoseconds
        self.settled = settled
        self.log = log
    }

    /// Path of the file that holds a commit's facts, for messages.
    func path(at position: LogPosition) -> String { log.path(at: position) }

    /// Applies one block. Fails with `.corrupt` when it is no verdict block; a commit that cannot be read any more is
    /// counted and passed over.
    func apply(_ block: [UInt8], id: VerdictBlockID) throws(Failure) -> Outcome {
        // Targets may still encode the batches of the last block.
        if !isKnownUniquelyReferenced(&points) || points.capacity > Self.pointBytesHeld { points = PointBuffer() }
        points.removeAll()
        var outcome = Outcome()
        var gathered: [Epoch: [Kept]] = [:]
        do {
            try read(block, into: &outcome, &gathered)
        } catch let error as CodecError {
            throw Failure(.corrupt, "the verdict block at \(id) cannot be read: \(error.message)")
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.corrupt, "the verdict block at \(id) cannot be read", cause: error)
        }
        for (epoch, spans) in gathered.sorted(by: { $0.key < $1.key }) {
            outcome.batches.append(batch(epoch, spans, id))
        }
        if outcome.batches.isEmpty {
            outcome.batches.append(ExportBatch.end(of: id))
        } else {
            outcome.batches[outcome.batches.count - 1].endsBlock = true
        }
        return outcome
    }

    private func read(_ block: [UInt8], into outcome: inout Outcome, _ gathered: inout [Epoch: [Kept]]) throws {
        try block.withUnsafeBytes { bytes in
            var decoder = try VerdictDecoder(bytes)
            while let commit = try decoder.next(into: &rows) {
                guard commit.router == router else { continue }
                try apply(commit, into: &outcome, &gathered)
            }
        }
    }

    private func apply(
        _ commit: VerdictDecoder.Commit, into outcome: inout Outcome, _ gathered: inout [Epoch: [Kept]]
    ) throws(Failure) {
        let facts: FactsBlock
        do {
            facts = try log.block(at: commit.position)
        } catch  where error.code == .corrupt {
            // Trimmed: everything in it had ended before the worker started again.
            if !(try log.isTrimmed(commit.position)) { outcome.unreadable.append(commit.position) }
            return
        }
        var own = 0
        keptRows.removeAll(keepingCapacity: true)
        kept.removeAll(keepingCapacity: true)
        var place = 0
        for run in facts.partitions where owned.contains(run.partition.number) {
            var sampled: UInt64 = 0
            while place < rows.count, rows[place].row < run.rows.lowerBound { place += 1 }
            let isGivenUp = !settled.isEmpty && hasGivenUp(run.partition, facts.header.epoch)
            while place < rows.count, run.rows.contains(rows[place].row) {
                own += 1
                if isGivenUp {
                    // Counted before the router started again.
                } else if let verdict = rows[place].verdict {
                    let row = facts.row(at: rows[place].row)
                    keptRows.append(row)
                    kept.append(Kept(partition: run.partition, span: span(row, rows[place].row, verdict, commit)))
                } else {
                    sampled += 1
                }
                place += 1
            }
            outcome.count(DropReason.sampled, sampled, run.partition, facts.header.epoch)
        }
        guard own > 0 else { return }
        outcome.ended.append(Ended(position: commit.position, rows: own, appended: facts.header.time))
        guard !keptRows.isEmpty else { return }
        try gather(facts.header, into: &outcome, &gathered)
    }

    private func hasGivenUp(_ partition: PartitionID, _ epoch: Epoch) -> Bool {
        settled.contains { $0.contains(epoch: epoch.number, partition: partition.number) }
    }

    private func span(
        _ row: FactsRow, _ number: UInt32, _ verdict: SpanVerdict, _ commit: VerdictDecoder.Commit
    ) -> ExportSpan {
        var verdict = verdict
        if verdict.spanID == .none { verdict.spanID = row.facts.id }
        return ExportSpan(
            point: 0, address: RowAddress(router: commit.router, position: commit.position, row: number),
            verdict: verdict)
    }

    /// Reads the points of the kept rows and puts their spans to the others of the epoch.
    private func gather(
        _ header: FactsBlock.Header, into outcome: inout Outcome, _ gathered: inout [Epoch: [Kept]]
    ) throws(Failure) {
        let first = points.count
        do {
            try log.readPoints(of: header, keptRows, into: points, appending: true)
        } catch  where error.code == .corrupt {
            for row in keptRows { outcome.count(DropReason.unreadablePayload, 1, row.partition, header.epoch) }
            return
        }
        for index in kept.indices { kept[index].span.point = first + index }
        gathered[header.epoch, default: []] += kept
    }

    private func batch(_ epoch: Epoch, _ gathered: [Kept], _ id: VerdictBlockID) -> ExportBatch {
        // Partition and index in one number: such an array is sorted without asking anyone.
        let order = gathered.indices.map { UInt64(gathered[$0].partition.number) << 32 | UInt64($0) }.sorted()
        var spans: [ExportSpan] = []
        spans.reserveCapacity(order.count)
        var partitions: [PartitionCount] = []
        for item in order {
            let partition = PartitionID(UInt16(truncatingIfNeeded: item >> 32))
            spans.append(gathered[Int(item & 0xffff_ffff)].span)
            if partitions.last?.partition == partition {
                partitions[partitions.count - 1].spans += 1
            } else {
                partitions.append(PartitionCount(partition: partition, spans: 1))
            }
        }
        return ExportBatch(
            block: id, endsBlock: false, epoch: epoch,
            epochTime: epoch.number.multipliedReportingOverflow(by: UInt64(epochNanoseconds)).partialValue,
            points: points, spans: spans, partitions: partitions)
    }
}

extension VerdictApplier.Outcome {
    fileprivate mutating func count(_ reason: String, _ spans: UInt64, _ partition: PartitionID, _ epoch: Epoch) {
        guard spans > 0 else { return }
        dropped[VerdictApplier.Dropped(partition: partition, epoch: epoch, reason: reason), default: 0] += spans
    }
}
