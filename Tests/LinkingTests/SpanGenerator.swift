@testable import Linking

/// SplitMix64: one seed reruns a test.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed &>> 31)
    }
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func chance(_ share: Double) -> Bool { Double(next() >> 11) < share * 9_007_199_254_740_992 }
}

/// A span as it stands in the log, with the flow that routes it and, where it is known, its true parent.
struct TestSpan {
    var facts: SpanFacts
    var flow: FlowKey?
    var epoch: UInt64 = 1
    var trueParent: SpanID?
    /// What tests know a span by: equal facts give an equal key.
    var key: SpanID { facts.flags.contains(.passThrough) ? facts.id : facts.computedID }
}

/// Makes spans: call trees as real agents report them, and garbage that no agent would send.
struct SpanGenerator {
    var random: Seeded
    var spans: [TestSpan] = []
    /// Outgoing spans carry a random thread key, as agents since DataKit 1.36 send it.
    var hasAgentBug = false
    /// Share of the calls whose two ends see different 4-tuples.
    var natShare = 0.2
    /// Share of the calls with application ids.
    var applicationShare = 0.2
    var depth = 4
    private var taken: Set<SpanID> = []
    private var nextThread: UInt64 = 1000

    init(seed: UInt64) { random = Seeded(seed) }

    private struct Request {
        var host: UInt64
        var processID: UInt64
        var threadID: UInt64
        var threadKey: UInt64
        var entry: SpanID?
    }

    // MARK: Call trees

    /// Adds `count` call trees that begin one after another, `gap` nanoseconds apart.
    mutating func addTrees(_ count: Int, gap: Int64 = 1_000_000, from begin: Int64 = 1_000_000_000) {
        for number in 0..<count { _ = call(from: nil, at: begin + Int64(number) * gap, level: 0) }
    }

    /// One request, with the requests made for it; returns its end. The caller's span comes after the callee's.
    private mutating func call(from caller: Request?, at time: Int64, level: Int) -> Int64 {
        nextThread += 1
        let service = UInt64(random.below(6))
        var callee = Request(
            host: service % 3 + 1, processID: 100 + service, threadID: nextThread, threadKey: random.next() | 1)
        let sequences = (random.next() & 0xffff_ffff | 1, random.next() & 0xffff_ffff | 1)
        let client = FlowEnd(ipv4: UInt32(caller?.host ?? 9), port: UInt16(truncatingIfNeeded: random.next()))
        let server = FlowEnd(ipv4: 100 + UInt32(service), port: 80)
        let begin = time + 50_000
        var entry = side(of: callee, sequences, kernelTime: begin)
        entry.flags.formUnion([.incoming, .entry])
        let entryFlow = FlowKey(source: server, destination: client, incoming: true)
        set(&entry, entryFlow)
        if random.chance(applicationShare) {
            entry.flags.formUnion([.hasApplication, .applicationHex])
            entry.application = ApplicationIDs(traceLow: random.next(), traceHigh: random.next(), parent: random.next())
            if random.chance(0.5) { entry.flags.insert(random.chance(0.8) ? .sampledKeep : .sampledReject) }
        }
        // The entry's id does not depend on its duration, so it is known before the children are.
        callee.entry = entry.computedID
        var end = begin + 20_000
        let calls = level < depth ? random.below(4) : 0
        for _ in 0..<calls { end = call(from: callee, at: end + 10_000, level: level + 1) }
        entry.duration = (end - begin) / 1000 + 5
        guard let caller else {
            add(entry, entryFlow, parent: nil)
            return end + 60_000
        }
        var exit = side(of: caller, sequences, kernelTime: time)
        exit.duration = (end - time) / 1000 + 100
        if hasAgentBug { exit.threadKey = random.next() | 1 }
        var exitFlow = FlowKey(source: client, destination: server, incoming: false)
        if random.chance(natShare) {
            let clusterAddress = FlowEnd(ipv4: 200 + UInt32(service), port: 80)
            let source = random.chance(0.5) ? client : FlowEnd(ipv4: 7, port: UInt16(truncatingIfNeeded: random.next()))
            exitFlow = FlowKey(source: source, destination: clusterAddress, incoming: false)
        }
        set(&exit, exitFlow)
        add(entry, entryFlow, parent: exit.computedID)
        add(exit, exitFlow, parent: caller.entry)
        return end + 60_000
    }

