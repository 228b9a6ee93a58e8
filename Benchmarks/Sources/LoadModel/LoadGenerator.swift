/// The stream of request bodies of a modelled cluster, with its answer key.
///
/// Each node's agent fills its own bodies, so the two ends of a call mostly come in different bodies, and a child
/// before its parent in half of the traces. Measured: see docs/benchmarks.md, "the generator alone".
public final class LoadGenerator {
    public let settings: LoadSettings
    public private(set) var truth = Truth()
    private var generator: TraceGenerator
    private var random: RandomSource
    private var open: [BodyBuffer]
    private let makeBuffer: () -> BodyBuffer
    private let slots: UnsafeMutablePointer<Int64>
    private var nextStart: Int64
    private let gap: Int64

    /// Mean spans of a trace, for the distance between requests.
    private static let spansPerTrace = 11.0

    /// - Parameter makeBuffer: gives an empty buffer for the next body (new, or one that was sent).
    public init(settings: LoadSettings, makeBuffer: @escaping () -> BodyBuffer) {
        var settings = settings
        // Agents report whole microseconds: what falls together by rounding must not depend on when the run began.
        settings.firstWallTime -= settings.firstWallTime % 1_000_000
        self.settings = settings
        self.makeBuffer = makeBuffer
        generator = TraceGenerator(settings: settings)
        random = RandomSource(seed: settings.seed &+ 77)
        open = (0..<Topology.nodeCount).map { _ in makeBuffer() }
        for node in open.indices { open[node].node = node }
        slots = .allocate(capacity: Slot.allCases.count)
        slots.initialize(repeating: 0, count: Slot.allCases.count)
        nextStart = settings.firstWallTime
        gap = Int64(1e9 * Self.spansPerTrace / settings.modelledRate)
    }

    deinit { slots.deallocate() }

    /// Number of nodes, each with one agent.
    public static var nodeCount: Int { Topology.nodeCount }

    /// Name of a node's agent, for `X-Ebpftrace-Agent`.
    public static func agentName(_ node: Int) -> String { "node-\(node + 1)" }

    /// Makes one trace and hands out the bodies it fills; false when all spans are made (then call `finish`).
    public func step(_ emit: (BodyBuffer) -> Void) -> Bool {
        guard truth.count < settings.spanCount else { return false }
        generator.makeTrace(at: nextStart)
        nextStart &+= gap / 2 &+ Int64(random.below(UInt64(gap)))
        let first = UInt32(truth.count)
        let count = generator.spans.count
        for index in 0..<count { record(generator.spans[index], first: first) }
        truth.traceCount += 1
        let isChildFirst = random.next() & 1 == 0
        for index in 0..<count {
            let place = isChildFirst ? count - 1 - index : index
            write(generator.spans[place], at: Int(first) + place, emit)
        }
        return true
    }

    /// Hands out the bodies that are not full.
    public func finish(_ emit: (BodyBuffer) -> Void) {
        for node in open.indices where open[node].points > 0 { handOut(node, emit) }
    }

    private func record(_ span: TraceGenerator.Span, first: UInt32) {
        truth.identities.append(SpanIdentity.of(
            requestSequence: UInt64(span.requestSequence), responseSequence: UInt64(span.responseSequence),
            kernelTime: kernelTime(span), incoming: span.isEntry))
        truth.timeIdentities.append(0)
        truth.parents.append(span.parent == Truth.noParent ? Truth.noParent : first + span.parent)
        truth.traces.append(UInt32(truth.traceCount))
    }

    /// Each node booted at another time; its kernel clock counts from there.
    @inline(__always)
    private func kernelTime(_ span: TraceGenerator.Span) -> Int64 {
        span.begin &- settings.firstWallTime &+ 3_234_265_592_472 &+ Int64(span.node) &* 1_117_000_123_457
    }

    private func write(_ span: TraceGenerator.Span, at place: Int, _ emit: (BodyBuffer) -> Void) {
        let node = Int(span.node)
        let buffer = open[node]
        fillSlots(span)
        let capacity = generator.templates[Int(span.template)].capacity
        buffer.reserve(capacity)
        let start = buffer.bytes + buffer.count
        // The agent stamps the wall clock when it reads the event, a little late.
        let stamped = span.begin &+ Int64(random.below(2_000_000))
        slots[Slot.start.rawValue] = stamped / 1_000
        truth.timeIdentities[place] = SpanIdentity.ofTimes(
            startMicroseconds: stamped / 1_000, durationMicroseconds: slots[Slot.duration.rawValue],
            thread: span.thread, clientPort: span.clientPort, incoming: span.isEntry)
        let end = generator.templates[Int(span.template)].write(to: start, slots: slots, time: stamped)
        buffer.count += end - start
        buffer.points += 1
        if buffer.points == settings.pointsPerBody { handOut(node, emit) }
    }

    private func handOut(_ node: Int, _ emit: (BodyBuffer) -> Void) {
        let full = open[node]
        open[node] = makeBuffer()
        open[node].reset()
        open[node].node = node
        emit(full)
    }

    @inline(__always)
    private func fillSlots(_ span: TraceGenerator.Span) {
        slots[Slot.bytesRead.rawValue] = span.bytesRead
        slots[Slot.bytesWritten.rawValue] = span.bytesWritten
        slots[Slot.requestSequence.rawValue] = Int64(span.requestSequence)
        slots[Slot.responseSequence.rawValue] = Int64(span.responseSequence)
        slots[Slot.threadTraceID.rawValue] = span.threadTraceID
        slots[Slot.thread.rawValue] = span.thread
        slots[Slot.kernelTime.rawValue] = kernelTime(span)
        slots[Slot.duration.rawValue] = (span.end &- span.begin) / 1_000
        slots[Slot.routeID.rawValue] = span.route
        slots[Slot.clientPort.rawValue] = span.clientPort
    }
}
