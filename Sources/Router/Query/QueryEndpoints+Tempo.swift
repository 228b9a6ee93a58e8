import Hummingbird
import Linking
import Shared

// Tempo's part of the API (docs/query-api.md).

extension QueryEndpoints {
    func registerTempo(on router: some RouterMethods<some RequestContext>) {
        add("api/traces/:id", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            try await trace(request, store) { request.wantsProtobuf ? .protobuf($0.protobuf) : .json($0.json) }
        }
        add("api/v2/traces/:id", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            try await trace(request, store) {
                request.wantsProtobuf ? .protobuf($0.responseProtobuf) : .json($0.responseJSON)
            }
        }
        add("api/search", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            try await search(request, store)
        }
        add("api/search/tags", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            let names = try await tagNames(request, store).flat
            return request.wantsProtobuf ? .protobuf(names.protobuf) : .json(names.json)
        }
        add("api/v2/search/tags", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            let names = try await tagNames(request, store)
            return request.wantsProtobuf ? .protobuf(names.protobuf) : .json(names.json)
        }
        add("api/search/tag/:tag/values", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            let values = try await tagValues(request, store, field: Self.oldField(request.part("tag")))
            let texts = TempoTextList(name: "tagValues", texts: Set(values.map(\.value)).sorted())
            return request.wantsProtobuf ? .protobuf(texts.protobuf) : .json(texts.json)
        }
        add("api/v2/search/tag/:tag/values", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            let field = try Self.field(request.part("tag"), limits)
            let values = TempoTagValues(values: try await tagValues(request, store, field: field))
            return request.wantsProtobuf ? .protobuf(values.protobuf) : .json(values.json)
        }
        for path in ["api/metrics/query_range", "api/metrics/query"] {
            add(path, on: router) { _ in
                .problem(.badRequest, "TraceQL metrics are not supported; this store answers searches only")
            }
        }
    }

    // MARK: A trace

    /// The trace that the path names, nil when it is not there; digits alone are tried as Datadog's decimal id, too.
    func namedTrace(
        _ request: QueryRequest, _ store: any TraceReading
    ) async throws(Failure) -> (id: TraceID, trace: StoredTrace?) {
        let id = try traceID(request)
        if let trace = try await store.trace(id), !trace.spans.isEmpty { return (id, trace) }
        let text = request.part("id")
        guard text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let low = UInt64(text), low != 0,
            let trace = try await store.trace(TraceID(high: 0, low: low)), !trace.spans.isEmpty
        else { return (id, nil) }
        return (id, trace)
    }

    static func unknown(_ id: TraceID) -> QueryAnswer {
        .problem(.notFound, "trace \(id.hex) is not in the store: it never came, or it expired")
    }

    private func traceID(_ request: QueryRequest) throws(Failure) -> TraceID {
        guard let id = TraceID(hex: request.part("id")) else {
            throw Failure(
                .badInput, "\"\(request.part("id").prefix(40))\" is no trace id; give 1 to 32 hexadecimal digits")
        }
        return id
    }

    private func trace(
        _ request: QueryRequest, _ store: any TraceReading, _ answer: (TempoTrace) -> QueryAnswer
    ) async throws(Failure) -> QueryAnswer {
        // Times are checked as Tempo does; an id is found whatever they are.
        _ = try request.parameters.range()
        let (id, trace) = try await namedTrace(request, store)
        guard let trace else { return Self.unknown(id) }
        return answer(TempoTrace(trace))
    }

    // MARK: Search

    private func search(_ request: QueryRequest, _ store: any TraceReading) async throws(Failure) -> QueryAnswer {
        let (query, bounds) = try searchRequest(request.parameters)
        let answer = TempoSearchAnswer(
            answer: try await TraceSearcher(store: store, limits: limits).search(query, bounds))
        return request.wantsProtobuf ? .protobuf(answer.protobuf) : .json(answer.json)
    }

    private func searchRequest(
        _ parameters: QueryParameters
    ) throws(Failure) -> (TraceQLQuery, TraceSearcher.Bounds) {
        var bounds = TraceSearcher.Bounds()
        (bounds.from, bounds.to) = try parameters.range()
        bounds.minDuration = try parameters.duration("minDuration") ?? 0
        bounds.maxDuration = try parameters.duration("maxDuration") ?? .max
        guard bounds.minDuration <= bounds.maxDuration else {
            throw Failure(.badInput, "maxDuration must not be smaller than minDuration")
        }
        bounds.limit = try parameters.wholeNumber("limit", in: 1...Int.max) ?? 20
        let spans = try parameters.wholeNumber("spss", in: 0...Int.max) ?? 3
        bounds.spansPerSet = spans == 0 ? limits.searchSpansPerSet : spans
        switch (parameters["q"], parameters["tags"]) {
        case (.some, .some):
            throw Failure(.badInput, "q and tags cannot be given together; write the tags into q")
        case (let query?, nil): return (try TraceQLParser.parse(query, limits: limits), bounds)
        case (nil, let tags): return (try TagsQuery.query(tags ?? "", limits: limits), bounds)
        }
    }

    // MARK: Tags

