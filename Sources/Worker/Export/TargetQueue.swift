import Linking
import NIOCore
import Synchronization

/// Encoded spans of one batch, for one target or several.
struct EncodedChunk: Sendable {
    var block: VerdictBlockID
    var epoch: Epoch
    /// Log time at which the epoch began, nanoseconds since 1970.
    var epochTime: UInt64
    var bytes: ByteBuffer
    var spans: Int
    var partitions: [PartitionCount]
}

/// What waits in a target's queue.
enum QueueItem: Sendable {
    case chunk(EncodedChunk)
    /// Every chunk of the block came before.
    case end(VerdictBlockID)
    /// What is buffered in the target is to be finished as far as blocks are whole.
    case flush

    var bytes: Int {
        if case .chunk(let chunk) = self { chunk.bytes.readableBytes } else { 0 }
    }
}

/// What waits for one target, bounded in bytes, and how far the target got.
///
/// Bytes count from `enqueue` until `release`, so what is under way counts too. A chunk larger than the bound is
/// taken when nothing else is there. Nothing is ever thrown away for slowness, `enqueue` suspends instead; but for a
/// queue with an `overflow`, which drops and counts.
/// Any number of tasks may take; items are handed out in order.
final class TargetQueue: Sendable {
    private struct State {
        var items: [QueueItem?] = []
        var head = 0
        var bytes = 0
        var isClosed = false
        var tracker = BlockTracker()
        var takers: [CheckedContinuation<Void, Never>] = []
        var waitingForRoom: [CheckedContinuation<Void, Never>] = []
        var waitingForEnd: [CheckedContinuation<Void, Never>] = []

        var isEmpty: Bool { head == items.count }
        var first: QueueItem? { isEmpty ? nil : items[head] }

        mutating func removeFirst() -> QueueItem? {
            guard let item = first else { return nil }
            items[head] = nil
            head += 1
            if head == items.count || head >= 1024 {
                items.removeFirst(head)
                head = 0
            }
            return item
        }
    }

    let target: String
    /// Most bytes that wait or are under way.
    let bytesMax: Int
    /// What is done with chunks for which there is no room; nil: they wait.
    private let overflow: QueueOverflow?
    private let ledger: ExportLedger
    private let observer: any ExportObserver
    private let acknowledge: @Sendable (String, VerdictBlockID) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - bytesMax: `Limits.targetQueueBytes`.
    ///   - acknowledge: called when every span of a block, and of all before it, has ended in this target.
    init(
        target: String, bytesMax: Int, ledger: @escaping ExportLedger, observer: any ExportObserver,
        acknowledge: @escaping @Sendable (String, VerdictBlockID) -> Void = { _, _ in },
        overflow: QueueOverflow? = nil
    ) {
        self.overflow = overflow
        self.target = target
        self.bytesMax = bytesMax
        self.ledger = ledger
        self.observer = observer
        self.acknowledge = acknowledge
    }

    /// Bytes that wait or are under way.
    var bytes: Int { state.withLock { $0.bytes } }
    /// Whether nothing waits to be taken.
    var isEmpty: Bool { state.withLock { $0.isEmpty } }
    var isClosed: Bool { state.withLock { $0.isClosed } }
    var acknowledged: VerdictBlockID? { state.withLock { $0.tracker.acknowledged } }

    // MARK: Producer

    /// Puts items in as far as there is room. Returns how many went in.
    func offer(_ items: ArraySlice<QueueItem>) -> Int {
        let (count, bytes, takers) = state.withLock { state in
            var count = 0
            while count < items.count {
                let item = items[items.startIndex + count]
                let size = item.bytes
                guard size == 0 || state.bytes == 0 || state.bytes + size <= bytesMax || state.isClosed else { break }
                count += 1
                if state.isClosed { continue }
                state.bytes += size
                switch item {
                case .chunk(let chunk): state.tracker.opened(chunk.block, isLast: false)
                case .end(let block): state.tracker.opened(block, isLast: true)
                case .flush: break
                }
                state.items.append(item)
            }
            let takers = count > 0 ? state.takers : []
            if count > 0 { state.takers = [] }
            return (count, state.bytes, takers)
        }
        for taker in takers { taker.resume() }
        if count > 0 { observer.queue(target: target, bytes: bytes) }
        return count
    }

