import Foundation
import GRDB
import Linking
import Shared

extension TraceStore {
    /// Names of attributes, sorted; of one scope, or of resource and span for `.any`. At most `limit`.
    ///
    /// Names of spans that have expired may still be among them.
    func tagNames(_ scope: AttributeScope, limit: Int = 1_000) async throws(Failure) -> [String] {
        let names = files.snapshot
        var found: Set<String> = []
        if scope == .intrinsic { found.formUnion(Intrinsic.names) }
        if scope == .span || scope == .any {
            for (word, isKey) in zip(names.words, names.isKey) where isKey { found.insert(word) }
        }
        if scope == .resource || scope == .any {
            for message in names.resources.values {
                for attribute in SpanDecoder.attributes(ofResource: message) { found.insert(attribute.key) }
            }
        }
        return Array(found.sorted().prefix(limit))
    }

    /// Values of an attribute or intrinsic, sorted by text, at most `limit`; times are nanoseconds since 1970.
    ///
    /// Of a field with very many values, those of the newest spans.
    func tagValues(
        _ scope: AttributeScope, _ key: String, from: UInt64 = 0, to: UInt64 = .max, limit: Int = 1_000
    ) async throws(Failure) -> [AttributeValue] {
        let deadline = clock() + StoreLimits.tagNanoseconds
        let clock = clock
        let found = try await reading { read in
            var values = TagValues(read: read, limit: limit, segments: read.segments(from: from, to: to)) {
                clock() < deadline
            }
            switch scope {
            case .resource: try values.addResources(key)
            case .span: try values.addSpans(key)
            case .any:
                try values.addResources(key)
                try values.addSpans(key)
            case .intrinsic: try values.addIntrinsic(key)
            }
            return values.found
        }
        return Array(found.sorted { $0.text < $1.text }.prefix(limit))
    }

    /// Services seen between two times (nanoseconds since 1970), sorted by name.
    func services(from: UInt64 = 0, to: UInt64 = .max) async throws(Failure) -> [ServiceSummary] {
        try await reading { read in
            var services: [String: (operations: Set<String>, spans: Int, errors: Int)] = [:]
            var serviceNames: [UInt32: String] = [:]
            let reader = SegmentReader()
            for segment in read.segments(from: from, to: to) {
                for operation in try reader.operations(of: segment, read.db) {
                    let name =
                        serviceNames[operation.resource]
                        ?? SpanDecoder.attributes(ofResource: read.names.resources[operation.resource] ?? [])[
                            "service.name"]?.text ?? "unknown_service"
                    serviceNames[operation.resource] = name
                    var service = services[name, default: ([], 0, 0)]
                    services[name] = nil
                    if service.operations.count < StoreLimits.operationsPerService {
                        service.operations.insert(operation.name)
                    }
                    service.spans += operation.spans
                    service.errors += operation.errors
                    services[name] = service
                }
            }
            return services.map {
                ServiceSummary(
                    name: $0, operations: $1.operations.sorted(), spans: $1.spans, errors: $1.errors)
            }.sorted { $0.name < $1.name }
        }
    }

    /// Spans with an attribute of exactly this value whose start is near a time, nearest first: candidates of explain.
    ///
    /// - Parameters:
    ///   - key: a span attribute (`ebpf.req_seq`, `ebpf.thread_trace_id`, …).
    ///   - time: nanoseconds since 1970; spans within `StoreLimits.nearNanoseconds` of it are looked at.
    func spans(
        withAttribute key: String, value: AttributeValue, near time: UInt64, limit: Int
    ) async throws(Failure) -> [StoredSpan] {
        try await candidates(withAttribute: key, value: value, near: time, limit: limit).spans
    }

