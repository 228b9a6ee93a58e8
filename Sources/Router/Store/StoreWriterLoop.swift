import Foundation
import Linking
import Shared

/// What the writer's thread owns.
struct StoreWriterLoop {
    private let options: StoreOptions
    private let files: StoreFiles
    private let metrics: StoreMetrics
    private let holdings: StoreHoldings
    private let log: RateLimitedLog
    private let zstd = Zstd()
    /// What the database has, oldest first; nil when it is to be read again.
    private var segments: [StoredSegment]?
    /// Traces of the newest segments: two sets that take turns, so that the oldest half is forgotten at once.
    private var recent: (Set<TraceID>, Set<TraceID>) = ([], [])

    init(
        options: StoreOptions, files: StoreFiles, metrics: StoreMetrics, holdings: StoreHoldings, log: RateLimitedLog
    ) {
        self.options = options
        self.files = files
        self.metrics = metrics
        self.holdings = holdings
        self.log = log
        keepHouse()
    }

    /// Makes a segment of the items and answers all who wait for them.
    mutating func write(_ items: [StoreWriter.Queue.Item]) {
        let began = options.clock()
        let batches = items.map(\.batch)
        var failure: Failure?
        do throws(Failure) {
            try commit(batches)
        } catch {
            failure = error
            files.check(error)
            log.log(.warning, "cannot write to the trace store", key: "write", metadata: ["error": "\(error)"])
        }
        let spans = batches.reduce(0) { $0 + $1.places.count }
        if failure == nil { metrics.spans.add(spans) } else { metrics.refused(spans, "failed") }
        for item in items { item.done.resume(returning: failure) }
        metrics.writeSeconds.record(options.clock() - began)
        if failure == nil { keepHouse() } else { segments = nil }
    }

    private mutating func commit(_ batches: [RowBatch]) throws(Failure) {
        let (id, snapshot, newNames) = files.beginSegment()
        let builder = SegmentBuilder(names: snapshot, zstd: zstd)
        let image = try builder.build(batches) { recent.0.contains($0) || recent.1.contains($0) }
        let written = options.wallClock()
        try files.database.write(image, id: id, written: Int64(written), names: newNames)
        files.noteWritten(newNames)
        segments?.append(StoredSegment(image, id: id, written: UInt64(clamping: written)))
        for batch in batches { for place in batch.places { note(place.trace) } }
    }

    private mutating func note(_ trace: TraceID) {
        guard recent.0.count >= StoreLimits.recentTraces / 2 else {
            recent.0.insert(trace)
            return
        }
        recent = ([trace], recent.0)
    }

    // MARK: House-keeping

    /// Removes what is too old or too much, and merges small segments.
    mutating func keepHouse() {
        do throws(Failure) {
            var list = if let segments { segments } else { try files.database.segments() }
            segments = nil
            try expire(&list)
            try merge(&list)
            let bytes = try files.database.liveBytes()
            metrics.segments.set(list.count)
            metrics.bytes.set(bytes)
            holdings.note(
                StoreHoldings.Held(
                    spans: list.reduce(0) { $0 + $1.spans }, segments: list.count, bytes: bytes,
                    oldest: list.first?.written))
            segments = list
        } catch {
            files.check(error)
            log.log(.warning, "cannot clean the trace store up", key: "clean", metadata: ["error": "\(error)"])
        }
    }

    private func expire(_ segments: inout [StoredSegment]) throws(Failure) {
        let oldest = UInt64(clamping: options.wallClock() - options.ageNanoseconds)
        let aged = segments.prefix { $0.written < oldest }
        try remove(aged, "age")
        segments.removeFirst(aged.count)
        while segments.count > 1 {
            let excess = try files.database.liveBytes() - options.liveBytesMax
            guard excess > 0 else { return }
            var freed = 0
            let gone = segments.dropLast().prefix { segment in
                defer { freed += segment.bytes }
                return freed < excess
            }
            try remove(gone, "bytes")
            segments.removeFirst(gone.count)
        }
    }

    private func remove(_ segments: ArraySlice<StoredSegment>, _ reason: String) throws(Failure) {
        guard let newest = segments.last else { return }
        let resources = files.forgetResources(before: newest.id)
        try files.database.remove(segments.map(\.id), resources: resources)
        metrics.expired(segments.reduce(0) { $0 + $1.spans }, reason)
    }

    /// Makes one segment of the newest small ones, when there are `mergeCount` of about one size.
    private mutating func merge(_ segments: inout [StoredSegment]) throws(Failure) {
        let tail = segments.suffix(StoreLimits.mergeCount)
        guard tail.count == StoreLimits.mergeCount, let smallest = tail.map(\.spans).min(),
            tail.allSatisfy({ $0.spans < StoreLimits.smallSegment && $0.spans < 8 * max(smallest, 16) }),
            let newest = tail.last, let written = tail.map(\.written).max()
        else { return }
        let reader = SegmentReader(zstd: zstd)
        var batches: [RowBatch] = []
        var continued: Set<TraceID> = []
        for segment in tail {
            let (batch, traces) = try files.database.read { db in try reader.rows(of: segment, db) }
            batches.append(batch)
            continued.formUnion(traces)
        }
        let image = try SegmentBuilder(names: files.snapshot, zstd: zstd).build(batches) { continued.contains($0) }
        try files.database.write(
            image, id: newest.id, written: Int64(clamping: written), names: .init(), replacing: Array(tail))
        segments.removeLast(tail.count)
        segments.append(StoredSegment(image, id: newest.id, written: written))
    }
}
