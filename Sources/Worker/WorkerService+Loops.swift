import Linking
import Logging
import Shared
import SharedNet

extension WorkerService {
    // MARK: Facts → partial graphs

    /// Reads the facts of the own partitions and publishes what each epoch shows of them. Ends with the watch.
    func publishPartials() async {
        var reading = FactsReading(service: self)
        let zstd = Zstd()
        while let new = await ends.wait(until: { [position = reading.position] in $0.facts > position.offset }) {
            while reading.position.offset < new.facts, !ends.isClosed {
                let pieces: [PartitionState.Piece]
                do {
                    pieces = try reading.step(to: LogPosition(new.facts))
                } catch {
                    logger.error("cannot read the facts log", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .milliseconds(500))
                    continue
                }
                for piece in pieces { await publish(piece, zstd) }
            }
        }
    }

    /// Publishes a piece until the router took it.
    private func publish(_ piece: PartitionState.Piece, _ zstd: Zstd) async {
        let compressed = metrics.timed(.publish) { try? zstd.compress(piece.bytes, level: 1) }
        guard let compressed else {
            logger.critical("cannot compress a partial graph", metadata: ["bytes": "\(piece.bytes.count)"])
            return
        }
        metrics.published(bytes: compressed.count)
        while !ends.isClosed {
            do {
                if try await peer.publish(compressed) { return }
            } catch {
                logger.warning("cannot publish a partial graph", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    // MARK: Verdicts → targets

    /// Applies the verdict log's blocks in order, from the trim position on. Ends with the watch.
    func applyVerdicts() async {
        let disk = RealDisk()
        let directory = DataDirectory.reading(welcome.dataDirectory, on: disk)
        let verdicts = RecordLogReader(disk: disk, folder: directory.verdictLog)
        let applier = VerdictApplier(
            router: RouterOrdinal(welcome.router), owned: welcome.firstPartition..<welcome.endPartition,
            epochNanoseconds: welcome.epochNanoseconds, log: SpanLogReader(disk: disk, folder: directory.spanLog))
        var position: UInt64 = 0
        var isFlushed = false
        while let new = await ends.wait(until: { [position, isFlushed] in
            $0.verdicts > position || ($0.areFinal && !isFlushed)
        }) {
            while position < new.verdicts, !ends.isClosed {
                do {
                    guard let (entry, next) = try verdicts.next(from: position, end: new.verdicts) else { break }
                    if case .record(VerdictLogRecord.block, let place, let bytes) = entry {
                        try await apply(bytes, at: place, next: next, applier)
                    }
                    position = next
                } catch {
                    logger.error("cannot apply a verdict block", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .milliseconds(500))
                }
            }
            guard new.areFinal, position >= new.verdicts, !ends.isClosed else { continue }
            await fanOut.flush()
            isFlushed = true
        }
    }

    /// Once all facts of an earlier run are read and all that had ended is known, the rest is told. Later calls do
    /// nothing.
    private func finishTakeOver() async {
        guard await factsRead.wait(until: { [first = welcome.firstOwnPosition] in $0.facts >= first }) != nil else {
            return
        }
        reporter.finishTakeOver()
    }

    private func apply(
        _ bytes: [UInt8], at place: UInt64, next: UInt64, _ applier: VerdictApplier
    ) async throws(Failure) {
        if next > welcome.acknowledgedVerdicts { await finishTakeOver() }
        let id = VerdictBlockID(place)
        // A verdict follows the facts it is about, so these have been read; but after a restart the reading of facts
        // and of verdicts run side by side, and rows must be known before they can end.
        let newest = try VerdictLogRecord.newestPosition(in: bytes)
        guard await factsRead.wait(until: { $0.facts > newest }) != nil else { return }
        let outcome = try metrics.timed(.apply) { () throws(Failure) in try applier.apply(bytes, id: id) }
        if next <= welcome.acknowledgedVerdicts {
            reporter.skipped(outcome, next: next)
            return
        }
        reporter.applied(id, next: next, outcome: outcome)
        for batch in outcome.batches { await fanOut.submit(batch) }
    }
}

/// The state of reading facts: where, and what is known so far.
private struct FactsReading {
    private(set) var position = LogPosition(0)
    private let log: SpanLogReader
    private let state: StateBox
    private let service: WorkerService

    /// A noncopyable state needs a reference to live in a struct that loops use.
    private final class StateBox {
        var state: PartitionState
        init(_ state: consuming PartitionState) { self.state = state }
    }

    init(service: WorkerService) {
        self.service = service
        let welcome = service.welcome
        let disk = RealDisk()
        log = SpanLogReader(disk: disk, folder: DataDirectory.reading(welcome.dataDirectory, on: disk).spanLog)
        state = StateBox(
            PartitionState(
                router: RouterOrdinal(welcome.router), owned: welcome.firstPartition..<welcome.endPartition,
                lateWindowEpochs: welcome.lateWindowEpochs, limits: service.limits))
    }

    /// Takes the next records, up to a bound of work, and returns the pieces that were completed.
    mutating func step(to end: LogPosition) throws(Failure) -> [PartitionState.Piece] {
        try service.metrics.timed(.pair) { () throws(Failure) in try takeRecords(to: end) }
    }

    private mutating func takeRecords(to end: LogPosition) throws(Failure) -> [PartitionState.Piece] {
        var pieces: [PartitionState.Piece] = []
        for _ in 0..<64 {
            guard let (record, next) = try log.next(from: position, end: end) else {
                // The router told of this end, but it cannot be seen yet.
                throw Failure(.disk, "the facts log ends at \(position), before the end \(end) that the router told")
            }
            take(record, next: next, &pieces)
            position = next
            service.factsRead.set(PeerEnds(facts: next.offset, verdicts: 0))
            if position >= end || !pieces.isEmpty { break }
        }
        return pieces
    }

    private func take(_ record: LogRecord, next: LogPosition, _ pieces: inout [PartitionState.Piece]) {
        switch record {
        case .commit(let block):
            let own = state.state.ownRows(of: block)
            let fresh = state.state.take(block, pieces: &pieces)
            // Duplicates have ended with being read.
            service.reporter.read(block.header, rows: fresh)
            service.metrics.found(duplicates: own.count - fresh)
            takeOver(block)
        case .mark(let epoch, _):
            state.state.end(epoch, at: next, pieces: &pieces)
            let duplicates = state.state.takeDuplicates()
            let isCounted = service.welcome.reportedEpoch.map { epoch.number <= $0 } ?? false
            service.reporter.finished(epoch: epoch, duplicates: isCounted ? [:] : duplicates)
        case .gap(let from, let to):
            if from.offset > 0 || to.offset > 0 {
                service.logger.notice(
                    "part of the facts log cannot be read", metadata: ["from": "\(from)", "to": "\(to)"])
            }
        }
    }

    /// Rows that an earlier run of the router took in are accounted for by this run from here on.
    private func takeOver(_ block: FactsBlock) {
        guard block.header.epoch.number < service.welcome.firstOwnEpoch else { return }
        let owned = service.welcome.firstPartition..<service.welcome.endPartition
        for run in block.partitions where owned.contains(run.partition.number) {
            service.reporter.tookOver(run.partition, block.header.epoch, spans: UInt64(run.rows.count))
        }
    }
}
