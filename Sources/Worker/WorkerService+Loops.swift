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
        var isAtEnd = false
        while let new = await ends.wait(until: { [position = reading.position, isAtEnd] in
            $0.facts > position.offset || ($0.factsAreFinal && !isAtEnd)
        }) {
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
            guard new.factsAreFinal, reading.position.offset >= new.facts else { continue }
            reading.finishInput()
            isAtEnd = true
        }
    }

    /// Publishes a piece until the router took it.
    private func publish(_ piece: PartitionState.Piece, _ zstd: Zstd) async {
        // Without memory for the compressor the graph goes as it is: larger, but whole.
        let compressed = metrics.timed(.publish) { try? zstd.compress(piece.bytes, level: 1) }
        let graph = compressed ?? piece.bytes
        metrics.published(bytes: graph.count)
        while !ends.isClosed {
            do {
                switch try await peer.publish(graph, isCompressed: compressed != nil) {
                case .taken: return
                case .later: break
                case .refused(let reason): return refused(piece, reason)
                }
            } catch {
                logger.warning("cannot publish a partial graph", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Sending it again would change nothing: its spans get no verdict.
    private func refused(_ piece: PartitionState.Piece, _ reason: String) {
        logger.error(
            "the router refused a partial graph, its spans are dropped",
            metadata: ["reason": "\(reason)", "epoch": "\(piece.epoch)", "spans": "\(piece.spans)"])
        reporter.lose(piece.epoch.number...piece.epoch.number, DropReason.refusedGraph)
    }

    // MARK: Verdicts → targets

    /// Applies the verdict log's blocks in order, from the trim position on. Ends with the watch.
    func applyVerdicts() async {
        let disk = RealDisk()
        let directory = DataDirectory.reading(welcome.dataDirectory, on: disk)
        let verdicts = RecordLogReader(disk: disk, folder: directory.verdictLog)
        let applier = VerdictApplier(
            router: RouterOrdinal(welcome.router), owned: welcome.firstPartition..<welcome.endPartition,
            epochNanoseconds: welcome.epochNanoseconds, settled: welcome.settled,
            log: SpanLogReader(disk: disk, folder: directory.spanLog))
        var position: UInt64 = 0
        var isFlushed = false
        while let new = await ends.wait(until: { [position, isFlushed] in
            $0.verdicts > position || ($0.areFinal && !isFlushed)
        }) {
            while position < new.verdicts, !ends.isClosed {
                do {
                    guard let (entry, next) = try verdicts.next(from: position, end: new.verdicts) else { break }
                    switch entry {
                    case .record(VerdictLogRecord.block, let place, let bytes):
                        try await apply(bytes, at: place, next: next, applier, new, verdicts)
                    case .record: break
                    case .gap(let from, _):
                        if try verdicts.isTrimmed(from) {
                            reporter.passed(verdictsBelow: next)
                        } else {
                            await passOver(VerdictBlockID(from), next: next, new, verdicts, "the record is damaged")
                        }
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

    /// Takes a part of the verdict log that cannot be read for an empty block: its verdicts are lost.
    private func passOver(
        _ id: VerdictBlockID, next: UInt64, _ new: PeerEnds, _ log: RecordLogReader, _ problem: String
    ) async {
        logger.error(
            "part of the verdict log cannot be read, its spans are dropped",
            metadata: [
                "file": "\(log.path(at: id.number))", "from": "\(id)", "to": "\(next)", "problem": "\(problem)",
            ])
        // Which spans it was about is unknown; their epochs are not behind the newest watermark.
        reporter.lose(0...new.watermark, DropReason.unreadableVerdict)
        guard next > welcome.acknowledgedVerdicts else { return }
        let outcome = VerdictApplier.Outcome.unreadable(id)
        reporter.applied(id, next: next, outcome: outcome)
        for batch in outcome.batches { await fanOut.submit(batch) }
    }

    private func apply(
        _ bytes: [UInt8], at place: UInt64, next: UInt64, _ applier: VerdictApplier, _ new: PeerEnds,
        _ log: RecordLogReader
    ) async throws(Failure) {
        do {
            try await apply(bytes, at: place, next: next, applier, factsEnd: new.facts)
        } catch  where error.code == .corrupt {
            await passOver(VerdictBlockID(place), next: next, new, log, error.message)
        }
    }

    private func apply(
        _ bytes: [UInt8], at place: UInt64, next: UInt64, _ applier: VerdictApplier, factsEnd: UInt64
    ) async throws(Failure) {
        let id = VerdictBlockID(place)
        // A verdict follows the facts it is about, so these have been read; but after a restart the reading of facts
        // and of verdicts run side by side, and rows must be known before they can end.
        let newest = try VerdictLogRecord.newestPosition(in: bytes)
        guard newest < factsEnd else {
            throw Failure(.corrupt, "it is about facts at \(newest), behind the end of the facts log at \(factsEnd)")
        }
        guard await factsRead.wait(until: { $0.facts > newest }) != nil else { return }
        let outcome = try metrics.timed(.apply) { () throws(Failure) in try applier.apply(bytes, id: id) }
        for commit in outcome.unreadable {
            logger.error(
                "a facts block cannot be read, its spans are dropped",
                metadata: ["file": "\(applier.path(at: commit))", "position": "\(commit)"])
            reporter.loseRows(of: commit, DropReason.unreadableFacts)
        }
        if next <= welcome.acknowledgedVerdicts {
            reporter.skipped(outcome, next: next)
            return
        }
        reporter.applied(id, next: next, outcome: outcome)
        let now = wallClock()
        for rows in outcome.ended { metrics.decided(afterNanoseconds: now - Int(rows.appended), spans: rows.rows) }
        for batch in outcome.batches { await fanOut.submit(batch) }
    }
}

/// The state of reading facts: where, and what is known so far.
private struct FactsReading {
    private(set) var position = LogPosition(0)
    /// The oldest epoch that the next commit can have.
    private var epoch: UInt64 = 0
    /// The oldest epoch of which something was lost in a gap whose end was not seen yet.
    private var lostFrom: UInt64?
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

    /// No facts follow.
    func finishInput() { state.state.finishInput() }

    private mutating func takeRecords(to end: LogPosition) throws(Failure) -> [PartitionState.Piece] {
        var pieces: [PartitionState.Piece] = []
        for _ in 0..<64 {
            guard let (record, next) = try log.next(from: position, end: end) else {
                // The router told of this end, but it cannot be seen yet.
                throw Failure(.disk, "the facts log ends at \(position), before the end \(end) that the router told")
            }
            try take(record, next: next, &pieces)
            position = next
            service.factsRead.set(PeerEnds(facts: next.offset, verdicts: 0))
            if position >= end || !pieces.isEmpty { break }
        }
        return pieces
    }

    private mutating func take(
        _ record: LogRecord, next: LogPosition, _ pieces: inout [PartitionState.Piece]
    ) throws(Failure) {
        switch record {
        case .commit(let block):
            isAfterGap(block.header.epoch)
            service.readTime.store(block.header.time, ordering: .relaxed)
            epoch = block.header.epoch.number
            let own = state.state.ownRows(of: block)
            let fresh = state.state.take(block, pieces: &pieces)
            // Duplicates have ended with being read.
            service.reporter.read(block.header, rows: fresh)
            service.metrics.found(duplicates: own.count - fresh)
        case .mark(let epoch, let time):
            service.readTime.store(time, ordering: .relaxed)
            isAfterGap(epoch)
            self.epoch = epoch.number &+ 1
            state.state.end(epoch, at: next, pieces: &pieces)
            let duplicates = state.state.takeDuplicates()
            let isCounted = service.welcome.reportedEpoch.map { epoch.number <= $0 } ?? false
            service.reporter.finished(epoch: epoch, duplicates: isCounted ? [:] : duplicates)
        case .gap(let from, let to):
            guard !(try log.isTrimmed(from)) else { return }
            service.logger.error(
                "part of the facts log cannot be read, its spans are dropped",
                metadata: ["file": "\(log.path(at: from))", "from": "\(from)", "to": "\(to)"])
            lostFrom = lostFrom ?? epoch
        }
    }

    /// The first record behind a gap tells how far the gap reaches in time.
    private mutating func isAfterGap(_ epoch: Epoch) {
        guard let from = lostFrom else { return }
        service.reporter.lose(min(from, epoch.number)...epoch.number, DropReason.unreadableFacts)
        lostFrom = nil
    }
}
