import Linking
import Shared

/// The router's embedded store of traces: written by one writer in segments, searched while it is written.
///
/// See docs/store.md for the layout. All calls are safe from any task; reads see whole segments only.
final class TraceStore: Sendable {
    /// Takes the spans of an `ExportTraceServiceRequest`; returns when they are safe against a kill of the process.
    ///
    /// Fails with `.corrupt` when the bytes are no such message (nothing of it is taken), `.limit` when the writer is
    /// behind (try again later), `.disk`, `.ended`.
    @discardableResult
    func insert(_ request: [UInt8]) async throws(Failure) -> InsertResult { throw Failure(.ended, "not open") }

    /// The trace with its application spans, parents by the view rules; nil when it is not (or no longer) there.
    func trace(_ id: TraceID) async throws(Failure) -> StoredTrace? { nil }

    /// Traces by condition.
    func search(_ search: TraceSearch) async throws(Failure) -> SearchResult {
        SearchResult(traces: [], isComplete: true, inspectedTraces: 0, inspectedBytes: 0)
    }

    /// Names of attributes, sorted; of one scope, or of resource and span for `.any`. At most `limit`.
    func tagNames(_ scope: AttributeScope, limit: Int = 1_000) async throws(Failure) -> [String] { [] }

    /// Values of an attribute or intrinsic, sorted by text, at most `limit`; times are nanoseconds since 1970.
    func tagValues(
        _ scope: AttributeScope, _ key: String, from: UInt64 = 0, to: UInt64 = .max, limit: Int = 1_000
    ) async throws(Failure) -> [AttributeValue] { [] }

    /// Services seen between two times (nanoseconds since 1970), sorted by name.
    func services(from: UInt64 = 0, to: UInt64 = .max) async throws(Failure) -> [ServiceSummary] { [] }

    /// Spans with an attribute of exactly this value whose start is near a time, nearest first: candidates of explain.
    ///
    /// - Parameters:
    ///   - key: a span attribute (`ebpf.req_seq`, `ebpf.thread_trace_id`, …).
    ///   - time: nanoseconds since 1970; spans within `StoreLimits.nearNanoseconds` of it are looked at.
    func spans(
        withAttribute key: String, value: AttributeValue, near time: UInt64, limit: Int
    ) async throws(Failure) -> [StoredSpan] { [] }

    /// As above, with the resource of each span.
    func candidates(
        withAttribute key: String, value: AttributeValue, near time: UInt64, limit: Int
    ) async throws(Failure) -> StoredTrace { StoredTrace(id: .none, resources: [], spans: []) }
}

/// What became of the spans of a request.
struct InsertResult: Sendable, Equatable {
    var accepted = 0
    /// Spans without a usable id, or that cannot be read.
    var rejected = 0
    /// Why the first of them was rejected.
    var message = ""
}

/// Bounds of the store.
enum StoreLimits {
    /// Operations named per service by `services`.
    static let operationsPerService = 1_000
    /// How far from a time candidates are looked for: 3 minutes.
    static let nearNanoseconds: UInt64 = 180_000_000_000
}
