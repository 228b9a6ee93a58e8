import LoadModel

/// Hands bodies from the generator to the senders, and empty buffers back.
public final class BodyQueue: @unchecked Sendable {
    private let monitor = Monitor()
    private let capacity: Int
    private var waiting: [BodyBuffer] = []
    private var first = 0
    private var spare: [BodyBuffer] = []
    private var isClosed = false

    /// - Parameter capacity: bodies that may wait before `put` blocks.
    public init(capacity: Int) { self.capacity = capacity }

    /// An empty buffer.
    public func buffer() -> BodyBuffer {
        let used = monitor.locked { spare.popLast() }
        used?.reset()
        return used ?? BodyBuffer(capacity: 320 << 10)
    }

    /// Gives back a buffer that was sent.
    public func release(_ buffer: BodyBuffer) {
        monitor.locked { spare.append(buffer) }
    }

    /// Adds a body; waits while the queue is full. After `close` the body is dropped.
    public func put(_ body: BodyBuffer) {
        monitor.locked {
            while waiting.count - first >= capacity, !isClosed { monitor.wait() }
            waiting.append(body)
            monitor.wakeAll()
        }
    }

    /// The next body; nil once the queue is closed and empty.
    public func take() -> BodyBuffer? {
        monitor.locked {
            while first == waiting.count, !isClosed { monitor.wait() }
            guard first < waiting.count else { return nil }
            let body = waiting[first]
            first += 1
            if first == waiting.count || first >= 256 {
                waiting.removeFirst(first)
                first = 0
            }
            monitor.wakeAll()
            return body
        }
    }

    /// Says that no body will come any more.
    public func close() {
        monitor.locked {
            isClosed = true
            monitor.wakeAll()
        }
    }
}
