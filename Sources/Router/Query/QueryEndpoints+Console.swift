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
            let (id, trace) = try await namedTrace(request, store)
            return trace.map { .json(ConsoleTrace($0).json) } ?? Self.unknown(id)
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