    /// As above, with the resource of each span; the trace's id is none. Parents are as they came.
    func candidates(
        withAttribute key: String, value: AttributeValue, near time: UInt64, limit: Int
    ) async throws(Failure) -> StoredTrace {
        try await reading { read in
            let condition = SpanCondition.compare(.span, key: key, .equal, value)
            let matcher = ConditionMatcher()
            let plan = SearchPlan(condition, names: read.names, matcher: matcher)
            var decoder = SpanDecoder(names: read.names)
            var spans: [StoredSpan] = []
            let near = StoreLimits.nearNanoseconds
            let from = time > near ? time - near : 0
            let reader = SegmentReader()
            for segment in read.segments(from: from, to: time &+ near) {
                let mask = try SegmentSearch(segment: segment, reader: reader, db: read.db).mask(plan)
                guard !mask.isEmpty else { continue }
                let directory = try reader.piece(of: segment, read.db).directory
                for ordinal in mask.bits.indices where mask.bits[ordinal] == 1 && spans.count < 4_096 {
                    let trace = directory.entries[directory.index(ofSpan: ordinal)].trace
                    try reader.rows(ordinal..<ordinal + 1, of: segment, read.db) { _, row in
                        let span = decoder.span(row, of: trace)
                        let isNear = Self.distance(span.start, time) <= near
                        if isNear, matcher.matches(condition, span, [], .init()) { spans.append(span) }
                    }
                }
            }
            spans.sort { Self.distance($0.start, time) < Self.distance($1.start, time) }
            var seen: Set<SpanID> = []
            spans = spans.filter { seen.insert($0.id).inserted }
            return StoredTrace(id: .none, resources: decoder.resources, spans: Array(spans.prefix(limit)))
        }
    }

    private static func distance(_ left: UInt64, _ right: UInt64) -> UInt64 {
        left > right ? left - right : right - left
    }
}

/// Gathers the values of one field.
private struct TagValues {
    let read: StoreRead
    let limit: Int
    let segments: [StoredSegment]
    let hasTime: () -> Bool
    private let reader = SegmentReader()
    private(set) var found: Set<AttributeValue> = []

    init(read: StoreRead, limit: Int, segments: [StoredSegment], hasTime: @escaping () -> Bool) {
        self.read = read
        self.limit = limit
        self.segments = segments
        self.hasTime = hasTime
    }

    mutating func addResources(_ key: String) throws {
        var ids: Set<UInt32> = []
        try eachValue(ColumnID.resource) { bytes in
            guard bytes.count == 4 else { return }
            ids.insert(bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) })
        } row: { _ in }
        for id in ids {
            let attributes = SpanDecoder.attributes(ofResource: read.names.resources[id] ?? [])
            if let value = attributes[key], found.count < limit { found.insert(value) }
        }
    }

    mutating func addSpans(_ key: String) throws {
        guard let word = read.names.key(key) else { return }
        var values: Set<AttributeValue> = []
        try eachValue(word) { bytes in
            values.insert(bytes.withUnsafeBytes { AttributeValue(OTLPValue($0)) })
        } row: { row in
            row.forEachAttribute { candidate, _, value in
                if candidate == word { values.insert(AttributeValue(OTLPValue(value))) }
            }
        }
        found.formUnion(values.prefix(limit))
    }

    mutating func addIntrinsic(_ key: String) throws {
        switch key {
        case "status": found.formUnion(Intrinsic.statuses.map { .string($0) })
        case "kind": found.formUnion(Intrinsic.kinds.map { .string($0) })
        case "rootServiceName": try addResources("service.name")
        case "name", "rootName":
            var values: Set<AttributeValue> = []
            try eachValue(ColumnID.name) { bytes in
                values.insert(.string(String(decoding: bytes, as: UTF8.self)))
            } row: { row in
                values.insert(.string(String(decoding: row.name, as: UTF8.self)))
            }
            found.formUnion(values.prefix(limit))
        default: break
        }
    }

    /// Calls `value` with the values that columns keep; `row` with the first rows of segments whose column has too
    /// many.
    private func eachValue(_ column: UInt32, value: ([UInt8]) -> Void, row: (SpanRow) -> Void) throws {
        var seen: Set<[UInt8]> = []
        var sampled = 0
        for segment in segments where hasTime() && seen.count < limit {
            guard let column = try reader.column(column, of: segment, read.db) else { continue }
            switch column.form {
            case .values(let values, _):
                for content in values where seen.insert(content).inserted { value(content) }
            case .prints:
                guard sampled < 4 else { continue }
                sampled += 1
                try reader.rows(0..<min(segment.spans, 1_024), of: segment, read.db) { _, found in row(found) }
            }
        }
    }
}
