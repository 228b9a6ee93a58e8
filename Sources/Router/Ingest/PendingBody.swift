import Linking
import NIOCore
import Shared
import Synchronization

/// A decoded body that waits for the log, and the request that waits for its answer.
final class PendingBody: Sendable {
    let body: CommitBody
    /// What `body` weighs, bytes.
    let bytes: Int
    /// Nanoseconds on the monotonic clock.
    let arrived: Int
    private let promise: EventLoopPromise<IngestAnswer>
    private let answered = Atomic(false)

    init(body: CommitBody, arrived: Int, promise: EventLoopPromise<IngestAnswer>) {
        self.body = body
        bytes = body.bytes
        self.arrived = arrived
        self.promise = promise
    }

    /// True once the sender has its answer; appending the body then helps nobody.
    var isAnswered: Bool { answered.load(ordering: .acquiring) }

    /// Answers the sender on its event loop; only the first answer counts.
    @discardableResult
    func answer(_ answer: IngestAnswer) -> Bool {
        guard !answered.exchange(true, ordering: .acquiringAndReleasing) else { return false }
        promise.succeed(answer)
        return true
    }
}

/// What waits for the log's writer, in order.
struct CommitQueue {
    enum Item {
        case body(PendingBody)
        /// A mark that somebody drives time by, and whom to tell.
        case mark(Epoch, @Sendable (Result<Void, Failure>) -> Void)
        /// Something else to be done with the log, such as a trim.
        case job(@Sendable (SpanLogWriter) -> Void)
    }

    private var items: [Item] = []
    private var head = 0
    /// Bytes of the bodies that wait.
    private(set) var bytes = 0
    /// Bodies of the commit under way.
    private(set) var inFlight: [PendingBody] = []
    var stopping = false

    var isEmpty: Bool { head == items.count }

    mutating func push(_ body: PendingBody) {
        items.append(.body(body))
        bytes += body.bytes
    }

    mutating func push(mark: Epoch, _ done: @escaping @Sendable (Result<Void, Failure>) -> Void) {
        items.append(.mark(mark, done))
    }

    mutating func push(job: @escaping @Sendable (SpanLogWriter) -> Void) { items.append(.job(job)) }

    /// What the writer does next: a mark, a job, or the bodies of one commit (within the bounds, at least one).
    enum Work {
        case mark(Epoch, @Sendable (Result<Void, Failure>) -> Void)
        case job(@Sendable (SpanLogWriter) -> Void)
        case commit([PendingBody])
    }

    mutating func next(commitBytes: Int, commitSpans: Int) -> Work? {
        var size = 0
        var spans = 0
        while head < items.count {
            switch items[head] {
            case .mark(let epoch, let done):
                guard inFlight.isEmpty else { return .commit(inFlight) }
                advance()
                return .mark(epoch, done)
            case .job(let job):
                guard inFlight.isEmpty else { return .commit(inFlight) }
                advance()
                return .job(job)
            case .body(let body):
                if body.isAnswered {
                    bytes -= body.bytes
                    advance()
                    continue
                }
                let payload = body.body.payload.count
                let fits = size + payload <= commitBytes && spans + body.body.rows.count <= commitSpans
                guard inFlight.isEmpty || fits else { return .commit(inFlight) }
                size += payload
                spans += body.body.rows.count
                inFlight.append(body)
                advance()
            }
        }
        return inFlight.isEmpty ? nil : .commit(inFlight)
    }

    /// The commit under way is done with, well or not.
    mutating func finished() {
        for body in inFlight { bytes -= body.bytes }
        inFlight.removeAll(keepingCapacity: true)
    }

    /// Every body that arrived before the time and has no answer yet. O(expired): bodies stand in order of arrival.
    func expired(arrivedBefore time: Int) -> [PendingBody] {
        var expired = inFlight.filter { $0.arrived < time && !$0.isAnswered }
        var index = head
        while index < items.count {
            if case .body(let body) = items[index] {
                guard body.arrived < time else { break }
                if !body.isAnswered { expired.append(body) }
            }
            index += 1
        }
        return expired
    }

    private mutating func advance() {
        items[head] = .mark(Epoch(0), { _ in })
        head += 1
        guard head == items.count || head > 1_024 else { return }
        items.removeFirst(head)
        head = 0
    }
}
