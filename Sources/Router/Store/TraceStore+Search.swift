import Foundation
import GRDB
import Linking
import Shared

extension TraceStore {
    /// Traces by condition, newest first.
    ///
    /// Segments are looked through from the newest on until there are enough traces, so when more than `limit` fulfil
    /// the search, those of the newest segments are given. Fails with `.badInput` for a bad regular expression or
    /// limit.
    func search(_ search: TraceSearch) async throws(Failure) -> SearchResult {
        guard (1...10_000).contains(search.limit) else {
            throw Failure(.badInput, "limit = \(search.limit) cannot be used; give 1 to 10000")
        }
        try ConditionMatcher().prepare(search.condition)
        let clock = clock
        let log = log
        return try await reading { read in
            let matcher = ConditionMatcher()
            try matcher.prepare(search.condition)
            let plan = SearchPlan(search.condition, names: read.names, matcher: matcher)
            var run = SearchRun(
                search: search, plan: plan, matcher: matcher, read: read, reader: SegmentReader(),
                deadline: clock() + StoreLimits.searchNanoseconds, clock: clock)
            for segment in read.segments(from: search.from, to: search.to) {
                do {
                    try run.look(in: segment)
                } catch let failure as Failure where failure.code == .corrupt {
                    log.log(.warning, "a segment of the trace store is damaged and was passed over", key: "segment")
                    run.isComplete = false
                }
                if run.isDone { break }
            }
            return run.result
        }
    }
}

/// One search under way.
struct SearchRun {
    let search: TraceSearch
    let plan: SearchPlan
    let matcher: ConditionMatcher
    let read: StoreRead
    let reader: SegmentReader
    let deadline: Int
    let clock: @Sendable () -> Int
    var isComplete = true
    private var found: [FoundTrace] = []
    private var seen: Set<TraceID> = []
    private var inspected = 0

    init(
        search: TraceSearch, plan: SearchPlan, matcher: ConditionMatcher, read: StoreRead, reader: SegmentReader,
        deadline: Int, clock: @escaping @Sendable () -> Int
    ) {
        self.search = search
        self.plan = plan
        self.matcher = matcher
        self.read = read
        self.reader = reader
        self.deadline = deadline
        self.clock = clock
        if case .none = plan { isHopeless = true } else { isHopeless = false }
    }

    private let isHopeless: Bool
    var isDone: Bool { isHopeless || found.count >= search.limit || !isComplete }

    var result: SearchResult {
        SearchResult(
            traces: found.sorted { $0.summary.start > $1.summary.start }, isComplete: isComplete,
            inspectedTraces: inspected, inspectedBytes: reader.bytesRead)
    }

    /// Adds what a segment has; stops in between when the time is over.
    mutating func look(in segment: StoredSegment) throws {
        guard !isHopeless else { return }
        guard clock() < deadline else {
            isComplete = false
            return
        }
        inspected += segment.traces
        let mask = try SegmentSearch(segment: segment, reader: reader, db: read.db).mask(plan)
        guard !mask.isEmpty else { return }
        var candidates = try candidates(segment, mask)
        candidates.sort { $0.start > $1.start }
        var next = 0
        while next < candidates.count, found.count < search.limit {
            guard clock() < deadline, !Task.isCancelled else {
                isComplete = false
                return
            }
            let batch = candidates[next..<min(candidates.count, next + max(8, search.limit - found.count))]
            next += batch.count
            let ids = try batch.filter { try mask.isExact || mayMatch($0, mask, segment) }.map(\.trace)
            try verify(ids.filter { !seen.contains($0) })
        }
    }

    private func candidates(_ segment: StoredSegment, _ mask: SpanMask) throws -> [SegmentDirectory.Entry] {
        let entries = try reader.piece(of: segment, read.db).directory.entries
        return entries.filter { entry in
            guard !seen.contains(entry.trace), entry.end >= search.from, entry.start <= search.to,
                entry.duration <= search.maxDuration,
                // A piece of a trace with another piece may be shorter than the trace.
                entry.duration >= search.minDuration || entry.continues
            else { return false }
            return mask.bits[entry.first..<entry.first + entry.count].contains(1)
        }
    }

    /// Looks at the piece's own spans before the whole trace is put together.
    private func mayMatch(_ entry: SegmentDirectory.Entry, _ mask: SpanMask, _ segment: StoredSegment) throws -> Bool {
        guard !search.condition.asksTrace else { return true }
        var decoder = SpanDecoder(names: read.names)
        var matches = false
        try reader.rows(entry.first..<entry.first + entry.count, of: segment, read.db) { ordinal, row in
            guard !matches, mask.bits[ordinal] == 1 else { return }
            let span = decoder.span(row, of: entry.trace)
            matches = matcher.matches(search.condition, span, decoder.resources[span.resource], .init())
        }
        return matches
    }

    private mutating func verify(_ ids: [TraceID]) throws {
        guard !ids.isEmpty else { return }
        let assembler = TraceAssembler(read.segments, names: read.names, reader: reader, db: read.db)
        for trace in try assembler.traces(ids) {
            guard let trace, found.count < search.limit, !seen.contains(trace.id) else { continue }
            for span in trace.spans { seen.insert(span.traceID) }
            seen.insert(trace.id)
            if let hit = try hit(trace) { found.append(hit) }
        }
    }

    private func hit(_ trace: StoredTrace) throws -> FoundTrace? {
        let summary = trace.summary
        let end = summary.start + summary.durationNanoseconds
        guard summary.durationNanoseconds >= search.minDuration, summary.durationNanoseconds <= search.maxDuration,
            end >= search.from, summary.start <= search.to
        else { return nil }
        let matched: [Int]
        if let verify = search.verify {
            guard let verified = try verify(trace) else { return nil }
            matched = verified.filter { trace.spans.indices.contains($0) }
        } else {
            let context = ConditionMatcher.Context(summary)
            matched = trace.spans.indices.filter { index in
                let span = trace.spans[index]
                return matcher.matches(search.condition, span, trace.resources[span.resource], context)
            }
            if matched.isEmpty { return nil }
        }
        return FoundTrace(
            summary: summary, spans: matched.prefix(search.spansPerSet).map { trace.spans[$0] },
            matched: matched.count, resources: trace.resources)
    }
}

extension SpanCondition {
    /// Whether it asks for what only the whole trace tells.
    var asksTrace: Bool {
        switch self {
        case .all: false
        case .and(let parts), .or(let parts): parts.contains(where: \.asksTrace)
        case .not(let part): part.asksTrace
        case .compare(.intrinsic, let key, _, _):
            ["traceDuration", "rootName", "rootServiceName", "span:parentID"].contains(key)
        case .compare: false
        }
    }
}
