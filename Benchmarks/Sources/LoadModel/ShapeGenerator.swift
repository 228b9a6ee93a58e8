/// What made the collector that we replace take exponential time, or die: as many spans as wanted that hang together in
/// one way. Half of the spans are calls, the other half the served ends of them.
public enum Shape: String, CaseIterable, Sendable {
    /// Each served request makes the next call: one trace as deep as there are spans.
    case chain
    /// One served request makes all calls.
    case star
    /// All spans carry one thread id; each served request overlaps all later ones.
    case thread
    /// All spans carry the same sequence numbers, on one connection.
    case equalKeys = "equal-keys"
}

/// Makes the spans of a shape, in the order of their times. Deterministic; no memory a span.
public struct ShapeGenerator {
    private let shape: Shape
    private let spanCount: Int
    private let firstWallTime: Int64
    private var exit = PointTemplate(measurement: "dketrace")
    private var entry = PointTemplate(measurement: "dketrace")

    /// Nanoseconds between the begin of two spans.
    private static let step: Int64 = 1_000

    public init(_ shape: Shape, settings: LoadSettings) {
        self.shape = shape
        spanCount = settings.spanCount
        firstWallTime = settings.firstWallTime
        exit.addShape(isEntry: false)
        entry.addShape(isEntry: true)
    }

    /// Hands out the bodies, one after another. O(spans).
    public func run(_ makeBuffer: () -> BodyBuffer, pointsPerBody: Int, _ emit: (BodyBuffer) -> Void) {
        let slots = UnsafeMutablePointer<Int64>.allocate(capacity: Slot.allCases.count)
        slots.initialize(repeating: 0, count: Slot.allCases.count)
        defer { slots.deallocate() }
        var buffer = makeBuffer()
        buffer.reset()
        for number in 0..<spanCount {
            // Span 0 is the served end of a request from outside; then each call and its served end.
            let isEntry = number % 2 == 0
            fill(slots, number, isEntry: isEntry)
            let template = isEntry ? entry : exit
            buffer.reserve(template.capacity)
            let start = buffer.bytes + buffer.count
            let time = firstWallTime &+ Int64(number) &* Self.step
            buffer.count += template.write(to: start, slots: slots, time: time) - start
            buffer.points += 1
            guard buffer.points == pointsPerBody || number + 1 == spanCount else { continue }
            emit(buffer)
            buffer = makeBuffer()
            buffer.reset()
        }
    }

    /// The facts of one span. Call k is span 2k - 1, its served end span 2k.
    private func fill(_ slots: UnsafeMutablePointer<Int64>, _ number: Int, isEntry: Bool) {
        let call = (number + 1) / 2
        let left = Int64(spanCount - number)
        // Microseconds: a request in which others nest lasts until all of them have ended.
        let lasts = shape == .star && number > 0 ? 1 : left &+ 10
        let thread: Int
        switch shape {
        case .chain: thread = isEntry ? call : call - 1
        case .star: thread = isEntry ? call : 0
        case .thread: thread = 0
        case .equalKeys: thread = number
        }
        let key = shape == .equalKeys ? 0 : call
        slots[Slot.requestSequence.rawValue] = Int64(key) + 1
        slots[Slot.responseSequence.rawValue] = Int64(Self.mixed(UInt64(key)) >> 33) + 1
        slots[Slot.threadTraceID.rawValue] = Int64(Self.mixed(UInt64(thread) + 1 << 40) >> 1) | 1
        slots[Slot.thread.rawValue] = Int64(1_000 + thread % 30_000)
        slots[Slot.kernelTime.rawValue] = 3_234_265_592_472 &+ Int64(number) &* Self.step
        slots[Slot.start.rawValue] = (firstWallTime &+ Int64(number) &* Self.step) / 1_000
        slots[Slot.duration.rawValue] = lasts
        slots[Slot.clientPort.rawValue] = shape == .equalKeys ? 40_000 : Int64(10_000 + call % 50_000)
    }

    private static func mixed(_ number: UInt64) -> UInt64 {
        var random = RandomSource(seed: number)
        return random.next()
    }
}

extension PointTemplate {
    /// The fields that linking reads, and little else.
    fileprivate mutating func addShape(isEntry: Bool) {
        text("ebpf_span_type", isEntry ? "entry" : "exit")
        text("direction", isEntry ? "incoming" : "outgoing")
        integer("req_seq", .requestSequence)
        integer("resp_seq", .responseSequence)
        integer("thread_trace_id", .threadTraceID)
        integer("tid", .thread)
        integer("ktime", .kernelTime)
        text("pid", "4711")
        text("service", "shape")
        text("status", "ok")
        text("src_ip", isEntry ? "10.0.0.2" : "10.0.0.1")
        text("dst_ip", isEntry ? "10.0.0.1" : "10.0.0.2")
        text("src_port", isEntry ? "8080" : "#", digits: isEntry ? nil : .clientPort)
        text("dst_port", isEntry ? "#" : "8080", digits: isEntry ? .clientPort : nil)
        integer("start", .start)
        integer("duration", .duration)
        time()
    }
}
