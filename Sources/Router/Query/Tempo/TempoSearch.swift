// Answers to searches and questions for tags, as Tempo gives them. Numbers of fields are those of tempopb:
//
//     SearchResponse      { traces = 1, metrics = 2 }
//     TraceSearchMetadata { traceID = 1, rootServiceName = 2, rootTraceName = 3, startTimeUnixNano = 4, durationMs = 5,
//                           spanSet = 6, spanSets = 7, serviceStats = 8 { key = 1, value = 2 } }
//     SpanSet             { spans = 1, matched = 2, attributes = 3 }
//     Span                { spanID = 1, name = 2, startTimeUnixNano = 3, durationNanos = 4, attributes = 5 }
//     ServiceStats        { spanCount = 1, errorCount = 2 }
//     SearchMetrics       { inspectedTraces = 1, inspectedBytes = 2 }

/// The answer of `/api/search`.
struct TempoSearchAnswer {
    let answer: TraceSearcher.Answer

    // MARK: JSON

    /// Tempo's members, and `spanCount`, `errorCount`, `durationMicros` of each trace, and `partial` of the whole.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("traces", array: { writer in
                for hit in answer.hits { writer.object { Self.write(hit, &$0) } }
            })
            writer.member("metrics", object: { writer in
                if answer.inspectedTraces > 0 { writer.member("inspectedTraces", answer.inspectedTraces) }
                if answer.inspectedBytes > 0 { writer.member("inspectedBytes", String(answer.inspectedBytes)) }
            })
            if !answer.isComplete {
                writer.key("partial")
                writer.bool(true)
            }
        }
        return writer.bytes
    }

    private static func write(_ hit: TraceSearcher.Hit, _ writer: inout JSONWriter) {
        let summary = hit.summary
        writer.member("traceID", summary.id.hex)
        writer.member("rootServiceName", summary.rootService)
        writer.member("rootTraceName", summary.rootName)
        writer.member("startTimeUnixNano", String(summary.start))
        writer.member("durationMs", milliseconds(summary))
        if let first = hit.sets.first { writer.member("spanSet", object: { write(first, &$0) }) }
        writer.member("spanSets", array: { writer in
            for set in hit.sets { writer.object { write(set, &$0) } }
        })
        writer.member("serviceStats", object: { writer in
            for service in summary.services {
                writer.member(service.name, object: { writer in
                    writer.member("spanCount", service.spans)
                    writer.member("errorCount", service.errors)
                })
            }
        })
        writer.member("spanCount", summary.spanCount)
        writer.member("errorCount", summary.errorCount)
        writer.member("durationMicros", summary.durationNanoseconds / 1_000)
    }

    private static func milliseconds(_ summary: TraceSummary) -> UInt32 {
        UInt32(clamping: summary.durationNanoseconds / 1_000_000)
    }

    private static func write(_ set: TraceSearcher.Hit.Set, _ writer: inout JSONWriter) {
        writer.member("spans", array: { writer in
            for span in set.spans {
                writer.object { writer in
                    writer.member("spanID", span.id.hex)
                    if let name = span.name { writer.member("name", name) }
                    writer.member("startTimeUnixNano", String(span.start))
                    writer.member("durationNanos", String(span.duration))
                    writer.values(span.attributes)
                }
            }
        })
        writer.member("matched", set.matched)
        writer.values(set.attributes)
    }

    // MARK: Protobuf

    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        for hit in answer.hits { writer.message(1) { Self.write(hit, &$0) } }
        writer.message(2) { writer in
            writer.number(1, UInt64(clamping: answer.inspectedTraces))
            writer.number(2, UInt64(clamping: answer.inspectedBytes))
        }
        return writer.bytes
    }

    private static func write(_ hit: TraceSearcher.Hit, _ writer: inout ProtobufWriter) {
        let summary = hit.summary
        writer.text(1, summary.id.hex)
        writer.text(2, summary.rootService)
        writer.text(3, summary.rootName)
        writer.number(4, summary.start)
        writer.number(5, UInt64(milliseconds(summary)))
        if let first = hit.sets.first { writer.message(6) { write(first, &$0) } }
        for set in hit.sets { writer.message(7) { write(set, &$0) } }
        for service in summary.services {
            writer.message(8) { writer in
                writer.text(1, service.name)
                writer.message(2) { writer in
                    writer.number(1, UInt64(clamping: service.spans))
                    writer.number(2, UInt64(clamping: service.errors))
                }
            }
        }
    }

    private static func write(_ set: TraceSearcher.Hit.Set, _ writer: inout ProtobufWriter) {
        for span in set.spans {
            writer.message(1) { writer in
                writer.text(1, span.id.hex)
                writer.text(2, span.name ?? "")
                writer.number(3, span.start)
                writer.number(4, span.duration)
                for (key, value) in span.attributes { writer.attribute(5, key, value.attribute) }
            }
        }
        writer.number(2, UInt64(clamping: set.matched))
        for (key, value) in set.attributes { writer.attribute(3, key, value.attribute) }
    }
}

