import Linking

// A trace as Tempo answers it. Both forms say the same; numbers of fields and names are those of OTLP and of
// tempopb.TraceByIDResponse:
//
//     v1   Trace             { resourceSpans = 1 }                        in JSON "batches"
//     v2   TraceByIDResponse { trace = 1, metrics = 2, status = 3, message = 4 }
//
//     ResourceSpans { resource = 1 { attributes = 1 }, scopeSpans = 2 { scope = 1 { name = 1 }, spans = 2 } }

/// The spans of a trace in OTLP's grouping: by resource, then by instrumentation scope, in order of first appearance.
struct TempoTrace {
    struct Group {
        var resource: [Attribute]
        var scopes: [(name: String, spans: [StoredSpan])]
    }

    let groups: [Group]

    init(_ trace: StoredTrace) {
        var groups: [Group] = []
        var places: [Int: Int] = [:]
        var scopePlaces: [[String: Int]] = []
        for span in trace.spans {
            let place: Int
            if let known = places[span.resource] {
                place = known
            } else {
                place = groups.count
                places[span.resource] = place
                let known = trace.resources.indices.contains(span.resource)
                groups.append(Group(resource: known ? trace.resources[span.resource] : [], scopes: []))
                scopePlaces.append([:])
            }
            if let scope = scopePlaces[place][span.scope] {
                groups[place].scopes[scope].spans.append(span)
            } else {
                scopePlaces[place][span.scope] = groups[place].scopes.count
                groups[place].scopes.append((span.scope, [span]))
            }
        }
        self.groups = groups
    }

    // MARK: Protobuf

    /// `Trace`, which is OTLP's `TracesData`.
    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        for group in groups {
            writer.message(1) { writer in
                writer.message(1) { writer in
                    for attribute in group.resource { writer.attribute(1, attribute.key, attribute.value) }
                }
                for scope in group.scopes {
                    writer.message(2) { writer in
                        writer.message(1) { $0.text(1, scope.name) }
                        for span in scope.spans { writer.message(2) { $0.span(span) } }
                    }
                }
            }
        }
        return writer.bytes
    }

    /// `TraceByIDResponse`, complete.
    var responseProtobuf: [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { $0.raw(protobuf) }
        writer.message(2) { _ in }
        return writer.bytes
    }

    // MARK: JSON

    /// v1: `{"batches":[…]}`.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writeGroups("batches", &$0) }
        return writer.bytes
    }

    /// v2: `{"trace":{"resourceSpans":[…]},"metrics":{}}`. A complete trace has no `status`, as in Tempo.
    var responseJSON: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("trace", object: { writeGroups("resourceSpans", &$0) })
            writer.member("metrics", object: { _ in })
        }
        return writer.bytes
    }

    private func writeGroups(_ name: String, _ writer: inout JSONWriter) {
        writer.member(name, array: { writer in
            for group in groups {
                writer.object { writer in
                    writer.member("resource", object: { $0.attributes(group.resource) })
                    writer.member("scopeSpans", array: { writer in
                        for scope in group.scopes { writer.object { Self.write(scope, &$0) } }
                    })
                }
            }
        })
    }

    private static func write(_ scope: (name: String, spans: [StoredSpan]), _ writer: inout JSONWriter) {
        writer.member("scope", object: { if !scope.name.isEmpty { $0.member("name", scope.name) } })
        writer.member("spans", array: { writer in
            for span in scope.spans { writer.object { $0.span(span) } }
        })
    }
}

// MARK: Pieces of protobuf

extension ProtobufWriter {
    /// `KeyValue { key = 1, value = 2 AnyValue { string = 1, bool = 2, int = 3, double = 4 } }`
    mutating func attribute(_ field: UInt64, _ key: String, _ value: AttributeValue) {
        message(field) { writer in
            writer.text(1, key)
            writer.message(2) { writer in
                switch value {
                case .string(let text), .json(let text): writer.element(1, text)
                case .bool(let flag): writer.choice(2, flag ? 1 : 0)
                case .int(let number): writer.choice(3, UInt64(bitPattern: number))
                case .double(let number): writer.fixed(4, number.bitPattern)
                }
            }
        }
    }

    fileprivate mutating func span(_ span: StoredSpan) {
        data(1, span.traceID.bytes)
        data(2, span.id.bytes)
        data(4, span.parent?.bytes ?? [])
        text(5, span.name)
        number(6, UInt64(clamping: span.kind))
        fixed(7, span.start)
        fixed(8, span.end)
        for attribute in span.attributes { self.attribute(9, attribute.key, attribute.value) }
        if span.statusCode != 0 || !span.statusMessage.isEmpty {
            message(15) { writer in
                writer.text(2, span.statusMessage)
                writer.number(3, UInt64(clamping: span.statusCode))
            }
        }
        raw(span.rest)
    }
}

extension TraceID {
    /// 16 bytes, the highest first.
    var bytes: [UInt8] { SpanID(high).bytes + SpanID(low).bytes }
}

extension SpanID {
    /// 8 bytes, the highest first.
    var bytes: [UInt8] { withUnsafeBytes(of: bits.bigEndian) { Array($0) } }
}
