import Linking
import Shared

/// What queries ask of a store of traces: the embedded store, or spans read from a file.
protocol TraceReading: Sendable {
    func trace(_ id: TraceID) async throws(Failure) -> StoredTrace?
    func search(_ search: TraceSearch) async throws(Failure) -> SearchResult
    func tagNames(_ scope: AttributeScope, limit: Int) async throws(Failure) -> [String]
    func tagValues(
        _ scope: AttributeScope, _ key: String, from: UInt64, to: UInt64, limit: Int
    ) async throws(Failure) -> [AttributeValue]
    func services(from: UInt64, to: UInt64) async throws(Failure) -> [ServiceSummary]
    func candidates(
        withAttribute key: String, value: AttributeValue, near time: UInt64, limit: Int
    ) async throws(Failure) -> StoredTrace
}

extension TraceStore: TraceReading {}

/// Traces in memory: for `explain --file`, and for tests. Every question looks at every span.
struct TraceList: TraceReading {
    private let traces: [TraceID: StoredTrace]
    /// Newest first.
    private let shapes: [TraceShape]

    init(_ traces: [StoredTrace]) {
        self.traces = Dictionary(traces.map { ($0.id, $0) }) { first, _ in first }
        shapes = traces.map { TraceShape($0) }.sorted { ($1.start, $1.trace.id) < ($0.start, $0.trace.id) }
    }

    func trace(_ id: TraceID) async throws(Failure) -> StoredTrace? {
        traces[id] ?? shapes.first { $0.trace.id.isSameTrace(as: id) }?.trace
    }

    func search(_ search: TraceSearch) async throws(Failure) -> SearchResult {
        var result = SearchResult(traces: [], isComplete: true, inspectedTraces: 0, inspectedBytes: 0)
        for shape in shapes where shape.start <= search.to && shape.end >= search.from {
            guard result.traces.count < search.limit else { break }
            guard (search.minDuration...search.maxDuration).contains(shape.duration) else { continue }
            result.inspectedTraces += 1
            var matched = shape.trace.spans.indices.filter { Self.holds(search.condition, shape, $0) }
            guard !matched.isEmpty else { continue }
            if let verify = search.verify {
                do {
                    guard let verified = try verify(shape.trace) else { continue }
                    matched = verified
                } catch {
                    throw error as? Failure ?? Failure(.badInput, "the query fails", cause: error)
                }
            }
            let spans = matched.prefix(search.spansPerSet).map { shape.trace.spans[$0] }
            result.traces.append(
                FoundTrace(
                    summary: shape.trace.summary, spans: spans, matched: matched.count,
                    resources: shape.trace.resources))
        }
        return result
    }

    func tagNames(_ scope: AttributeScope, limit: Int) async throws(Failure) -> [String] {
        var names: Set<String> = []
        for shape in shapes {
            if scope != .resource { for span in shape.trace.spans { names.formUnion(span.attributes.map(\.key)) } }
            if scope != .span { for resource in shape.trace.resources { names.formUnion(resource.map(\.key)) } }
        }
        return Array(names.sorted().prefix(limit))
    }

    func tagValues(
        _ scope: AttributeScope, _ key: String, from: UInt64, to: UInt64, limit: Int
    ) async throws(Failure) -> [AttributeValue] {
        var values: Set<AttributeValue> = []
        for shape in shapes where shape.start <= to && shape.end >= from {
            for index in shape.trace.spans.indices {
                if let value = Self.value(scope, key, shape, index) { values.insert(value) }
            }
        }
        return Array(values.sorted { $0.text < $1.text }.prefix(limit))
    }

    func services(from: UInt64, to: UInt64) async throws(Failure) -> [ServiceSummary] {
        var services: [String: (operations: Set<String>, spans: Int, errors: Int)] = [:]
        for shape in shapes where shape.start <= to && shape.end >= from {
            for span in shape.trace.spans {
                var service = services[shape.trace.service(of: span)] ?? ([], 0, 0)
                service.operations.insert(span.name)
                service.spans += 1
                service.errors += span.isError ? 1 : 0
                services[shape.trace.service(of: span)] = service
            }
        }
        return services.sorted { $0.key < $1.key }.map { name, service in
            ServiceSummary(
                name: name, operations: service.operations.sorted(), spans: service.spans, errors: service.errors)
        }
    }

    func candidates(
        withAttribute key: String, value: AttributeValue, near time: UInt64, limit: Int
    ) async throws(Failure) -> StoredTrace {
        var found: [(distance: UInt64, span: StoredSpan, resource: [Attribute])] = []
        for shape in shapes {
            for span in shape.trace.spans where span.attributes[key] == value {
                let distance = max(span.start, time) - min(span.start, time)
                found.append((distance, span, shape.resource(of: span)))
            }
        }
        found.sort { ($0.distance, $0.span.id) < ($1.distance, $1.span.id) }
        var result = StoredTrace(id: .none, resources: [], spans: [])
        for (_, span, resource) in found.prefix(limit) {
            var span = span
            span.resource = result.resources.count
            result.resources.append(resource)
            result.spans.append(span)
        }
        return result
    }

    // MARK: Conditions

    private static func holds(_ condition: SpanCondition, _ shape: TraceShape, _ index: Int) -> Bool {
        switch condition {
        case .all: return true
        case .and(let parts): return parts.allSatisfy { holds($0, shape, index) }
        case .or(let parts): return parts.contains { holds($0, shape, index) }
        case .not(let inner): return !holds(inner, shape, index)
        case .compare(let scope, let key, let comparison, let wanted):
            let value = value(scope, key, shape, index)
            return holds(comparison, value, wanted)
        }
    }

    private static func holds(
        _ comparison: AttributeOperator, _ value: AttributeValue?, _ wanted: AttributeValue
    ) -> Bool {
        if comparison == .absent { return value == nil }
        guard let value else { return false }
        if comparison == .exists { return true }
        if comparison == .matches || comparison == .notMatches {
            guard case .string(let text) = value, case .string(let pattern) = wanted,
                let pattern = try? Pattern(pattern)
            else { return false }
            return pattern.matches(text) == (comparison == .matches)
        }
        guard let order = QueryValue(value).order(against: QueryValue(wanted)) else { return false }
        switch comparison {
        case .equal: return order == 0
        case .notEqual: return order != 0
        case .less: return order < 0
        case .lessOrEqual: return order <= 0
        case .greater: return order > 0
        default: return order >= 0
        }
    }

    /// Intrinsics as `SpanCondition` has them: texts, and durations in nanoseconds.
    private static func value(
        _ scope: AttributeScope, _ key: String, _ shape: TraceShape, _ index: Int
    ) -> AttributeValue? {
        let span = shape.trace.spans[index]
        switch scope {
        case .span: return span.attributes[key]
        case .resource: return shape.resource(of: span)[key]
        case .any: return span.attributes[key] ?? shape.resource(of: span)[key]
        case .intrinsic:
            let known = QueryField.Intrinsic.short[key] ?? QueryField.Intrinsic(rawValue: key)
            guard let intrinsic = known else { return nil }
            switch shape.value(.intrinsic(intrinsic), of: index) {
            case .none: return nil
            case .int(let number), .duration(let number): return .int(number)
            case let value: return .string(value.text)
            }
        }
    }
}
