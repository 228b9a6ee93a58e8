import Foundation
import Linking
import Logging
import Shared

/// The router's embedded store of traces: written by one writer in segments, searched while it is written.
///
///     insert ─▶ StoreFiles.encode (rows) ─▶ StoreWriter (thread: gathers, SegmentBuilder) ─▶ StoreDatabase (SQLite)
///     trace, search, … ─▶ SegmentReader, TraceAssembler, SegmentSearch ─▶ TraceView
///
/// See docs/store.md. All calls are safe from any task; reads see whole segments only.
final class TraceStore: Sendable {
    let files: StoreFiles
    let writer: StoreWriter
    let metrics: StoreMetrics
    let log: RateLimitedLog
    let clock: @Sendable () -> Int

    /// Opens or makes the database and starts the writer. Fails with `.cannotCreate` when the folder is not usable; a
    /// database that cannot be read is put aside instead.
    init(options: StoreOptions, metrics: MetricsRegistry, logger: Logger) throws(Failure) {
        files = try StoreFiles(folder: options.folder, logger: logger)
        self.metrics = StoreMetrics(metrics)
        log = RateLimitedLog(logger, now: options.clock)
        clock = options.clock
        writer = StoreWriter(options: options, files: files, metrics: self.metrics, logger: logger)
        writer.start()
    }

    /// Writes what waits and ends the writer. Blocks for at most a segment or two.
    func stop() { writer.stop() }

    /// Takes the spans of an `ExportTraceServiceRequest`; returns when they are safe against a kill of the process.
    ///
    /// Fails with `.corrupt` when the bytes are no such message (nothing of it is taken), `.limit` when the writer is
    /// behind (try again later), `.disk`, `.ended`.
    @discardableResult
    func insert(_ request: [UInt8]) async throws(Failure) -> InsertResult {
        try await insert(try request.withRawBytes { (bytes) throws(Failure) in try encode(bytes) })
    }

    /// Spans of a request as rows.
    struct Encoded: Sendable {
        var batch: RowBatch
        var result: InsertResult
        /// What the service graph takes of them.
        var calls: [GraphSpan]
    }

    /// The first half of `insert`, for bytes that stay where they are. Fails with `.corrupt`.
    ///
    /// - Parameter readsCalls: whether `calls` are wanted.
    func encode(_ request: UnsafeRawBufferPointer, readsCalls: Bool = false) throws(Failure) -> Encoded {
        let encoded = try files.encode(request, readsCalls: readsCalls)
        metrics.refused(encoded.result.rejected, "unreadable")
        return encoded
    }

    /// The second half of `insert`.
    @discardableResult
    func insert(_ encoded: Encoded) async throws(Failure) -> InsertResult {
        guard !encoded.batch.places.isEmpty else { return encoded.result }
        do throws(Failure) {
            try await writer.write(encoded.batch)
        } catch {
            if error.code == .limit { metrics.refused(encoded.batch.places.count, "behind") }
            throw error
        }
        return encoded.result
    }

    // MARK: Reading

    /// Reads in one snapshot, away from the caller's thread. A damaged database is put aside.
    func reading<Value: Sendable>(
        _ body: @escaping @Sendable (StoreRead) throws -> Value
    ) async throws(Failure) -> Value {
        let names = files.snapshot
        let database = files.database
        do {
            return try await database.pool.read { db in
                try body(StoreRead(db: db, names: names, segments: try StoredSegment.all(db)))
            }
        } catch is CancellationError {
            throw Failure(.ended, "the request was cancelled")
        } catch {
            let failure = StoreDatabase.failure(error, database.pool.path)
            files.check(failure)
            throw failure
        }
    }

    /// The trace with its application spans, parents by the view rules; nil when it is not (or no longer) there.
    func trace(_ id: TraceID) async throws(Failure) -> StoredTrace? {
        try await reading { read in
            try TraceAssembler(read.segments, names: read.names, reader: SegmentReader(), db: read.db).traces([id])[0]
        }
    }
}
