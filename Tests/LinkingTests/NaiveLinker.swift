@testable import Linking

/// Rules R1 to R5 written down as DESIGN 5 tells them, over all spans at once, without any care for cost: the oracle.
struct NaiveLinker {
    var options: LinkingOptions
    var limits = Limits()
    private var spans: [SpanFacts] = []
    private var parents: [Int?] = []
    private var evidence: [LinkEvidence] = []
    private var flags: [VerdictFlags] = []
    private var lacksEntry: [Bool] = []

    init(options: LinkingOptions) { self.options = options }

    mutating func link(_ input: [TestSpan]) -> Outcome {
        spans = input.map(\.facts.travelling).sorted { ($0.start, key($0)) < ($1.start, key($1)) }
        parents = Array(repeating: nil, count: spans.count)
        evidence = Array(repeating: .none, count: spans.count)
        flags = Array(repeating: [], count: spans.count)
        lacksEntry = Array(repeating: false, count: spans.count)
        linkRequests()
        linkThreads()
        if !options.datakitCompatible { inferParents() }
        return outcome()
    }

    private func key(_ facts: SpanFacts) -> SpanID {
        facts.flags.contains(.passThrough) ? facts.id : facts.computedID
    }

    // MARK: R1, R2

    private mutating func linkRequests() {
        var left = Set(spans.indices.filter { spans[$0].requestSequence != 0 })
        func strong(_ facts: SpanFacts) -> [UInt64]? {
            facts.hasStrongNetKey ? [facts.requestSequence, facts.responseSequence] : nil
        }
        func flow(_ facts: SpanFacts) -> UInt64? { facts.flags.contains(.hasFlow) ? UInt64(facts.flow) : nil }
        func initiator(_ facts: SpanFacts) -> UInt64? { facts.flags.contains(.hasFlow) ? UInt64(facts.initiator) : nil }
        if options.datakitCompatible {
            pair(&left, .net) { strong($0) }
            return
        }
        pair(&left, .net) { facts in flow(facts).flatMap { end in strong(facts).map { $0 + [end] } } }
        pair(&left, .netKey) { facts in initiator(facts).flatMap { end in strong(facts).map { $0 + [end] } } }
        pair(&left, .netKey) { strong($0) }
        pair(&left, .netWeak) { facts in flow(facts).map { [facts.requestSequence, $0] } }
        pair(&left, .netWeak) { facts in initiator(facts).map { [facts.requestSequence, $0] } }
    }

    /// Takes, in each group of equal key, the two neighbours of different direction that are nearest in start.
    private mutating func pair(_ left: inout Set<Int>, _ kind: LinkEvidence, key: (SpanFacts) -> [UInt64]?) {
        for (_, group) in Dictionary(grouping: left.filter { key(spans[$0]) != nil }, by: { key(spans[$0]) }) {
            var order = group.sorted()
            while true {
                var best: (difference: Int64, place: Int)?
                for place in order.indices.dropLast()
                where spans[order[place]].isIncoming != spans[order[place + 1]].isIncoming {
                    let difference = spans[order[place + 1]].start - spans[order[place]].start
                    if best == nil || difference < best!.difference { best = (difference, place) }
                }
                guard let best else { break }
                let (one, other) = (order[best.place], order[best.place + 1])
                let (child, parent) = spans[one].isIncoming ? (one, other) : (other, one)
                parents[child] = parent
                evidence[child] = kind
                left.remove(one)
                left.remove(other)
                order.removeSubrange(best.place...(best.place + 1))
            }
        }
    }

    // MARK: R3

    private func isTimed(_ place: Int) -> Bool { spans[place].flags.contains(.hasKernelTime) }

    /// What has no kernel time comes first.
    private func time(_ place: Int) -> Int64 { isTimed(place) ? spans[place].kernelTime : .min }

    private func end(_ place: Int, withoutResponse: Int64 = 1_000_000_000) -> Int64 {
        spans[place].duration < 0
            ? spans[place].kernelTime + withoutResponse : spans[place].kernelTime + spans[place].duration * 1000 + 999
    }

    private mutating func linkThreads() {
        for exit in spans.indices where !spans[exit].isEntry && !spans[exit].flags.contains(.passThrough) {
            let entries = spans.indices.filter {
                spans[$0].isEntry && spans[$0].threadKey == spans[exit].threadKey && spans[exit].threadKey != 0
            }.sorted { (time($0), $0) < (time($1), $1) }
            lacksEntry[exit] = entries.isEmpty
            if entries.isEmpty || (spans[exit].isIncoming && parents[exit] != nil) { continue }
            var chosen = entries[0]
            if isTimed(exit), entries.contains(where: isTimed) {
                chosen = entries.last { time($0) <= time(exit) } ?? chosen
            }
            let isClosed = !options.datakitCompatible && isTimed(exit) && isTimed(chosen)
                && spans[chosen].duration >= 0 && spans[exit].kernelTime > end(chosen)
            if isClosed { continue }
            parents[exit] = chosen
            evidence[exit] = .thread
        }
    }

    // MARK: R4, R5

    private func process(_ place: Int) -> [UInt64]? {
        let facts = spans[place]
        guard facts.flags.contains([.hasProcess, .hasPID, .hasKernelTime]) else { return nil }
        return [facts.scope, facts.processID, facts.threadID, facts.flags.contains(.userThread) ? 1 : 0]
    }

    private func isExit(_ place: Int) -> Bool {
        spans[place].flags.isDisjoint(with: [.incoming, .entry, .passThrough])
    }

