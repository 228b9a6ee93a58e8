import Testing
@testable import Linking

/// Partial graphs and verdict blocks: what goes in comes out, and hostile bytes are errors.
@Suite struct CodecTests {
    private static func randomFacts(_ random: inout Seeded) -> SpanFacts {
        func number() -> UInt64 { random.next() >> UInt64(random.below(64)) }
        var facts = SpanFacts()
        facts.flags = SpanFlags(rawValue: UInt16(truncatingIfNeeded: random.next() & 0x7fff))
        if random.chance(0.9) { facts.flags.remove(.passThrough) }
        if random.chance(0.8) { facts.flags.remove(.givenID) }
        let isWide = random.chance(0.1)
        facts.requestSequence = random.chance(0.1) ? 0 : isWide ? random.next() : random.next() >> 32
        facts.responseSequence = random.chance(0.1) ? 0 : random.next() >> 32
        facts.threadKey = random.chance(0.2) ? 0 : UInt64(1 + random.below(30))
        facts.scope = UInt64(random.below(3))
        facts.processID = random.chance(0.1) ? random.next() : UInt64(random.below(4))
        facts.threadID = UInt64(random.below(5))
        facts.kernelTime = random.chance(0.1) ? Int64(bitPattern: random.next()) : Int64(bitPattern: number())
        facts.start = random.chance(0.1) ? Int64(bitPattern: random.next()) : Int64(bitPattern: number())
        facts.duration = random.chance(0.2) ? Int64(bitPattern: random.next()) : Int64(random.below(100_000)) - 100
        facts.flow = UInt32(random.below(3))
        facts.initiator = UInt32(random.below(2))
        facts.id = SpanID(random.next() | 1)
        facts.application = ApplicationIDs(traceLow: random.next(), traceHigh: number(), parent: number())
        return facts
    }

    private static let header = PartialGraphHeader(
        firstPartition: 3, endPartition: 9, epoch: Epoch(77), piece: 2, isLastPiece: true,
        manifest: [ManifestSlice(router: RouterOrdinal(1), from: LogPosition(5), to: LogPosition(1 << 60))])

    /// Random spans in several commits, some rows left out, and their graph.
    private static func sample(_ seed: UInt64, count: Int) -> (spans: [(SpanFacts, RowAddress)], bytes: [UInt8]) {
        var random = Seeded(seed)
        var encoder = PartialGraphEncoder()
        var spans: [(SpanFacts, RowAddress)] = []
        var address = RowAddress(router: RouterOrdinal(0), position: LogPosition(1 << 50), row: 3)
        for _ in 0..<count {
            if random.chance(0.1) {
                address = RowAddress(
                    router: RouterOrdinal(UInt16(random.below(3))), position: LogPosition(random.next()),
                    row: UInt32(random.below(10)))
            }
            var facts = randomFacts(&random)
            // The other end of an earlier request: same net facts, other direction.
            if random.chance(0.4), let (other, _) = spans.randomElement(using: &random) {
                facts.requestSequence = other.requestSequence
                facts.responseSequence = other.responseSequence
                facts.flow = other.flow
                facts.initiator = other.initiator
                facts.flags.formUnion(other.flags.intersection(.hasFlow))
            }
            spans.append((facts, address))
            encoder.append(facts, at: address)
            address.row += random.chance(0.2) ? UInt32(2 + random.below(40_000)) : 1
        }
        return (spans, encoder.finish(header))
    }

    @Test func anEncoderUsedAgainWritesWhatAFreshOneDoes() {
        var used = PartialGraphEncoder()
        for seed in 1...20 as ClosedRange<UInt64> {
            let (spans, bytes) = Self.sample(seed, count: 30 + Int(seed) * 40)
            for (facts, address) in spans { used.append(facts, at: address) }
            #expect(used.finish(Self.header) == bytes, "seed \(seed)")
            let isEmpty = used.isEmpty
            #expect(isEmpty)
        }
    }

    @Test(arguments: 1...40) func graphsComeBackAsTheyWere(seed: UInt64) throws {
        let (spans, bytes) = Self.sample(seed, count: Int(seed) * 7)
        try bytes.withUnsafeBytes { raw in
            var decoder = try PartialGraphDecoder(raw)
            #expect(decoder.header == Self.header)
            #expect(decoder.spanCount == spans.count)
            for (facts, address) in spans {
                let span = try #require(try decoder.next())
                let commit = decoder.commits[Int(span.commit)]
                #expect(span.facts.travelling == facts.travelling)
                #expect(RowAddress(router: commit.router, position: commit.position, row: span.row) == address)
            }
            #expect(try decoder.next() == nil)
        }
        #expect(bytes.count < spans.count * 90 + 200)
    }

    @Test func anEmptyGraphIsAGraph() throws {
        var encoder = PartialGraphEncoder()
        let isEmpty = encoder.isEmpty
        #expect(isEmpty)
        let bytes = encoder.finish(Self.header)
        try bytes.withUnsafeBytes {
            var decoder = try PartialGraphDecoder($0)
            #expect(try decoder.next() == nil)
        }
    }

    private static func decodeAll(_ bytes: [UInt8]) -> Result<Int, CodecError> {
        bytes.withUnsafeBytes { raw in
            Result { () throws(CodecError) -> Int in
                var decoder = try PartialGraphDecoder(raw)
                var count = 0
                while try decoder.next() != nil { count += 1 }
                return count
            }
        }
    }

    @Test func everyTruncationIsAnError() {
        let bytes = Self.sample(4, count: 60).bytes
        for length in 0..<bytes.count {
            #expect(throws: CodecError.self) { try Self.decodeAll(Array(bytes.prefix(length))).get() }
        }
        #expect(throws: CodecError.self) { try Self.decodeAll(bytes + [0]).get() }
    }

