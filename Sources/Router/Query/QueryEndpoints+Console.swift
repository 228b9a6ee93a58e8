import Foundation
import Hummingbird
import Linking
import Shared

// What the console's UI asks: services, a trace in a compact form, and why a span hangs where it hangs.

extension QueryEndpoints {
    func registerConsole(on router: some RouterMethods<some RequestContext>) {
        add("api/services", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            let (from, to) = try request.parameters.range()
            return .json(Self.services(try await store.services(from: from, to: to)))
        }
        add("api/trace/:id", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            let id = try traceID(request)
            guard let trace = try await store.trace(id), !trace.spans.isEmpty else {
                return .problem(.notFound, "trace \(id.hex) is not in the store: it never came, or it expired")
            }
            return .json(ConsoleTrace(trace).json)
        }
        add("api/explain/:span", on: router) { (request, store) async throws(Failure) -> QueryAnswer in
            try await explain(request, store)
        }
    }

    private static func services(_ services: [ServiceSummary]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("services", array: { writer in
                for service in services {
                    writer.object { writer in
                        writer.member("name", service.name)
                        writer.member("operations", array: { writer in
                            for operation in service.operations { writer.string(operation) }
                        })
                        writer.member("spans", service.spans)
                        writer.member("errors", service.errors)
                    }
                }
            })
        }
        return writer.bytes
    }

    private func explain(_ request: QueryRequest, _ store: any TraceReading) async throws(Failure) -> QueryAnswer {
        guard let span = SpanID(hex: request.part("span")) else {
            throw Failure(
                .badInput, "\"\(request.part("span").prefix(40))\" is no span id; give 1 to 16 hexadecimal digits")
        }
        var traceID: TraceID?
        if let text = request.parameters["trace"] {
            traceID = TraceID(hex: text)
            if traceID == nil {
                throw Failure(.badInput, "trace=\(text.prefix(40)) is no trace id; give 1 to 32 hexadecimal digits")
            }
        }
        let trace: StoredTrace?
        do throws(Failure) {
            trace = try await SpanLookup(store: store, limits: limits).trace(of: span, in: traceID)
        } catch where error.code == .limit {
            return .problem(.notFound, error.message)
        }
        guard let trace, let explanation = try await Explainer(store: store, limits: limits).explain(span, in: trace)
        else {
            return .problem(
                .notFound, "span \(span.hex) is not in "
                    + (traceID.map { "trace \($0.hex)" } ?? "the store: it never came, or it expired"))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(explanation) else {
            throw Failure(.corrupt, "the explanation of span \(span.hex) cannot be written as JSON")
        }
        return .json(Array(data))
    }
}

/// A trace as the console's waterfall reads it: times in microseconds, starts relative to the trace's.
struct ConsoleTrace {
    let trace: StoredTrace

    init(_ trace: StoredTrace) { self.trace = trace }

    private static let flags = ["late", "root_missing", "truncated", "open"]
    private static let prefix = "ebpftrace."

    var json: [UInt8] {
        let start = trace.spans.map(\.start).min() ?? 0
        let end = trace.spans.map(\.end).max() ?? start
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("traceID", trace.id.hex)
            writer.member("start", start / 1_000)
            writer.member("duration", (end - start) / 1_000)
            writer.member("resources", array: { writer in
                for resource in trace.resources { writer.object { Self.write(resource, &$0) } }
            })
            writer.member("spans", array: { writer in
                for span in trace.spans { writer.object { Self.write(span, start, &$0) } }
            })
        }
        return writer.bytes
    }

    private static func write(_ attributes: [Attribute], _ writer: inout JSONWriter) {
        var seen: Set<String> = []
        for attribute in attributes where seen.insert(attribute.key).inserted {
            writer.key(attribute.key)
            writer.value(attribute.value)
        }
    }

    private static func write(_ span: StoredSpan, _ start: UInt64, _ writer: inout JSONWriter) {
        let flags = flags.filter { span.attributes[prefix + $0] == .bool(true) }
        let isOpen = flags.contains("open")
        writer.member("id", span.id.hex)
        writer.key("parent")
        if let parent = span.parent { writer.string(parent.hex) } else { writer.null() }
        writer.member("resource", span.resource)
        writer.member("name", span.name)
        writer.member("kind", QueryValue.kind(span.kind).text)
        writer.member("start", (span.start - start) / 1_000)
        writer.key("duration")
        if isOpen { writer.null() } else { writer.number(span.duration / 1_000) }
        writer.member("status", QueryValue.status(span.statusCode).text)
        if !span.statusMessage.isEmpty { writer.member("statusMessage", span.statusMessage) }
        writer.key("evidence")
        if let evidence = span.attributes[prefix + "evidence"] {
            writer.string(evidence.text)
        } else {
            writer.null()
        }
        if span.isApplication {
            writer.key("application")
            writer.bool(true)
        }
        writer.member("flags", array: { writer in for flag in flags { writer.string(flag) } })
        let told = Set((Self.flags + ["evidence"]).map { prefix + $0 })
        writer.member("attributes", object: { write(span.attributes.filter { !told.contains($0.key) }, &$0) })
    }
}