    /// Puts all items in; suspends while the queue is full. Returns at once when the queue is closed.
    func enqueue(_ items: ArraySlice<QueueItem>) async {
        var rest = items
        while true {
            rest = rest.dropFirst(offer(rest))
            if rest.isEmpty { return }
            if let overflow {
                if await !overflow.waitsABit(), let item = rest.popFirst() { drop(item, overflow.reason) }
                continue
            }
            let size = rest.first?.bytes ?? 0
            await withCheckedContinuation { continuation in
                let isRoom = state.withLock { state in
                    if state.isClosed || state.bytes == 0 || state.bytes + size <= bytesMax { return true }
                    state.waitingForRoom.append(continuation)
                    return false
                }
                if isRoom { continuation.resume() }
            }
        }
    }

    private func drop(_ item: QueueItem, _ reason: ExportDropReason) {
        guard case .chunk(let chunk) = item else { return }
        state.withLock { $0.tracker.opened(chunk.block, isLast: false) }
        report(chunk.partitions, epoch: chunk.epoch, outcome: .dropped(reason))
        finish(chunk.block)
    }

    /// Suspends until every block handed over whole so far has ended, or the queue is closed.
    func drained() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.isClosed || !state.tracker.isBusy { return true }
                state.waitingForEnd.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Ends all waiting: takers get nil, what still waits stays unacknowledged.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            let waiting = state.takers + state.waitingForRoom + state.waitingForEnd
            state.takers = []
            state.waitingForRoom = []
            state.waitingForEnd = []
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    // MARK: Target

    /// The next item; suspends while there is none. Nil once the queue is closed.
    func next() async -> QueueItem? {
        while true {
            let (item, isClosed) = state.withLock { state in
                state.isClosed ? (nil, true) : (state.removeFirst(), false)
            }
            if item != nil || isClosed { return item }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isClosed || !state.isEmpty { return true }
                    state.takers.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// The next item if it is there already and does not exceed `bytes`.
    func nextIfThere(upTo bytes: Int) -> QueueItem? {
        state.withLock { state in
            guard !state.isClosed, let first = state.first, first.bytes <= bytes else { return nil }
            return state.removeFirst()
        }
    }

    /// Bytes that need no memory any more; makes room.
    func release(bytes: Int) {
        let (now, waiting) = state.withLock { state in
            state.bytes -= bytes
            precondition(state.bytes >= 0, "more bytes were released than were queued")
            let waiting = state.waitingForRoom
            state.waitingForRoom = []
            return (state.bytes, waiting)
        }
        observer.queue(target: target, bytes: now)
        for continuation in waiting { continuation.resume() }
    }

    /// Reports that spans ended. Each span once.
    func report(_ partitions: [PartitionCount], epoch: Epoch, outcome: ExportOutcome) {
        let report = ExportReport(target: target, epoch: epoch, partitions: partitions, outcome: outcome)
        ledger(report)
        observer.ended(target: target, spans: report.spans, outcome: outcome)
    }

    /// `count` items (chunks, and the end) of a block are finished for good, after they were reported.
    func finish(_ block: VerdictBlockID, count: Int = 1) {
        let (moved, waiting) = state.withLock { state in
            let moved = state.tracker.finished(block, count: count) ? state.tracker.acknowledged : nil
            var waiting: [CheckedContinuation<Void, Never>] = []
            if !state.tracker.isBusy {
                waiting = state.waitingForEnd
                state.waitingForEnd = []
            }
            return (moved, waiting)
        }
        if let moved { acknowledge(target, moved) }
        for continuation in waiting { continuation.resume() }
    }
}
