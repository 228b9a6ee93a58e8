import Foundation
import GRDB
import Linking
import Shared

/// Joins the pieces of traces from all segments, within one read of the database.
struct TraceAssembler {
    private let reader: SegmentReader
    private let names: StoreNames.Snapshot
    private let segments: [Int: StoredSegment]
    private let db: Database

    init(_ segments: [StoredSegment], names: StoreNames.Snapshot, reader: SegmentReader, db: Database) {
        self.segments = Dictionary(segments.map { ($0.id, $0) }) { first, _ in first }
        self.names = names
        self.reader = reader
        self.db = db
    }

    /// Where a piece of a trace lies.
    private struct Place: Hashable {
        var segment: Int
        var index: Int
    }

    /// What is known of one trace that was asked for.
    private struct Gathering {
        var id: TraceID
        var decoder: SpanDecoder
        var spans: [StoredSpan] = []
        var seen: Set<SpanKey> = []
        var places: Set<Place> = []
        /// Trace ids whose spans belong to the view.
        var ids: [TraceID]
        /// How many of `ids` were looked up.
        var done = 0
    }

    private struct SpanKey: Hashable {
        var trace: TraceID
        var id: SpanID
    }

    /// The traces, each nil when nothing of it is there. Three scans of the lookup table at most.
    func traces(_ ids: [TraceID]) throws -> [StoredTrace?] {
        var gatherings = ids.map { Gathering(id: $0, decoder: SpanDecoder(names: names), ids: [$0]) }
        for _ in 0..<3 {
            let wanted = Set(gatherings.flatMap { $0.ids[$0.done...] })
            if wanted.isEmpty { break }
            let found = try places(of: wanted)
            for index in gatherings.indices {
                let asked = gatherings[index].ids[gatherings[index].done...]
                gatherings[index].done = gatherings[index].ids.count
                for id in asked { for place in found[id] ?? [] { try take(place, for: id, &gatherings[index]) } }
            }
        }
        return gatherings.map { gathering in
            guard !gathering.spans.isEmpty else { return nil }
            return StoredTrace(
                id: gathering.id, resources: gathering.decoder.resources, spans: TraceView.arranged(gathering.spans))
        }
    }

    private func places(of ids: Set<TraceID>) throws -> [TraceID: [Place]] {
        let hashes = ids.map { ($0, SegmentLookup.hash($0)) }
        var found: [TraceID: [Place]] = [:]
        let statement = try db.cachedStatement(sql: "SELECT segment, traces FROM lookup")
        let rows = try Row.fetchCursor(statement)
        while let row = try rows.next() {
            let segment = Int(row.integer(0))
            try row.withUnsafeData(atIndex: 1) { data in
                guard let data else { return }
                data.withUnsafeBytes { bytes in
                    for (id, hash) in hashes {
                        SegmentLookup.find(hash, in: bytes) {
                            found[id, default: []].append(Place(segment: segment, index: $0))
                        }
                    }
                }
            }
        }
        return found
    }

    /// Adds the spans of a piece, when it is of the trace or names it.
    private func take(_ place: Place, for id: TraceID, _ gathering: inout Gathering) throws {
        guard let segment = segments[place.segment], !gathering.places.contains(place) else { return }
        let entries = try reader.piece(of: segment, db).directory.entries
        guard entries.indices.contains(place.index) else { return }
        let entry = entries[place.index]
        var spans: [StoredSpan] = []
        var aliases: Set<TraceID> = []
        var decoder = gathering.decoder
        try reader.rows(entry.first..<entry.first + entry.count, of: segment, db) { _, row in
            let span = decoder.span(row, of: entry.trace)
            if !span.isApplication { aliases.formUnion(Self.aliases(span)) }
            spans.append(span)
        }
        // Hashes of 32 bits may be equal by chance.
        guard entry.trace.isSameTrace(as: id) || aliases.contains(where: { $0.isSameTrace(as: id) }) else { return }
        gathering.decoder = decoder
        gathering.places.insert(place)
        for span in spans where gathering.spans.count < StoreLimits.spansPerView {
            let key = SpanKey(trace: span.traceID, id: span.id)
            if gathering.seen.insert(key).inserted { gathering.spans.append(span) }
        }
        for alias in aliases.union([entry.trace]).sorted() where !gathering.ids.contains(alias) {
            if gathering.ids.count < StoreLimits.aliases { gathering.ids.append(alias) }
        }
    }

    /// Other ids of the trace that a span names.
    private static func aliases(_ span: StoredSpan) -> [TraceID] {
        ["ebpf.app_trace_id", "ebpftrace.trace_id"].compactMap { key in
            guard case .string(let text)? = span.attributes[key] else { return nil }
            return TraceIDText.parse(text.utf8)
        }
    }
}

extension StoredTrace {
    /// Earliest start and latest end, nanoseconds since 1970.
    var bounds: (start: UInt64, end: UInt64) {
        var end: UInt64 = 0
        for span in spans { end = max(end, span.end) }
        return (spans.first?.start ?? 0, end)
    }

    /// The first span without a parent; else the first whose parent is not there; else the first.
    var root: StoredSpan? {
        if let root = spans.first(where: { $0.parent == nil }) { return root }
        let ids = Set(spans.map(\.id))
        return spans.first { span in span.parent.map { !ids.contains($0) } ?? true } ?? spans.first
    }

    /// What a list shows of it.
    var summary: TraceSummary {
        let (start, end) = bounds
        let root = root
        var services: [String: (spans: Int, errors: Int)] = [:]
        var errors = 0
        for span in spans {
            let error = span.isError ? 1 : 0
            errors += error
            let counts = services[service(of: span), default: (0, 0)]
            services[service(of: span)] = (counts.spans + 1, counts.errors + error)
        }
        return TraceSummary(
            id: id, start: start, durationNanoseconds: end - start, rootService: root.map(service) ?? "",
            rootName: root?.name ?? "", spanCount: spans.count, errorCount: errors,
            services: services.map { TraceSummary.Service(name: $0, spans: $1.spans, errors: $1.errors) }
                .sorted { $0.name < $1.name })
    }
}
