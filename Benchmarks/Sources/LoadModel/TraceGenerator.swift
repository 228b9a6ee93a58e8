/// Makes call trees, span by span, with everything that hangs together in reality: nested times on one kernel clock per
/// node, connections whose sequence numbers move by the bytes sent, threads that serve one request at a time.
///
/// Deterministic: equal settings give equal bytes. The model lets every thread do its calls one after the other, so
/// each true edge can be found by rules R1 to R3; a wrong or missing edge is the linker's.
struct TraceGenerator {
    /// A span of the trace in the making; `template` tells everything that does not vary.
    struct Span {
        var template: Int32
        var node: Int32
        var bytesRead: Int64
        var bytesWritten: Int64
        var requestSequence: UInt32
        var responseSequence: UInt32
        var threadTraceID: Int64
        var thread: Int64
        var begin: Int64
        var end: Int64
        var route: Int64
        var clientPort: Int64
        var parent: UInt32
        var isEntry: Bool
    }

    /// A server that is serving: it calls others until `callsLeft` is 0.
    private struct Frame {
        var pod: Int
        var thread: Int
        var threadTraceID: Int64
        var span: Int
        var callerSpan: Int
        var connectionRing: Int
        var connection: Int
        var callsLeft: Int
    }

    private static let deepest = 6
    private static let noSpan = -1

    private let settings: LoadSettings
    private var random: RandomSource
    private let pods: [Pod]
    private let podsOfService: [[Int]]
    private let isTranslated: [Bool]
    private var connections: [Ring<Connection>]
    private var threads: [Ring<WorkThread>]
    private var nextClientPort: [Int64]
    private var templateNumbers: [Int32]
    private(set) var templates: [PointTemplate] = []
    private var frames: [Frame] = []
    private var clock: Int64
    /// The spans of the latest trace, parents first.
    private(set) var spans: [Span] = []

    init(settings: LoadSettings) {
        self.settings = settings
        random = RandomSource(seed: settings.seed)
        pods = Pod.all()
        let count = pods.count
        let all = pods
        podsOfService = Topology.services.indices.map { service in
            all.indices.filter { all[$0].service == service }
        }
        var random = RandomSource(seed: settings.seed ^ 0x5EED)
        isTranslated = Topology.services.map { _ in random.chance(settings.translatedShare) }
        connections = Array(repeating: Ring(), count: count * count)
        threads = Array(repeating: Ring(), count: count)
        nextClientPort = (0..<count).map { Int64(32_768 + $0 * 97) }
        templateNumbers = Array(repeating: -1, count: count * count * 4)
        clock = settings.firstWallTime
    }

    /// Makes the trace whose root begins at `start` (wall clock, nanoseconds).
    mutating func makeTrace(at start: Int64) {
        spans.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        clock = start
        var budget = 8 + Int(random.below(7))
        openRoot(&budget)
        while let frame = frames.last {
            if frame.callsLeft > 0, budget > 0 {
                frames[frames.count - 1].callsLeft -= 1
                call(from: frame, &budget)
            } else {
                finish(frame)
                frames.removeLast()
            }
        }
    }

    // MARK: Calls

    private mutating func openRoot(_ budget: inout Int) {
        // One client process is recorded, the other one is outside: an agent sees all calls of a process or none.
        let isRecorded = random.chance(settings.recordedClientShare)
        let client = podsOfService[Topology.client][isRecorded ? 0 : 1]
        let gateway = pick(podsOfService[Topology.gateway])
        let thread = takeThread(client)
        open(caller: client, callerThread: thread, callerTraceID: randomThreadTraceID(), callerSpan: Self.noSpan,
             callee: gateway, recordCaller: isRecorded, &budget)
        threads[client][thread].busyUntil = clock &+ 40_000_000
    }

    private mutating func call(from frame: Frame, _ budget: inout Int) {
        let service = pick(Topology.services[pods[frame.pod].service].calls)
        clock &+= random.within(20_000..<300_000)
        open(caller: frame.pod, callerThread: frame.thread, callerTraceID: frame.threadTraceID,
             callerSpan: frame.span, callee: pick(podsOfService[service]), recordCaller: true, &budget)
    }

    /// One request: the caller's span, and the called side's when an agent sees it.
    private mutating func open(
        caller: Int, callerThread: Int, callerTraceID: Int64, callerSpan: Int, callee: Int, recordCaller: Bool,
        _ budget: inout Int
    ) {
        let ring = caller * pods.count + callee
        let connection = takeConnection(ring, caller: caller)
        let state = connections[ring][connection]
        var span = Span(
            template: 0, node: Int32(pods[caller].node), bytesRead: random.within(120..<1_800),
            bytesWritten: random.within(90..<700), requestSequence: state.requestSequence,
            responseSequence: state.responseSequence, threadTraceID: callerTraceID,
            thread: threadID(caller, callerThread), begin: clock, end: 0, route: random.within(10_000..<99_999),
            clientPort: state.clientPort, parent: callerSpan < 0 ? Truth.noParent : UInt32(callerSpan), isEntry: false)
        advance(ring, connection, by: span)
        let isError = random.chance(0.02)
        var exit = Self.noSpan
        if recordCaller {
            span.template = template(pod: caller, peer: callee, isEntry: false, isError: isError)
            exit = spans.count
            spans.append(span)
            budget -= 1
        }
        guard Topology.services[pods[callee].service].kind.isRecorded else {
            clock &+= random.within(200_000..<3_000_000)
            close(exit, ring, connection)
            return
        }
        clock &+= random.within(30_000..<200_000)
        serve(span, callee: callee, exit: exit, ring: ring, connection: connection,
              template: template(pod: callee, peer: caller, isEntry: true, isError: isError))
        budget -= 1
    }

