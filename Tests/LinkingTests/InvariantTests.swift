import Testing
@testable import Linking

/// Invariants 3 and 4 of DESIGN 9 on generated spans.
@Suite struct InvariantTests {
    static let clusters: [Cluster] = [1, 2, 3, 5, 8, 16].flatMap { workers in
        PartitionKey.allCases.flatMap { key in
            [1, 7, 256].map { count in Cluster(workers: workers, partitionKey: key, partitionCount: UInt16(count)) }
        }
    }

    static func mixture(_ seed: UInt64) -> [TestSpan] {
        var generator = SpanGenerator(seed: seed)
        generator.hasAgentBug = seed % 3 == 0
        generator.addTrees(Int(seed % 4), gap: seed % 2 == 0 ? 50_000 : 5_000_000)
        generator.addGarbage(Int(seed % 5) * 12, values: 2 + Int(seed % 7))
        return generator.spans
    }

    static func options(_ seed: UInt64) -> LinkingOptions {
        var options = LinkingOptions()
        options.samplingRate = seed % 2 == 0 ? 1 : 0.5
        options.inferredLinks = [.unique, .latest, .off][Int(seed / 3 % 3)]
        options.datakitCompatible = seed % 11 == 0
        return options
    }

    @Test(arguments: 1...60) func flushedTracesDoNotDependOnWorkersOrderEpochsOrRepeats(seed: Int) throws {
        let seed = UInt64(seed)
        var spans = Self.mixture(seed)
        var options = Self.options(seed)
        options.closesByTime = false
        let expected = try Cluster(options: options).link(spans)
        #expect(expected.outcome.count == spans.count)
        #expect(expected.statistics.violations.isEmpty)
        var random = Seeded(seed)
        for var cluster in Self.clusters.shuffled(using: &random).prefix(6) {
            cluster.options = options
            cluster.seed = random.next()
            cluster.spansPerFlush = random.chance(0.5) ? 1 + random.below(40) : .max
            for place in spans.indices { spans[place].epoch = UInt64(1 + random.below(9)) }
            let result = try cluster.link(spans)
            let isEqual = result.outcome == expected.outcome
            #expect(isEqual, "seed \(seed), \(cluster)\n\(differences(result.outcome, expected.outcome, spans))")
            #expect(result.openSpans == 0)
            #expect(result.statistics.violations.isEmpty, "seed \(seed)")
        }
    }

    @Test(arguments: 1...60) func timedTracesDoNotDependOnWorkersOrderOrRepeats(seed: Int) throws {
        let seed = UInt64(seed)
        var generator = SpanGenerator(seed: seed)
        generator.spans = Self.mixture(seed)
        generator.spreadOverEpochs(2 + Int(seed % 50))
        let spans = generator.spans
        var random = Seeded(seed)
        var options = Self.options(seed)
        options.lateWindowEpochs = UInt64(random.below(30))
        options.openWaitEpochs = 4 + UInt64(random.below(10))
        let expected = try Cluster(options: options).link(spans)
        #expect(expected.outcome.count == spans.count)
        for var cluster in Self.clusters.shuffled(using: &random).prefix(6) {
            cluster.options = options
            cluster.seed = random.next()
            let result = try cluster.link(spans)
            let isEqual = result.outcome == expected.outcome
            #expect(isEqual, "seed \(seed), \(cluster)\n\(differences(result.outcome, expected.outcome, spans))")
            #expect(result.openSpans == 0)
            #expect(result.statistics.violations.isEmpty, "seed \(seed)")
        }
    }

    /// The short way to close a group is a shortcut, never another answer: not for trees of calls, garbage, late spans
    /// or limits, and with every counter the same.
    @Test(arguments: 1...120) func theShortWayOfClosingGivesTheSame(seed: Int) throws {
        let seed = UInt64(seed)
        var generator = SpanGenerator(seed: seed)
        generator.spans = Self.mixture(seed)
        generator.addTrees(1 + Int(seed % 6), gap: 2_000_000)
        generator.spreadOverEpochs(1 + Int(seed % 40))
        var options = Self.options(seed)
        options.datakitCompatible = false
        options.closesByTime = seed % 4 != 0
        options.lateWindowEpochs = seed % 30
        var cluster = Cluster(workers: 1 + Int(seed % 3), options: options, seed: seed)
        if seed % 7 == 0 { (cluster.limits.depth, cluster.limits.spansPerTrace) = (3, 6) }
        let short = try cluster.link(generator.spans)
        cluster.closesSimply = false
        let general = try cluster.link(generator.spans)
        let isEqual = short.outcome == general.outcome
        #expect(isEqual, "seed \(seed)\n\(differences(short.outcome, general.outcome, generator.spans))")
        #expect(short.statistics == general.statistics)
        #expect(general.simpleGroups == 0)
    }