    @Test(arguments: 1...200) func flippedBytesNeverTrap(seed: UInt64) {
        var random = Seeded(seed)
        var bytes = Self.sample(seed % 10, count: 50).bytes
        for _ in 0..<(1 + random.below(8)) {
            let place = random.chance(0.5) ? random.below(bytes.count) : random.below(min(120, bytes.count))
            bytes[place] = random.chance(0.3) ? 0xff : UInt8(truncatingIfNeeded: random.next())
        }
        var merge = GraphMerge()
        var verdict = VerdictBuilder()
        let inserted = bytes.withUnsafeBytes { raw in Result { () throws(CodecError) in try merge.insert(raw) } }
        merge.flush(into: &verdict)
        if case .success(.inserted(let count)) = inserted { #expect(verdict.count == count) }
        let openSpans = merge.openSpans
        #expect(openSpans == 0)
        for block in verdict.finish(watermark: Epoch(0), spansPerBlock: 10) {
            #expect(throws: Never.self) { try Self.readVerdicts(block).get() }
        }
    }

    @Test func aTornGraphLeavesNothingBehind() throws {
        var bytes = Self.sample(6, count: 80).bytes
        var merge = GraphMerge()
        let whole = bytes
        bytes.removeLast()
        #expect(throws: CodecError.self) { try bytes.withUnsafeBytes { _ = try merge.insert($0) } }
        let openSpans = merge.openSpans
        #expect(openSpans == 0)
        let outcome = try whole.withUnsafeBytes { try merge.insert($0) }
        #expect(outcome == .inserted(spans: 80))
    }

    @Test func claimedCountsDoNotAllocate() {
        for claim in [[0xff, 0xff, 0xff, 0xff, 0x0f], [UInt8](repeating: 0xff, count: 9) + [1]] as [[UInt8]] {
            for length in 11..<40 {
                let bytes = Array(Self.sample(4, count: 60).bytes.prefix(length)) + claim + [0, 0, 0, 0]
                _ = Self.decodeAll(bytes)
            }
        }
    }

    // MARK: Verdict blocks

    private static func readVerdicts(_ block: [UInt8]) -> Result<[RowAddress: SpanVerdict?], CodecError> {
        block.withUnsafeBytes { raw in
            Result { () throws(CodecError) in
                var decoder = try VerdictDecoder(raw)
                var rows: [VerdictDecoder.Row] = []
                var read: [RowAddress: SpanVerdict?] = [:]
                while let commit = try decoder.next(into: &rows) {
                    for row in rows {
                        let address = RowAddress(router: commit.router, position: commit.position, row: row.row)
                        read.updateValue(row.verdict, forKey: address)
                    }
                }
                return read
            }
        }
    }

    private static func verdicts(_ seed: UInt64) -> (expected: [RowAddress: SpanVerdict?], builder: VerdictBuilder) {
        var random = Seeded(seed)
        var builder = VerdictBuilder()
        var expected: [RowAddress: SpanVerdict?] = [:]
        for _ in 0..<40 {
            let router = RouterOrdinal(UInt16(random.below(2)))
            let position = LogPosition(random.next() >> 20)
            let slot = builder.add(router: router, position: position)
            for row in Array(0..<UInt32(random.below(30))).shuffled(using: &random) where random.chance(0.8) {
                let address = RowAddress(router: router, position: position, row: row * 1000)
                if random.chance(0.5) {
                    builder.drop(commit: slot, row: address.row)
                    expected.updateValue(nil, forKey: address)
                    continue
                }
                let trace = TraceID(high: UInt64(random.below(5)), low: 1)
                var kept = VerdictBuilder.Kept(
                    flags: .keep, evidence: .thread, parent: SpanID(random.next() & 1), ebpfTrace: trace, trace: trace,
                    explicitID: random.chance(0.1) ? SpanID(random.next()) : .none)
                if random.chance(0.3) {
                    kept.flags.formUnion([.applicationTrace, .late])
                    kept.trace = TraceID(high: random.next(), low: 9)
                }
                builder.keep(kept, commit: slot, row: address.row)
                expected[address] = SpanVerdict(
                    flags: kept.flags, evidence: .thread, spanID: kept.explicitID, parentID: kept.parent,
                    ebpfTraceID: trace, traceID: kept.trace)
            }
        }
        return (expected, builder)
    }

    @Test(arguments: 1...10) func verdictsComeBackInTheOrderOfTheLog(seed: UInt64) throws {
        var (expected, builder) = Self.verdicts(seed)
        #expect(builder.count == expected.count)
        var read: [RowAddress: SpanVerdict?] = [:]
        for block in builder.finish(watermark: Epoch(5), spansPerBlock: 37) {
            let part = try Self.readVerdicts(block).get()
            #expect(part.count <= 37)
            if let last = read.keys.max(), let first = part.keys.min() { #expect(last < first) }
            for (address, verdict) in part { #expect(read.updateValue(verdict, forKey: address) == nil) }
        }
        #expect(read == expected)
        #expect(builder.isEmpty)
    }

    @Test func tornAndFlippedVerdictBlocksAreErrorsOrBlocks() {
        var (_, builder) = Self.verdicts(3)
        let block = builder.finish(watermark: Epoch(5), spansPerBlock: 10_000)[0]
        for length in 0..<block.count {
            #expect(throws: CodecError.self) { try Self.readVerdicts(Array(block.prefix(length))).get() }
        }
        var random = Seeded(8)
        for _ in 0..<2000 {
            var bytes = block
            bytes[random.chance(0.5) ? random.below(bytes.count) : random.below(100)] = UInt8(random.below(256))
            _ = Self.readVerdicts(bytes)
        }
    }
}