    private mutating func serve(
        _ request: Span, callee: Int, exit: Int, ring: Int, connection: Int, template: Int32
    ) {
        let thread = takeThread(callee)
        var span = request
        span.template = template
        span.node = Int32(pods[callee].node)
        span.bytesRead = request.bytesWritten
        span.bytesWritten = request.bytesRead
        span.threadTraceID = randomThreadTraceID()
        span.thread = threadID(callee, thread)
        span.begin = clock
        span.parent = exit < 0 ? Truth.noParent : UInt32(exit)
        span.isEntry = true
        let service = Topology.services[pods[callee].service]
        let isGateway = pods[callee].service == Topology.gateway
        let calls = frames.count >= Self.deepest || service.calls.isEmpty ? 0 : 1 + Int(random.below(3))
        frames.append(Frame(
            pod: callee, thread: thread, threadTraceID: span.threadTraceID, span: spans.count, callerSpan: exit,
            connectionRing: ring, connection: connection, callsLeft: isGateway ? 12 : calls))
        spans.append(span)
    }

    private mutating func finish(_ frame: Frame) {
        clock &+= random.within(50_000..<800_000)
        spans[frame.span].end = clock
        threads[frame.pod][frame.thread].busyUntil = clock
        clock &+= random.within(30_000..<200_000)
        close(frame.callerSpan, frame.connectionRing, frame.connection)
    }

    private mutating func close(_ exit: Int, _ ring: Int, _ connection: Int) {
        if exit >= 0 { spans[exit].end = clock }
        connections[ring][connection].busyUntil = clock
    }

    // MARK: Threads and connections

    private mutating func takeThread(_ pod: Int) -> Int {
        let now = clock
        let index = threads[pod].take(isFree: { $0.busyUntil <= now }, make: { WorkThread(busyUntil: 0) })
        threads[pod][index].busyUntil = .max
        return index
    }

    private func threadID(_ pod: Int, _ index: Int) -> Int64 { Int64(pods[pod].processID + 1 + index) }

    private mutating func takeConnection(_ ring: Int, caller: Int) -> Int {
        let now = clock
        let bits = random.next()
        let port = nextClientPort[caller]
        let before = connections[ring].elements.count
        let index = connections[ring].take(isFree: { $0.busyUntil <= now }, make: {
            Connection(clientPort: port, requestSequence: UInt32(truncatingIfNeeded: bits),
                       responseSequence: UInt32(truncatingIfNeeded: bits &>> 32), busyUntil: 0)
        })
        if index >= before { nextClientPort[caller] = port >= 60_999 ? 32_768 : port + 1 }
        connections[ring][index].busyUntil = .max
        return index
    }

    /// Moves the sequence numbers on by what was sent, modulo 2^32; 0 means "none" on the wire and is stepped over.
    private mutating func advance(_ ring: Int, _ connection: Int, by span: Span) {
        func moved(_ sequence: UInt32, _ bytes: Int64) -> UInt32 {
            max(1, sequence &+ UInt32(truncatingIfNeeded: bytes))
        }
        let state = connections[ring][connection]
        connections[ring][connection].requestSequence = moved(state.requestSequence, span.bytesWritten)
        connections[ring][connection].responseSequence = moved(state.responseSequence, span.bytesRead)
    }

    private mutating func randomThreadTraceID() -> Int64 { Int64(bitPattern: random.next() &>> 1 | 1) }

    private mutating func pick(_ choices: [Int]) -> Int { choices[Int(random.below(UInt64(choices.count)))] }

    // MARK: Templates

    private mutating func template(pod: Int, peer: Int, isEntry: Bool, isError: Bool) -> Int32 {
        let key = ((pod * pods.count + peer) * 2 + (isEntry ? 1 : 0)) * 2 + (isError ? 1 : 0)
        if templateNumbers[key] >= 0 { return templateNumbers[key] }
        let service = pods[peer].service
        let peerAddress = !isEntry && isTranslated[service] ? "10.96.0.\(service + 10)" : pods[peer].address
        templates.append(.agentPoint(PointTemplate.Side(
            pod: pods[pod], peer: pods[peer], peerAddress: peerAddress, isEntry: isEntry, isError: isError,
            profile: settings.profile)))
        templateNumbers[key] = Int32(templates.count - 1)
        return templateNumbers[key]
    }
}
