import Linking
import Shared

/// In what form a target takes spans. Spans are encoded once per form, however many targets take it.
enum ExportFormat: Hashable, Sendable {
    /// A row of `PBPoints.arr` entries; any number of them one after the other is a `PBPoints` message.
    case protobuf
    /// One JSON object a line.
    case jsonLines
    /// A row of `ResourceSpans` with tag and length; any number of them one after the other is the body of an OTLP
    /// request. Says which of the points' own fields are kept.
    case otlp(OTLPFields)
    /// Nothing: the target only counts.
    case none
}

/// Why a target did not take spans: the label `reason`.
struct ExportDropReason: Hashable, Sendable, CustomStringConvertible {
    var name: String
    init(_ name: String) { self.name = name }
    /// The point's bytes cannot be walked, so the ids cannot be set.
    static let unreadablePoint = ExportDropReason("unreadable_point")
    /// The receiver took the body, but not these spans of it (OTLP's partial success).
    static let rejectedByReceiver = ExportDropReason("rejected_by_receiver")
    /// The receiver refused the body with this status.
    static func status(_ status: Int) -> ExportDropReason { ExportDropReason("http_\(status)") }
    var description: String { name }
}

/// How spans left the worker for one target.
enum ExportOutcome: Hashable, Sendable {
    case exported
    case dropped(ExportDropReason)
}

/// One entry for the ledger: spans of one epoch that reached their end in one target.
struct ExportReport: Sendable {
    var target: String
    var epoch: Epoch
    var partitions: [PartitionCount]
    var outcome: ExportOutcome
    var spans: Int { partitions.reduce(0) { $0 + $1.spans } }
}

/// Takes reports; called from the targets' tasks, at most a few times per megabyte.
typealias ExportLedger = @Sendable (ExportReport) -> Void

/// Takes what the targets measure, for `/metrics`. Called per body or part, never per span.
protocol ExportObserver: Sendable {
    /// Spans that ended (`export_spans_total{target,outcome}`).
    func ended(target: String, spans: Int, outcome: ExportOutcome)
    /// Bytes that wait or are under way (`export_queue_bytes{target}`).
    func queue(target: String, bytes: Int)
    /// One more attempt after a failure (`export_retries_total{target,reason}`).
    func retried(target: String, reason: String)
    /// One request was answered, or failed (`status` 0), after this time (`export_requests_total{target,status}`).
    func request(target: String, status: Int, duration: Duration)
    /// Whether the receiver says that the paid amount of data is used up (a gauge).
    func beyondDataUsage(target: String, _ isBeyond: Bool)
}

/// Measures nothing.
struct SilentExportObserver: ExportObserver {
    func ended(target: String, spans: Int, outcome: ExportOutcome) {}
    func queue(target: String, bytes: Int) {}
    func retried(target: String, reason: String) {}
    func request(target: String, status: Int, duration: Duration) {}
    func beyondDataUsage(target: String, _ isBeyond: Bool) {}
}

/// One place that finished spans go to.
///
/// A target owns a `TargetQueue`; `run` takes from it until it is closed. Every span ends as exported or dropped,
/// exactly once, and is reported through the queue. A span that has not ended when the process ends is handed to the
/// targets again by the next one, since its block was not acknowledged.
protocol ExportTarget: Sendable {
    /// Label of the target in metrics, the ledger and logs; without secrets.
    var name: String { get }
    var format: ExportFormat { get }
    var queue: TargetQueue { get }
    /// Prepares the target (folders, earlier parts); before `run`.
    func start() async throws
    /// Whether the rows of a batch's partition are in the target already, from before a restart.
    func isDone(block: VerdictBlockID, epoch: Epoch, partition: PartitionID) -> Bool
    /// Whether `isDone` can be true at all for a block: spares the look at each partition.
    func mayBeDone(block: VerdictBlockID) -> Bool
    /// Takes from the queue and delivers until the queue is closed.
    func run() async
    /// No block up to and including this one is submitted again, in this process or after a restart.
    func forget(through block: VerdictBlockID) async
}

extension ExportTarget {
    func start() async throws {}
    func isDone(block: VerdictBlockID, epoch: Epoch, partition: PartitionID) -> Bool { false }
    func mayBeDone(block: VerdictBlockID) -> Bool { false }
    func forget(through block: VerdictBlockID) async {}
}