    private func tagNames(_ request: QueryRequest, _ store: any TraceReading) async throws(Failure) -> TempoTagNames {
        let scope = request.parameters["scope"] ?? "none"
        let known = ["none", "all", "resource", "span", "intrinsic", "event", "link", "instrumentation", "trace"]
        guard known.contains(scope) else {
            throw Failure(.badInput, "scope is one of \(known.joined(separator: ", ")), not \"\(scope.prefix(40))\"")
        }
        _ = try request.parameters.range()
        let limit = try tagLimit(request)
        func isWanted(_ name: String) -> Bool { ["none", "all", name].contains(scope) }
        var names = TempoTagNames(scopes: [])
        if isWanted("resource") {
            names.scopes.append(("resource", try await store.tagNames(.resource, limit: limit)))
        }
        if isWanted("span") { names.scopes.append(("span", try await store.tagNames(.span, limit: limit))) }
        if isWanted("intrinsic") { names.scopes.append(("intrinsic", TempoTagNames.intrinsics)) }
        return names
    }

    private func tagLimit(_ request: QueryRequest) throws(Failure) -> Int {
        let limit = try request.parameters.wholeNumber("limit", in: 0...Int.max) ?? 0
        return limit == 0 ? limits.tagValues : min(limit, limits.tagValues)
    }

    /// The first version's tags have no scope: `service.name`, `name`, `status.code`.
    private static func oldField(_ name: String) -> QueryField {
        if let intrinsic = TagsQuery.intrinsic(name) { return .intrinsic(intrinsic) }
        return .attribute(.any, name.hasPrefix(".") ? String(name.dropFirst()) : name)
    }

    /// The second version's tags are fields of TraceQL: `resource.service.name`, `.x`, `status`, `span:kind`.
    private static func field(_ name: String, _ limits: Limits) throws(Failure) -> QueryField {
        // A name with characters that TraceQL wants in quotes is taken all the same.
        for scope in [QueryField.Scope.resource, .span, .any] where name.hasPrefix(scope.rawValue + ".") {
            let key = name.dropFirst(scope.rawValue.count + 1).filter { $0 != "\"" }
            if !key.isEmpty { return .attribute(scope, String(key)) }
        }
        let known = QueryField.Intrinsic.short[name] ?? QueryField.Intrinsic(rawValue: name)
        guard let known else {
            throw Failure(
                .badInput, "\"\(name.prefix(80))\" names no attribute; write resource.x, span.x, .x, or an intrinsic "
                    + "such as name, status or rootServiceName")
        }
        return .intrinsic(known)
    }

    private func tagValues(
        _ request: QueryRequest, _ store: any TraceReading, field: QueryField
    ) async throws(Failure) -> [(type: String, value: String)] {
        let limit = try tagLimit(request)
        var bounds = TraceSearcher.Bounds()
        (bounds.from, bounds.to) = try request.parameters.range()
        switch field {
        case .intrinsic(.status): return ["error", "ok", "unset"].map { ("keyword", $0) }
        case .intrinsic(.kind): return QueryValue.kindNames.sorted().map { ("keyword", $0) }
        case .intrinsic(.duration), .intrinsic(.traceDuration), .intrinsic(.id), .intrinsic(.traceID),
            .intrinsic(.parent), .intrinsic(.childCount), .intrinsic(.nestedSetParent):
            return []
        default: break
        }
        // A filter that is not complete yet, as an editor sends it, filters nothing.
        if let text = request.parameters["q"], let query = try? TraceQLParser.parse(text, limits: limits),
            !query.asksNothing {
            let searcher = TraceSearcher(store: store, limits: limits)
            return try await searcher.values(of: field, query, bounds, limit: limit).map { ($0.typeName, $0.text) }
        }
        let (scope, key) = field.stored
        let values = try await store.tagValues(scope, key, from: bounds.from, to: bounds.to, limit: limit)
        return values.map { (QueryValue($0).typeName, $0.text) }
    }
}

extension QueryField {
    /// As the store names it.
    var stored: (AttributeScope, String) {
        switch self {
        case .attribute(.any, let key): (.any, key)
        case .attribute(.resource, let key): (.resource, key)
        case .attribute(.span, let key): (.span, key)
        case .intrinsic(let intrinsic): (.intrinsic, intrinsic.storeKey ?? intrinsic.rawValue)
        }
    }
}

extension TraceQLQuery {
    /// `{}`: every span of every trace.
    var asksNothing: Bool {
        guard stages.isEmpty, case .filter(.value(.bool(true))) = spansets else { return false }
        return true
    }
}

extension TraceSearcher {
    /// The values that a field has on the spans a query finds, among the newest 1,000 traces; sorted by text.
    func values(
        of field: QueryField, _ query: TraceQLQuery, _ bounds: Bounds, limit: Int
    ) async throws(Failure) -> [QueryValue] {
        var query = query
        query.fields = [field]
        var bounds = bounds
        bounds.limit = 1_000
        bounds.spansPerSet = 100
        var values: Set<QueryValue> = []
        for hit in try await search(query, bounds).hits {
            switch field {
            case .intrinsic(.rootName): values.insert(.string(hit.summary.rootName))
            case .intrinsic(.rootService): values.insert(.string(hit.summary.rootService))
            case .intrinsic(.name):
                for span in hit.sets.flatMap(\.spans) { if let name = span.name { values.insert(.string(name)) } }
            default:
                for span in hit.sets.flatMap(\.spans) { values.formUnion(span.attributes.map(\.value)) }
            }
        }
        return Array(values.sorted { ($0.text, $0.typeName) < ($1.text, $1.typeName) }.prefix(limit))
    }
}
