import Glibc
import LoadModel
import LoadNet

/// Runs the generator on the calling thread and fills the queue, as fast as it empties or by the clock.
struct Producer {
    var settings: LoadSettings
    /// Spans a second; 0: no pacing.
    var pace: Double
    /// Seconds between two deliveries of one agent; 0: at once.
    var agentFlush: Double
    var queue: BodyQueue

    /// Makes all spans; returns the answer key. The queue is closed at the end.
    func run() -> Truth {
        var delivery = Delivery(queue: queue, flushSeconds: agentFlush)
        let queue = queue
        let generator = LoadGenerator(settings: settings, makeBuffer: { queue.buffer() })
        let begin = monotonicNanoseconds()
        while generator.step({ delivery.take($0) }) {
            guard pace > 0 else { continue }
            let due = begin + Int64(Double(generator.truth.count) / pace * 1e9)
            delivery.deliver(at: monotonicNanoseconds() - begin)
            sleepNanoseconds(due - monotonicNanoseconds())
        }
        generator.finish { delivery.take($0) }
        delivery.deliverAll()
        queue.close()
        return generator.truth
    }
}

/// Holds each agent's bodies until it delivers. Agents swap their buffers every some seconds, each in its own phase.
private struct Delivery {
    private let queue: BodyQueue
    private let flush: Int64
    private var held: [[BodyBuffer]]
    private var next: [Int64]

    init(queue: BodyQueue, flushSeconds: Double) {
        self.queue = queue
        flush = Int64(flushSeconds * 1e9)
        let count = LoadGenerator.nodeCount
        held = Array(repeating: [], count: count)
        let flush = flush
        next = (0..<count).map { Int64($0 + 1) * flush / Int64(count) }
    }

    mutating func take(_ body: BodyBuffer) {
        if flush == 0 { queue.put(body) } else { held[body.node].append(body) }
    }

    mutating func deliver(at elapsed: Int64) {
        guard flush > 0 else { return }
        for node in held.indices where elapsed >= next[node] {
            next[node] += flush
            deliver(node)
        }
    }

    mutating func deliverAll() {
        for node in held.indices { deliver(node) }
    }

    private mutating func deliver(_ node: Int) {
        for body in held[node] { queue.put(body) }
        held[node].removeAll(keepingCapacity: true)
    }
}