extension QueryValue {
    /// As OTLP's attributes have it: durations, statuses and kinds as texts.
    var attribute: AttributeValue {
        switch self {
        case .int(let number): .int(number)
        case .double(let number): .double(number)
        case .bool(let flag): .bool(flag)
        default: .string(text)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func values(_ values: [(key: String, value: QueryValue)]) {
        if values.isEmpty { return }
        member("attributes", array: { writer in
            for (key, value) in values { writer.attribute(key, value.attribute) }
        })
    }
}

/// Names of tags by scope; the answers of `/api/search/tags` and `/api/v2/search/tags`.
struct TempoTagNames {
    /// `intrinsic` among them, in the second version.
    var scopes: [(name: String, tags: [String])]

    /// What a query can name without a scope or with a colon.
    static var intrinsics: [String] {
        (QueryField.Intrinsic.short.keys.filter { $0 != "parent" && $0 != "nestedSetParent" }
            + QueryField.Intrinsic.allCases.map(\.rawValue).filter { $0.contains(":") }).sorted()
    }

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("scopes", array: { writer in
                for scope in scopes {
                    writer.object { writer in
                        writer.member("name", scope.name)
                        writer.member("tags", array: { writer in for tag in scope.tags { writer.string(tag) } })
                    }
                }
            })
            writer.member("metrics", object: { _ in })
        }
        return writer.bytes
    }

    /// `SearchTagsV2Response { scopes = 1 { name = 1, tags = 2 }, metrics = 2 }`
    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        for scope in scopes {
            writer.message(1) { writer in
                writer.text(1, scope.name)
                for tag in scope.tags { writer.element(2, tag) }
            }
        }
        writer.message(2) { _ in }
        return writer.bytes
    }

    /// Without scopes: every name once.
    var flat: TempoTextList { TempoTextList(name: "tagNames", texts: Set(scopes.flatMap(\.tags)).sorted()) }
}

/// A list of texts: the answer of the first version for tag names and for tag values.
struct TempoTextList {
    /// `tagNames` or `tagValues`.
    var name: String
    var texts: [String]

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(name, array: { writer in for text in texts { writer.string(text) } })
            writer.member("metrics", object: { _ in })
        }
        return writer.bytes
    }

    /// `SearchTagsResponse`, `SearchTagValuesResponse`: texts = 1, metrics = 2.
    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        for text in texts { writer.element(1, text) }
        writer.message(2) { _ in }
        return writer.bytes
    }
}

/// Values of a tag with their types: the answer of the second version.
struct TempoTagValues {
    var values: [(type: String, value: String)]

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("tagValues", array: { writer in
                for value in values {
                    writer.object { writer in
                        writer.member("type", value.type)
                        writer.member("value", value.value)
                    }
                }
            })
            writer.member("metrics", object: { _ in })
        }
        return writer.bytes
    }

    /// `SearchTagValuesV2Response { tagValues = 1 { type = 1, value = 2 }, metrics = 2 }`
    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        for value in values {
            writer.message(1) { writer in
                writer.text(1, value.type)
                writer.text(2, value.value)
            }
        }
        writer.message(2) { _ in }
        return writer.bytes
    }
}
