import Linking
import Shared
import Synchronization

/// Runs a TraceQL query against a store: what the index can decide there, the rest on each trace it finds.
struct TraceSearcher: Sendable {
    /// A trace of the answer.
    struct Hit: Sendable {
        /// Spans of one set: at most as many as asked for.
        struct Set: Sendable {
            var spans: [Span]
            var matched: Int
            var attributes: [(key: String, value: QueryValue)]
        }

        struct Span: Sendable {
            var id: SpanID
            /// Only where the query asks for it.
            var name: String?
            var start: UInt64
            var duration: UInt64
            var attributes: [(key: String, value: QueryValue)]
        }

        var summary: TraceSummary
        var sets: [Set]
    }

    struct Answer: Sendable {
        var hits: [Hit]
        /// False when time or work ran out before everything was seen.
        var isComplete: Bool
        var inspectedTraces: Int
        var inspectedBytes: Int
    }

    /// Bounds of a search, beside its query.
    struct Bounds: Sendable {
        /// Nanoseconds since 1970.
        var from: UInt64 = 0
        var to: UInt64 = .max
        /// Nanoseconds.
        var minDuration: UInt64 = 0
        var maxDuration: UInt64 = .max
        var limit = 20
        var spansPerSet = 3
    }

    let store: any TraceReading
    let limits: Limits

    /// - Throws: what the store throws.
    func search(_ query: TraceQLQuery, _ bounds: Bounds) async throws(Failure) -> Answer {
        let plan = TraceQLPlan(query)
        var search = TraceSearch()
        search.from = bounds.from
        search.to = bounds.to
        search.minDuration = bounds.minDuration
        search.maxDuration = bounds.maxDuration
        search.limit = min(max(1, bounds.limit), limits.searchTraces)
        search.spansPerSet = min(max(1, bounds.spansPerSet), limits.searchSpansPerSet)
        search.condition = plan.condition
        let evaluated = EvaluatedTraces()
        let spansPerSet = search.spansPerSet
        if !plan.isExact {
            search.verify = { trace in
                let shape = TraceShape(trace)
                let sets = TraceQLEvaluation(shape).run(query)
                guard !sets.isEmpty else { return nil }
                evaluated.add(
                    trace.id, sets.map { Self.set($0, shape, query.fields, spansPerSet) })
                return Set(sets.flatMap(\.spans)).sorted()
            }
        }
        let result = try await store.search(search)
        return Answer(
            hits: result.traces.map { found in
                let sets = evaluated.take(found.summary.id) ?? [Self.set(found, query.fields)]
                return Hit(summary: found.summary, sets: sets)
            },
            isComplete: result.isComplete, inspectedTraces: result.inspectedTraces,
            inspectedBytes: result.inspectedBytes)
    }

    private static func set(
        _ found: FoundSpans, _ shape: TraceShape, _ fields: [QueryField], _ spansPerSet: Int
    ) -> Hit.Set {
        let spans = found.spans.prefix(spansPerSet).map { span($0, shape, fields) }
        return Hit.Set(spans: spans, matched: found.spans.count, attributes: found.attributes)
    }

    /// The set of a trace that the index alone decided. Of the trace only its summary is known.
    private static func set(_ found: FoundTrace, _ fields: [QueryField]) -> Hit.Set {
        let trace = StoredTrace(id: found.summary.id, resources: found.resources, spans: found.spans)
        let shape = TraceShape(trace)
        return Hit.Set(
            spans: found.spans.indices.map { span($0, shape, fields) }, matched: found.matched, attributes: [])
    }

    private static func span(_ index: Int, _ shape: TraceShape, _ fields: [QueryField]) -> Hit.Span {
        let span = shape.trace.spans[index]
        var told = Hit.Span(id: span.id, name: nil, start: span.start, duration: span.duration, attributes: [])
        for field in fields {
            switch field {
            case .intrinsic(.name): told.name = span.name
            case .intrinsic(.duration), .intrinsic(.traceDuration), .intrinsic(.rootName), .intrinsic(.rootService),
                .intrinsic(.traceID), .intrinsic(.id):
                // Every answer tells these of its own accord.
                continue
            default:
                let value = shape.value(field, of: index)
                if value != .none { told.attributes.append((field.answerKey, value)) }
            }
        }
        return told
    }
}

/// What the traces of one search gave, kept until the answer is made.
private final class EvaluatedTraces: Sendable {
    private let sets = Mutex<[TraceID: [TraceSearcher.Hit.Set]]>([:])

    func add(_ trace: TraceID, _ found: [TraceSearcher.Hit.Set]) { sets.withLock { $0[trace] = found } }

    func take(_ trace: TraceID) -> [TraceSearcher.Hit.Set]? { sets.withLock { $0.removeValue(forKey: trace) } }
}
