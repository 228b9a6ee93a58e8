import Testing
@testable import Linking

/// Short notation for spans of examples: milliseconds, small keys. Entries name another initiator than exits, so that
/// none waits for a caller (docs/adr/0004) unless the example says so.
func exit(
    _ request: UInt64 = 0, _ response: UInt64? = nil, thread: UInt64 = 0, at milliseconds: Double = 0,
    process: UInt64 = 0, flow: UInt32 = 1, initiator: UInt32 = 1, _ flags: SpanFlags = []
) -> TestSpan {
    var facts = SpanFacts()
    facts.requestSequence = request
    facts.responseSequence = response ?? request
    facts.threadKey = thread
    facts.kernelTime = Int64(milliseconds * 1_000_000)
    facts.start = Int64(milliseconds * 1000)
    facts.flags = [.hasFlow, .hasKernelTime]
    facts.flags.formUnion(flags)
    facts.flow = flow
    facts.initiator = initiator
    if process != 0 {
        facts.flags.formUnion([.hasPID, .hasProcess])
        facts.processID = process
        facts.threadID = 1
    }
    facts.id = facts.computedID
    return TestSpan(facts: facts, flow: nil)
}

func entry(
    _ request: UInt64 = 0, _ response: UInt64? = nil, thread: UInt64 = 0, at milliseconds: Double = 0,
    lasting duration: Int64 = 100, process: UInt64 = 0, flow: UInt32 = 1, initiator: UInt32 = 1 << 31,
    _ flags: SpanFlags = []
) -> TestSpan {
    var span = exit(
        request, response, thread: thread, at: milliseconds, process: process, flow: flow, initiator: initiator,
        flags.union([.incoming, .entry]))
    span.facts.duration = duration < 0 ? duration : duration * 1000
    return span
}

/// One merge driven by hand: spans in, verdicts out, by epochs.
final class Bench {
    var merge: GraphMerge
    private var keyAt: [UInt64: TestSpan] = [:]
    private var position: UInt64 = 0
    /// Verdicts so far; `nil` for a dropped span.
    private(set) var verdicts: Outcome = [:]

    static var options: LinkingOptions {
        var options = LinkingOptions()
        // Keeps all, and lets rejections count (docs/adr/0003).
        options.samplingRate = 0.999_999_999
        return options
    }

    init(_ options: LinkingOptions = Bench.options, limits: Limits = Limits()) {
        merge = GraphMerge(options: options, limits: limits)
    }

    func add(_ spans: TestSpan..., epoch: UInt64) {
        for span in spans {
            position += 1
            keyAt[position] = span
            merge.insert(
                span.facts, at: RowAddress(router: RouterOrdinal(0), position: LogPosition(position), row: 0),
                epoch: Epoch(epoch))
        }
    }

    func advance(to epoch: UInt64) throws {
        var verdict = VerdictBuilder()
        merge.advance(to: Epoch(epoch), into: &verdict)
        try take(&verdict)
    }

    func flush() throws {
        var verdict = VerdictBuilder()
        merge.flush(into: &verdict)
        try take(&verdict)
    }

    private func take(_ builder: inout VerdictBuilder) throws {
        for block in builder.finish(watermark: Epoch(0), spansPerBlock: 1000) {
            var read: [(UInt64, SpanVerdict?)] = []
            try block.withUnsafeBytes {
                var decoder = try VerdictDecoder($0)
                var rows: [VerdictDecoder.Row] = []
                while let commit = try decoder.next(into: &rows) {
                    for row in rows { read.append((commit.position.offset, row.verdict)) }
                }
            }
            for (position, verdict) in read {
                if let span = keyAt[position] { verdicts.updateValue(verdict, forKey: span.key) }
            }
        }
    }

    func isDecided(_ span: TestSpan) -> Bool { verdicts[span.key] != nil }
    func verdict(_ span: TestSpan) -> SpanVerdict? { verdicts[span.key] ?? nil }
    func parent(_ span: TestSpan) -> SpanID? { verdict(span)?.parentID }
    func evidence(_ span: TestSpan) -> LinkEvidence? { verdict(span)?.evidence }
    func trace(_ span: TestSpan) -> TraceID? { verdict(span)?.ebpfTraceID }
    func refused(_ rule: String, _ reason: String) -> UInt64 {
        merge.statistics.refused[LinkingStatistics.Refusal(rule: rule, reason: reason)] ?? 0
    }
}