    private mutating func side(of request: Request, _ sequences: (UInt64, UInt64), kernelTime: Int64) -> SpanFacts {
        var facts = SpanFacts()
        (facts.requestSequence, facts.responseSequence) = sequences
        facts.threadKey = request.threadKey
        facts.scope = request.host
        facts.processID = request.processID
        facts.threadID = request.threadID
        facts.kernelTime = kernelTime
        facts.start = kernelTime / 1000 + 1_700_000_000_000_000 + Int64(random.below(20_000))
        facts.flags = [.hasKernelTime, .hasProcess, .hasPID, .hasFlow]
        return facts
    }

    private func set(_ facts: inout SpanFacts, _ flow: FlowKey) {
        facts.flow = flow.pairFingerprint
        facts.initiator = flow.initiatorFingerprint
    }

    private mutating func add(_ facts: SpanFacts, _ flow: FlowKey?, parent: SpanID?) {
        var facts = facts
        if facts.flags.isDisjoint(with: [.givenID, .passThrough]) { facts.id = facts.computedID }
        let span = TestSpan(facts: facts, flow: flow, trueParent: parent)
        if taken.insert(span.key).inserted { spans.append(span) }
    }

    // MARK: Garbage

    /// Adds spans whose every number comes from a handful of values: equal keys, zeros, cycles, self links, equal ids.
    mutating func addGarbage(_ count: Int, values: Int = 5) {
        for _ in 0..<count {
            var facts = SpanFacts()
            if random.chance(0.02) {
                facts.flags = .passThrough
                facts.id = SpanID(random.next() | 1)
                add(facts, nil, parent: nil)
                continue
            }
            facts.requestSequence = UInt64(random.below(values))
            facts.responseSequence = UInt64(random.below(values)) << (random.chance(0.02) ? 40 : 0)
            facts.threadKey = UInt64(random.below(values))
            facts.start = Int64(random.below(values * 3))
            facts.duration = Int64(random.below(values) - 1)
            if random.chance(0.5) { facts.flags.insert(.incoming) }
            if random.chance(0.5) { facts.flags.insert(.entry) }
            addGarbageProcess(&facts, values: values)
            let flow = addGarbageFlow(&facts)
            if random.chance(0.1) {
                facts.flags.insert(.givenID)
                facts.id = SpanID(UInt64(random.below(values)) + 1)
            }
            if random.chance(0.1) {
                facts.flags.insert(.hasApplication)
                facts.application = ApplicationIDs(traceLow: UInt64(random.below(3)), parent: UInt64(random.below(2)))
            }
            if random.chance(0.05) { facts.flags.insert(random.chance(0.5) ? .sampledKeep : .sampledReject) }
            add(facts, flow, parent: nil)
        }
    }

    private mutating func addGarbageProcess(_ facts: inout SpanFacts, values: Int) {
        if random.chance(0.8) {
            facts.flags.formUnion([.hasPID, .hasProcess])
            facts.scope = UInt64(random.below(2))
            facts.processID = UInt64(random.below(3))
            facts.threadID = UInt64(random.below(2))
        }
        if random.chance(0.8) {
            facts.flags.insert(.hasKernelTime)
            facts.kernelTime = Int64(random.below(values * 1500)) - 1000
        }
    }

    private mutating func addGarbageFlow(_ facts: inout SpanFacts) -> FlowKey? {
        guard random.chance(0.8) else { return nil }
        let source = FlowEnd(ipv4: UInt32(random.below(2)), port: 1)
        let destination = FlowEnd(ipv4: UInt32(random.below(2)), port: 1)
        let flow = FlowKey(source: source, destination: destination, incoming: facts.isIncoming)
        facts.flags.insert(.hasFlow)
        set(&facts, flow)
        return flow
    }

    /// Spreads the spans over epochs `first ..< first + count` at random.
    mutating func spreadOverEpochs(_ count: Int, from first: UInt64 = 1) {
        for place in spans.indices { spans[place].epoch = first + UInt64(random.below(count)) }
    }
}