    private mutating func inferParents() {
        for exit in spans.indices where isExit(exit) && lacksEntry[exit] && options.inferredLinks != .off {
            guard let process = process(exit) else { continue }
            let time = spans[exit].kernelTime
            let open = spans.indices.filter {
                spans[$0].isEntry && self.process($0) == process && spans[$0].kernelTime <= time && time <= end($0)
            }.sorted { (spans[$0].kernelTime, end($0)) < (spans[$1].kernelTime, end($1)) }
            guard let last = open.last else { continue }
            if open.count > 1 {
                let second = open[open.count - 2]
                let isTie = spans[second].kernelTime == spans[last].kernelTime && end(second) == end(last)
                if options.inferredLinks == .unique || isTie { continue }
            }
            parents[exit] = last
            evidence[exit] = .process
        }
        for siblings in siblings() {
            let found = siblings.filter { evidence[$0] == .process }.compactMap { parents[$0] }
                .sorted { (spans[$0].kernelTime, $0) < (spans[$1].kernelTime, $1) }
            for exit in siblings where parents[exit] == nil {
                if isTimed(exit), let parent = found.last(where: { spans[$0].kernelTime <= spans[exit].kernelTime }),
                    spans[exit].kernelTime <= end(parent) {
                    parents[exit] = parent
                    evidence[exit] = .process
                } else {
                    flags[exit].insert(.rootMissing)
                }
            }
        }
    }

    /// Exits with one thread key and no entry, key by key.
    private func siblings() -> [[Int]] {
        let exits = spans.indices.filter { isExit($0) && lacksEntry[$0] && spans[$0].threadKey != 0 }
        return Dictionary(grouping: exits) { spans[$0].threadKey }.sorted { $0.key < $1.key }.map { group in
            group.value.sorted { (time($0), $0) < (time($1), $1) }
        }
    }

    // MARK: Trees

    private mutating func outcome() -> Outcome {
        var made: [Int?] = Array(repeating: nil, count: spans.count)
        func way(_ place: Int) -> [Int] {
            var way = [place]
            while let next = made[way[way.count - 1]] { way.append(next) }
            return way
        }
        for rule in LinkEvidence.allCases where rule != .none {
            for child in spans.indices where evidence[child] == rule {
                guard let parent = parents[child] else { continue }
                let above = way(parent)
                let top = above[above.count - 1]
                let tree = spans.indices.filter { way($0).contains(top) }
                let below = spans.indices.filter { way($0).contains(child) }
                let height = below.map { way($0).count - way(child).count }.max() ?? 0
                let isCycle = top == child
                let isTooLarge = above.count + height > limits.depth || tree.count + below.count > limits.spansPerTrace
                if isCycle || isTooLarge {
                    evidence[child] = .none
                    if !isCycle { flags[child].insert(.truncated) }
                } else {
                    made[child] = parent
                }
            }
        }
        var trace = spans.indices.map { way($0).last! }
        if !options.datakitCompatible {
            for siblings in siblings() {
                for exit in siblings.dropFirst() where trace[exit] != trace[siblings[0]] {
                    let (one, other) = (trace[siblings[0]], trace[exit])
                    let size = trace.count { $0 == one || $0 == other }
                    guard size <= limits.spansPerTrace else { continue }
                    trace = trace.map { $0 == other ? one : $0 }
                }
            }
        }
        return verdicts(made, trace)
    }

    private func verdicts(_ made: [Int?], _ trace: [Int]) -> Outcome {
        var outcome: Outcome = [:]
        let ids = exportedIDs(trace)
        for place in spans.indices {
            let root = spans.indices.first { trace[$0] == trace[place] && made[$0] == nil }!
            var way = place
            while spans[way].application.hasTrace == false, let next = made[way] { way = next }
            let facts = spans[root]
            let ebpf = facts.hasStrongNetKey || options.datakitCompatible
                ? EBPFTraceID.of(requestSequence: facts.requestSequence, responseSequence: facts.responseSequence)
                : EBPFTraceID.ofWeak(
                    requestSequence: facts.requestSequence, responseSequence: facts.responseSequence, id: key(facts))
            var verdict = SpanVerdict(
                flags: flags[place].union(.keep), evidence: evidence[place], spanID: .none,
                parentID: made[place].map { ids[$0] } ?? .none, ebpfTraceID: ebpf, traceID: ebpf)
            if ids[place] != spans[place].id { verdict.spanID = ids[place] }
            let application = spans[way].application
            if options.useApplicationTraceID, application.hasTrace {
                verdict.traceID = TraceID(high: application.traceHigh, low: application.traceLow)
                verdict.flags.insert(.applicationTrace)
                if spans[way].flags.contains(.applicationHex) { verdict.flags.insert(.applicationHex) }
            }
            outcome[key(spans[place])] = verdict
        }
        return outcome
    }

    /// A given id that another span of the trace has too gives way to the computed one.
    private func exportedIDs(_ trace: [Int]) -> [SpanID] {
        var ids = spans.map(\.id)
        for place in spans.indices where spans[place].flags.contains(.givenID) {
            let others = spans.indices.filter { trace[$0] == trace[place] && $0 != place }
            let isTaken = others.contains {
                spans[$0].id == spans[place].id && (!spans[$0].flags.contains(.givenID) || $0 < place)
            }
            if isTaken { ids[place] = spans[place].computedID }
        }
        return ids
    }
}