/// Rules R1 to R5 and what follows from them, one example each (docs/linking.md). The oracle of `InvariantTests` covers
/// their combinations.
@Suite struct RuleTests {
    private func link(
        _ spans: [TestSpan], _ change: (inout LinkingOptions) -> Void = { _ in }, limits: Limits = Limits(),
        _ check: (Bench) throws -> Void
    ) throws {
        var options = Bench.options
        options.closesByTime = false
        change(&options)
        let bench = Bench(options, limits: limits)
        for span in spans { bench.add(span, epoch: 1) }
        try bench.flush()
        try check(bench)
    }

    @Test func mirroredFlowBeatsNearerStart() throws {
        let (caller, other) = (exit(7, at: 0, flow: 1), exit(7, at: 9, flow: 2, initiator: 2))
        let called = entry(7, at: 10, flow: 1)
        try link([caller, other, called]) {
            #expect($0.parent(called) == caller.key && $0.evidence(called) == .net)
        }
    }

    @Test func throughNATTheKeyDecidesAndTheInitiatorComesFirst() throws {
        let (caller, other) = (exit(7, at: 0, flow: 1, initiator: 5), exit(7, at: 9, flow: 2, initiator: 6))
        let called = entry(7, at: 10, flow: 3, initiator: 5)
        try link([caller, other, called]) {
            #expect($0.parent(called) == caller.key && $0.evidence(called) == .netKey)
        }
        let elsewhere = entry(7, at: 10, flow: 3, initiator: 9)
        try link([caller, other, elsewhere]) { #expect($0.parent(elsewhere) == other.key) }
    }

    @Test func aWeakKeyNeedsTheConnection() throws {
        let caller = exit(7, 0, flow: 1, initiator: 1)
        let (mirrored, initiator) = (entry(7, 9, flow: 1, initiator: 4), entry(7, 9, flow: 3, initiator: 1))
        let stranger = entry(7, 9, flow: 3, initiator: 4)
        try link([caller, mirrored]) { #expect($0.evidence(mirrored) == .netWeak) }
        try link([caller, initiator]) { #expect($0.evidence(initiator) == .netWeak) }
        try link([caller, stranger]) { #expect($0.parent(stranger) == SpanID.none) }
        // Never on resp_seq alone.
        let (silent, response) = (exit(0, 9), entry(0, 9))
        try link([silent, response]) { #expect($0.parent(response) == SpanID.none) }
    }

    @Test func anExitHangsBelowTheLatestEntryBeforeIt() throws {
        let (first, second) = (entry(1, thread: 5, at: 0), entry(2, thread: 5, at: 50))
        let (early, late) = (exit(3, thread: 5, at: 20), exit(4, thread: 5, at: 60))
        let before = exit(6, thread: 5, at: -1)
        try link([first, second, early, late, before]) {
            #expect($0.parent(early) == first.key && $0.parent(late) == second.key)
            #expect($0.parent(before) == first.key && $0.evidence(before) == .thread)
        }
    }

    @Test func anExitAfterTheEntrysEndHasNoParentAndDoesNotGuess() throws {
        let owner = entry(1, thread: 5, at: 0, lasting: 10, process: 3)
        let open = entry(2, thread: 6, at: 0, lasting: 100, process: 3)
        let closed = exit(3, thread: 5, at: 50, process: 3)
        try link([owner, open, closed]) {
            #expect($0.parent(closed) == SpanID.none && $0.refused("R3", "thread_closed") == 1)
        }
        var untimed = exit(3, thread: 5, at: 50)
        untimed.facts.flags.remove(.hasKernelTime)
        untimed.facts.id = untimed.facts.computedID
        try link([owner, untimed]) { #expect($0.parent(untimed) == owner.key) }
        let endless = entry(1, thread: 5, at: 0, lasting: -1)
        try link([endless, closed]) { #expect($0.parent(closed) == endless.key) }
    }

    @Test func withoutThreadKeyTheOneOpenEntryOfTheProcessIsTheParent() throws {
        let owner = entry(1, thread: 5, at: 0, lasting: 10, process: 3)
        func at(nanoseconds: Int64) -> TestSpan {
            var span = exit(2, thread: 99, at: 1, process: 3)
            span.facts.kernelTime = nanoseconds
            span.facts.id = span.facts.computedID
            return span
        }
        for (time, isOpen) in [(0, true), (-1, false), (10_000_999, true), (10_001_000, false)] as [(Int64, Bool)] {
            let guess = at(nanoseconds: time)
            try link([owner, guess]) { #expect($0.evidence(guess) == (isOpen ? .process : LinkEvidence.none)) }
        }
        let silent = entry(1, 0, thread: 5, at: 0, lasting: -1, process: 3)
        for (time, isOpen) in [(1_000_000_000, true), (1_000_000_001, false)] as [(Int64, Bool)] {
            let guess = at(nanoseconds: time)
            try link([silent, guess]) { #expect($0.evidence(guess) == (isOpen ? .process : LinkEvidence.none)) }
        }
        let elsewhere = exit(2, thread: 99, at: 1, process: 4)
        try link([owner, elsewhere]) { #expect($0.parent(elsewhere) == SpanID.none) }
    }

    @Test func severalOpenEntriesAreAmbiguousUnlessTheLatestIsAskedFor() throws {
        let (first, second) = (entry(1, thread: 5, at: 0, process: 3), entry(2, thread: 6, at: 5, process: 3))
        let guess = exit(3, thread: 7, at: 9, process: 3)
        try link([first, second, guess]) {
            #expect($0.parent(guess) == SpanID.none && $0.refused("R4", "ambiguous") == 1)
        }
        try link([first, second, guess], { $0.inferredLinks = .latest }) { #expect($0.parent(guess) == second.key) }
        try link([first, guess], { $0.inferredLinks = .off }) { #expect($0.parent(guess) == SpanID.none) }
    }

    @Test func exitsOfOneThreadWithoutEntryAreOneTrace() throws {
        let (one, other) = (exit(1, thread: 7, at: 0), exit(2, thread: 7, at: 5))
        try link([one, other]) {
            #expect($0.trace(one) == $0.trace(other))
            #expect($0.verdict(one)?.flags.contains(.rootMissing) == true)
            #expect($0.trace(one) == EBPFTraceID.of(requestSequence: 1, responseSequence: 1))
        }
        // The parent of one is the parent of its siblings where it was open.
        let owner = entry(9, thread: 5, at: 0, lasting: 100, process: 3)
        let found = exit(1, thread: 7, at: 10, process: 3)
        let (sibling, tooLate) = (exit(2, thread: 7, at: 20), exit(3, thread: 7, at: 200))
        try link([owner, found, sibling, tooLate]) {
            #expect($0.parent(sibling) == owner.key && $0.evidence(sibling) == .process)
            #expect($0.parent(tooLate) == SpanID.none && $0.trace(tooLate) == $0.trace(owner))
        }
    }

    @Test func datakitCompatibilityIsKeysAlone() throws {
        let (caller, called) = (exit(7, thread: 1, flow: 1), entry(7, at: 0, flow: 2, initiator: 3))
        let owner = entry(1, thread: 1, at: -500, lasting: 1)
        let (weak, other) = (exit(8, 0), entry(8, 3))
        let guess = exit(9, thread: 4, process: 3)
        let open = entry(10, at: -1, process: 3)
        try link([caller, called, owner, weak, other, guess, open], { $0.datakitCompatible = true }) {
            #expect($0.evidence(called) == .net && $0.parent(caller) == owner.key)
            #expect($0.parent(other) == SpanID.none && $0.parent(guess) == SpanID.none)
            #expect($0.trace(other) == EBPFTraceID.of(requestSequence: 8, responseSequence: 3))
            #expect($0.trace(weak) == EBPFTraceID.of(requestSequence: 8, responseSequence: 0))
        }
    }

    @Test func aWeakRootTakesItsSpanIDIntoTheTraceID() throws {
        let (one, other) = (exit(0, 0, at: 1), exit(0, 0, at: 2))
        try link([one, other]) {
            #expect($0.trace(one) != $0.trace(other))
            #expect($0.trace(one) == EBPFTraceID.ofWeak(requestSequence: 0, responseSequence: 0, id: one.key))
        }
    }

    @Test func cyclesAndSelfLinksAreCut() throws {
        // Each calls the other: the exit of one hangs below its entry, which the other's exit called.
        let (entryA, exitA) = (entry(1, thread: 1, at: 0), exit(2, thread: 1, at: 1))
        let (entryB, exitB) = (entry(2, thread: 2, at: 2), exit(1, thread: 2, at: 3))
        let spans = [entryA, exitA, entryB, exitB]
        try link(spans) { bench in
            #expect(spans.count { bench.parent($0) == SpanID.none } == 1)
            #expect(bench.refused("R3", "cycle") == 1)
            #expect(Set(spans.map { bench.trace($0) }).count == 1)
        }
        let alone = entry(1, thread: 1, at: 0)
        try link([alone]) { #expect($0.parent(alone) == SpanID.none) }
    }

    @Test func limitsCutAndMark() throws {
        var spans: [TestSpan] = []
        for hop in 0..<6 as Range<UInt64> {
            spans.append(exit(hop + 1, thread: hop + 1, at: Double(hop)))
            spans.append(entry(hop + 1, thread: hop + 2, at: Double(hop) + 0.5))
        }
        var limits = Limits()
        limits.depth = 3
        try link(spans, limits: limits) { bench in
            let truncated = spans.count { bench.verdict($0)?.flags.contains(.truncated) == true }
            #expect(truncated == 2 && bench.refused("R3", "limit") == 2)
        }
        limits = Limits()
        limits.spansPerTrace = 4
        let star = [entry(100, thread: 9, at: 0)] + (1..<8).map { exit($0, thread: 9, at: Double($0)) }
        try link(star, limits: limits) { bench in
            #expect(star.count { bench.parent($0) == star[0].key } == 3)
        }
    }

    @Test func aGivenIDThatIsTakenGivesWayToTheComputedOne() throws {
        func given(_ span: TestSpan) -> TestSpan {
            var span = span
            span.facts.flags.insert(.givenID)
            span.facts.id = SpanID(77)
            return span
        }
        let (owner, child) = (given(entry(1, thread: 5, at: 0)), given(exit(2, thread: 5, at: 1)))
        let grandchild = entry(2, at: 2)
        try link([owner, child, grandchild]) {
            #expect($0.verdict(owner)?.spanID == SpanID.none && $0.verdict(child)?.spanID == child.key)
            #expect($0.parent(child) == SpanID(77) && $0.parent(grandchild) == child.key)
            #expect($0.merge.statistics.spanIDConflicts == 1)
        }
    }

    @Test func applicationTracesGoDownOnly() throws {
        func with(_ low: UInt64, _ span: TestSpan) -> TestSpan {
            var span = span
            span.facts.flags.formUnion(low == 2 ? [.hasApplication, .applicationHex] : .hasApplication)
            span.facts.application = ApplicationIDs(traceLow: low, parent: 9)
            span.facts.id = span.facts.computedID
            return span
        }
        let root = entry(1, thread: 5, at: 0)
        let middle = with(2, exit(2, thread: 5, at: 1))
        let below = entry(2, thread: 6, at: 2)
        let other = with(3, exit(3, thread: 6, at: 3))
        let onlyParent = with(0, exit(4, thread: 6, at: 4))
        try link([root, middle, below, other, onlyParent]) {
            #expect($0.verdict(root)?.traceID == $0.trace(root))
            #expect($0.verdict(middle)?.traceID == TraceID(high: 0, low: 2))
            #expect($0.verdict(below)?.traceID == TraceID(high: 0, low: 2))
            #expect($0.verdict(below)?.flags.contains(.applicationHex) == true)
            #expect($0.verdict(other)?.traceID == TraceID(high: 0, low: 3))
            #expect($0.verdict(other)?.flags.contains(.applicationHex) == false)
            #expect($0.verdict(onlyParent)?.traceID == TraceID(high: 0, low: 2))
            #expect($0.trace(other) == $0.trace(root))
        }
        try link([root, middle, below], { $0.useApplicationTraceID = false }) {
            #expect($0.verdict(below)?.traceID == $0.trace(root))
        }
    }

    @Test func oneRejectionRejectsAndOneKeepKeeps() throws {
        let root = entry(1, thread: 5, at: 0)
        let (keep, reject) = (exit(2, thread: 5, at: 1, .sampledKeep), exit(3, thread: 5, at: 2, .sampledReject))
        try link([root, keep], { $0.samplingRate = 0 }) { #expect($0.verdict(root) != nil) }
        try link([root, keep, reject]) { #expect($0.isDecided(root) && $0.verdict(root) == nil) }
        try link([root], { $0.samplingRate = 0 }) { #expect($0.isDecided(root) && $0.verdict(root) == nil) }
        try link([root, reject], { $0.trustApplicationSampled = false }) { #expect($0.verdict(root) != nil) }
    }

    @Test func aPointThatCannotBeLinkedIsItsOwnTrace() throws {
        var facts = SpanFacts()
        facts.flags = .passThrough
        facts.id = SpanID(1234)
        let alone = TestSpan(facts: facts, flow: nil)
        try link([alone, entry(0, 0)]) {
            #expect($0.parent(alone) == SpanID.none)
            #expect($0.trace(alone) == EBPFTraceID.ofWeak(requestSequence: 0, responseSequence: 0, id: SpanID(1234)))
        }
    }
}
