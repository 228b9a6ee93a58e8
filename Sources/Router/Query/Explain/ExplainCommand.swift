import ArgumentParser
import AsyncHTTPClient
import Foundation
import Linking
import NIOCore
import Shared

/// `explain`: why a span hangs where it hangs, from a running router or from a file of exported spans.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Says why a span has the parent it has, or why it has none.",
        discussion: """
            Asks the store of a running router (--console), or reads a file that the file target or
            `replay --local --out` wrote (--file). Exit status: 0 explained, 64 not a span id, 65 no such span,
            66 file missing, 69 no router answers.
            """)

    @Option(help: ArgumentHelp("Console address of the router.", valueName: "url"))
    var console: String?
    @Option(help: ArgumentHelp("Exported spans (JSON lines, also .gz or .zst).", valueName: "file"))
    var file: String?
    @Option(help: ArgumentHelp("The span's trace; found by itself when not given.", valueName: "id"))
    var trace: String?
    @Flag(help: "Print JSON, as the API answers it.") var json = false
    @Argument(help: "Id of the span, 16 hex digits.") var span: String

    private static let defaultConsole = "http://127.0.0.1:9530"

    func validate() throws {
        if console != nil, file != nil { throw ValidationError("give either --console or --file") }
        guard SpanID(hex: span) != nil else { throw ValidationError("\"\(span)\" is no span id; give 16 hex digits") }
        if let trace, TraceID(hex: trace) == nil {
            throw ValidationError("\"\(trace)\" is no trace id; give 32 hex digits")
        }
    }

    func run() async throws {
        try await RouterMain.reporting {
            let explanation: Explanation
            if let file { explanation = try await fromFile(file) } else { explanation = try await fromConsole() }
            FileHandle.standardOutput.write(Data(try Self.print(explanation, json: json).utf8))
        }
    }

    private static func print(_ explanation: Explanation, json: Bool) throws -> String {
        guard json else { return ExplanationText.lines(explanation) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(explanation), as: UTF8.self) + "\n"
    }

    // MARK: From a file

    private func fromFile(_ path: String) async throws -> Explanation {
        let traces = try ExportedTraces.read(path)
        guard let id = SpanID(hex: span) else { throw Failure(.usage, "\"\(span)\" is no span id") }
        let lookup = SpanLookup(store: traces, limits: Limits())
        guard let found = try await lookup.trace(of: id, in: trace.flatMap { TraceID(hex: $0) }),
            let explanation = try await Explainer(store: traces, limits: Limits()).explain(id, in: found)
        else {
            throw Failure(.badInput, "\(path) has no span \(span); look at the field span_id of its lines")
        }
        return explanation
    }

    // MARK: From a router

    private func fromConsole() async throws -> Explanation {
        var base = console ?? Self.defaultConsole
        if !base.contains("://") { base = "http://" + base }
        while base.hasSuffix("/") { base.removeLast() }
        let url = "\(base)/api/explain/\(span)" + (trace.map { "?trace=\($0)" } ?? "")
        let (status, body) = try await Self.get(url, base)
        if status == 200, let explanation = try? JSONDecoder().decode(Explanation.self, from: body) {
            return explanation
        }
        struct Problem: Decodable { var error: String }
        let problem = (try? JSONDecoder().decode(Problem.self, from: body))?.error
        if status == 404 || status == 400 { throw Failure(.badInput, problem ?? "\(base) knows no span \(span)") }
        throw Failure(
            .unavailable, "\(base) answered \(status)" + (problem.map { ": \($0)" } ?? "; is it an ebpftrace router?"))
    }

    private static func get(_ url: String, _ base: String) async throws -> (Int, Data) {
        do {
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(15))
            let body = try await response.body.collect(upTo: 16 << 20)
            return (Int(response.status.code), Data(body.readableBytesView))
        } catch {
            throw Failure(
                .unavailable, "no router answers at \(base); start one, or name its address with --console",
                cause: error)
        }
    }
}

/// Finds the trace of a span.
struct SpanLookup: Sendable {
    let store: any TraceReading
    let limits: Limits

    /// The trace that holds the span; without `trace`, the newest that does. nil when there is none.
    /// - Throws: what the store throws, and `Failure(.limit)` when time ran out before all traces were seen.
    func trace(of span: SpanID, in trace: TraceID?) async throws(Failure) -> StoredTrace? {
        if let trace { return try await store.trace(trace) }
        var search = TraceSearch()
        search.limit = 1
        search.condition = .compare(.intrinsic, key: "span:id", .equal, .string(span.hex))
        let result = try await store.search(search)
        if let found = result.traces.first { return try await store.trace(found.summary.id) }
        guard result.isComplete else {
            throw Failure(.limit, "span \(span.hex) was not found in time; give its trace, too (?trace=…)")
        }
        return nil
    }
}
