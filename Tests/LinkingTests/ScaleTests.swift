import Testing
@testable import Linking

/// Inputs that made the old collector take exponential time, or die: cost stays proportional to the count.
/// (Release figures at 1e6 and 1e7 are in docs/benchmarks.md.)
@Suite(.serialized) struct ScaleTests {
    #if DEBUG
    static let count = 6_000
    #else
    static let count = 200_000
    #endif

    enum Extreme: String, CaseIterable {
        case chain, star, entriesOfOneThread, exitsOfOneThread, equalNetKeys, equalNetKeysInBlocks
        case equalRequests, requestsWithoutOtherEnd, overlappingEntries, shortEntries, equalStarts

        func span(_ place: Int) -> SpanFacts {
            var facts = SpanFacts()
            let number = UInt64(place) + 1
            facts.requestSequence = number
            facts.responseSequence = 1
            facts.threadKey = number
            facts.start = Int64(place)
            facts.kernelTime = Int64(place) * 1000
            facts.duration = 10_000_000
            facts.processID = 2
            facts.threadID = 3
            facts.flags = [.hasFlow, .hasKernelTime, .hasProcess, .hasPID]
            func becomeEntry(_ isEntry: Bool) { if isEntry { facts.flags.formUnion([.incoming, .entry]) } }
            switch self {
            case .chain:
                facts.requestSequence = (number + 1) / 2
                facts.responseSequence = (number + 1) / 2
                facts.threadKey = number / 2 + 1
                becomeEntry(place % 2 == 1)
            case .star, .entriesOfOneThread, .exitsOfOneThread, .equalStarts:
                facts.threadKey = 9
                becomeEntry(self == .star && place == 0 || self == .entriesOfOneThread && place % 2 == 0)
                if self == .equalStarts { facts.start = 0 }
            case .equalNetKeys, .equalNetKeysInBlocks:
                facts.requestSequence = 4
                becomeEntry(self == .equalNetKeys ? place % 2 == 0 : place < ScaleTests.count / 2)
            case .equalRequests, .requestsWithoutOtherEnd:
                facts.requestSequence = 4
                facts.responseSequence = number
                becomeEntry(self == .equalRequests && place % 2 == 0)
            case .overlappingEntries, .shortEntries:
                if self == .shortEntries { facts.duration = 0 }
                becomeEntry(place % 2 == 0)
            }
            return facts
        }
    }

    @Test(.timeLimit(.minutes(2)), arguments: Extreme.allCases, [false, true])
    func costIsProportionalOnAnyInput(extreme: Extreme, closesByTime: Bool) throws {
        var options = LinkingOptions()
        options.closesByTime = closesByTime
        var merge = GraphMerge(options: options)
        var encoder = PartialGraphEncoder()
        var piece: UInt32 = 0
        for place in 0..<Self.count {
            let address = RowAddress(
                router: RouterOrdinal(0), position: LogPosition(UInt64(place / 4096)), row: UInt32(place % 4096))
            encoder.append(extreme.span(place), at: address)
            guard encoder.spanCount == Self.count / 10 else { continue }
            let bytes = encoder.finish(
                PartialGraphHeader(
                    firstPartition: 0, endPartition: 256, epoch: Epoch(1 + UInt64(piece) / 4), piece: piece,
                    isLastPiece: false))
            _ = try bytes.withUnsafeBytes { try merge.insert($0) }
            piece += 1
        }
        var verdict = VerdictBuilder()
        merge.advance(to: Epoch(8), into: &verdict)
        merge.flush(into: &verdict)
        let (decided, open, violations) = (verdict.count, merge.openSpans, merge.statistics.violations)
        #expect(decided == Self.count && open == 0 && violations.isEmpty)
    }
}