    @Test func traceAfterTraceIsClosedTheShortWay() throws {
        var generator = SpanGenerator(seed: 5)
        generator.applicationShare = 0
        generator.addTrees(200, gap: 50_000_000)
        generator.spreadOverEpochs(3)
        let result = try Cluster(workers: 2, seed: 5, idleUntil: 40).link(generator.spans)
        #expect(result.simpleGroups >= 100)
    }

    @Test(arguments: 1...200) func rulesGiveWhatTheirTextSays(seed: Int) throws {
        let seed = UInt64(seed)
        let spans = Self.mixture(seed)
        var options = Self.options(seed)
        options.samplingRate = 1
        options.trustApplicationSampled = false
        options.closesByTime = seed % 2 == 0
        var cluster = Cluster(options: options)
        var naive = NaiveLinker(options: options)
        if seed % 5 == 0 {
            cluster.limits.depth = 3
            cluster.limits.spansPerTrace = 6
            naive.limits = cluster.limits
        }
        let result = try cluster.link(spans)
        let expected = naive.link(spans)
        let isEqual = result.outcome == expected
        #expect(isEqual, "seed \(seed)\n\(differences(result.outcome, expected, spans))")
    }

    @Test(arguments: 1...40) func everySpanHasAtMostOneParentInItsTraceAndNoCycle(seed: Int) throws {
        let seed = UInt64(seed) + 1000
        var generator = SpanGenerator(seed: seed)
        generator.spans = Self.mixture(seed)
        generator.spreadOverEpochs(1 + Int(seed % 30))
        var cluster = Cluster(options: Self.options(seed), seed: seed)
        cluster.limits.depth = 4
        cluster.limits.spansPerTrace = 12
        let result = try cluster.link(generator.spans)
        try checkStructure(generator.spans, result.outcome, cluster.limits)
    }

    private func checkStructure(_ spans: [TestSpan], _ outcome: Outcome, _ limits: Limits) throws {
        struct Place: Hashable {
            var trace: TraceID
            var id: SpanID
        }
        var parents: [Place: SpanID] = [:]
        var sizes: [TraceID: Int] = [:]
        for span in spans {
            guard let verdict = try #require(outcome[span.key]) else { continue }
            let id = verdict.spanID == .none ? span.facts.travelling.id : verdict.spanID
            #expect(id != .none)
            #expect(verdict.parentID != id)
            // A sender may give one id to spans of two traces that have one trace id: nothing can be told there.
            if span.facts.flags.contains(.givenID) { continue }
            #expect(parents.updateValue(verdict.parentID, forKey: Place(trace: verdict.ebpfTraceID, id: id)) == nil)
            sizes[verdict.ebpfTraceID, default: 0] += 1
        }
        for (place, first) in parents {
            var steps = 0
            var parent = first
            while parent != .none, steps <= spans.count {
                guard let next = parents[Place(trace: place.trace, id: parent)] else { break }
                parent = next
                steps += 1
            }
            #expect(steps <= spans.count, "a cycle")
        }
    }

    @Test(arguments: [false, true]) func cleanTreesAreLinkedAsTheyWere(hasAgentBug: Bool) throws {
        var generator = SpanGenerator(seed: 42)
        generator.hasAgentBug = hasAgentBug
        generator.addTrees(60)
        var options = LinkingOptions()
        options.samplingRate = 1
        options.trustApplicationSampled = false
        let outcome = try Cluster(workers: 3, options: options, seed: 1, idleUntil: 40).link(generator.spans).outcome
        for span in generator.spans {
            let verdict = try #require(outcome[span.key] ?? nil)
            #expect(verdict.parentID == span.trueParent ?? .none)
        }
    }
}
