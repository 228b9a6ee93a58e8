import Testing
@testable import Linking

/// The engine's own containers against the plainest model of each.
@Suite struct ContainerTests {
    @Test func numbersComeBackFromBytes() {
        var random = Seeded(5)
        var writer = ByteWriter()
        var numbers: [UInt64] = [0, 1, 127, 128, 16_383, 16_384, .max, .max - 1, 1 << 63]
        for _ in 0..<500 { numbers.append(random.next() >> UInt64(random.below(64))) }
        for number in numbers {
            writer.varint(number)
            writer.zigzag(Int64(bitPattern: number))
            writer.fixed(number)
            writer.fixed(UInt16(truncatingIfNeeded: number))
            writer.byte(UInt8(truncatingIfNeeded: number))
        }
        writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            for number in numbers {
                #expect(reader.varint() == number)
                #expect(reader.zigzag() == Int64(bitPattern: number))
                #expect(reader.fixed(UInt64.self) == number)
                #expect(reader.fixed(UInt16.self) == UInt16(truncatingIfNeeded: number))
                #expect(reader.byte() == UInt8(truncatingIfNeeded: number))
            }
            #expect(reader.remaining == 0)
            #expect(reader.byte() == nil && reader.varint() == nil && reader.fixed(UInt8.self) == nil)
        }
    }

    @Test(arguments: [
        [UInt8](repeating: 0x80, count: 9), [UInt8](repeating: 0xff, count: 12),
        [UInt8](repeating: 0xff, count: 9) + [2],
    ]) func tornOrTooLongNumbersAreNil(bytes: [UInt8]) {
        bytes.withUnsafeBytes {
            var reader = ByteReader($0)
            #expect(reader.varint() == nil)
        }
    }

    @Test func aCountBeyondTheRestIsNil() {
        var writer = ByteWriter()
        writer.varint(.max)
        writer.varint(3)
        writer.fixed(UInt64(0))
        writer.bytes.withUnsafeBytes {
            var reader = ByteReader($0)
            #expect(reader.count(ofSize: 1) == nil)
            reader = ByteReader(UnsafeRawBufferPointer(rebasing: $0[10...]))
            #expect(reader.count(ofSize: 4) == nil)
            reader = ByteReader(UnsafeRawBufferPointer(rebasing: $0[10...]))
            #expect(reader.count(ofSize: 2) == 3)
        }
    }

    @Test(arguments: 1...8) func keyTableIsAMultimap(seed: UInt64) {
        var random = Seeded(seed)
        var table = KeyTable(minimumCapacity: 4)
        var model: [UInt32: [UInt32]] = [:]
        for step in 0..<4000 as Range<UInt32> {
            // Few different hashes that share homes: long runs, wrapping around the end.
            let hash = UInt32(random.below(40)) &* (seed % 2 == 0 ? 0x0100_0000 : 0xffff_ffff)
            if random.chance(0.45), let index = model[hash]?.randomElement(using: &random) {
                let wasThere = table.remove(hash, index)
                #expect(wasThere)
                model[hash]?.removeAll { $0 == index }
            } else if random.chance(0.1), let index = model[hash]?.randomElement(using: &random) {
                let wasThere = table.replace(hash, index, with: step)
                #expect(wasThere)
                model[hash] = model[hash]?.map { $0 == index ? step : $0 }
            } else {
                table.insert(hash, step)
                model[hash, default: []].append(step)
            }
        }
        let tableCount = table.count
        #expect(tableCount == model.values.reduce(0) { $0 + $1.count })
        for (hash, indexes) in model {
            for index in indexes {
                let found = table.find(hash) { $0 == index }
                #expect(found == index)
            }
            var visited: [UInt32] = []
            let nothing = table.find(hash) { index in
                visited.append(index)
                return false
            }
            #expect(nothing == nil)
            #expect(visited.sorted() == indexes.sorted())
            let changed = table.remove(hash, .max - 1) || table.replace(hash, .max - 1, with: 0)
            #expect(!changed)
        }
    }

    @Test(arguments: 1...30) func forestEqualsWalkingUp(seed: UInt64) {
        var random = Seeded(seed)
        let count = 40
        let (depthLimit, sizeLimit) = (3 + random.below(10), 5 + random.below(40))
        var forest = TraceForest()
        forest.reset(count: count)
        var parents = [UInt32?](repeating: nil, count: count)
        func way(_ place: UInt32) -> [UInt32] {
            var way = [place]
            while let next = parents[Int(way[way.count - 1])] { way.append(next) }
            return way
        }
        for child in (0..<UInt32(count)).shuffled(using: &random) {
            let parent = UInt32(random.below(count))
            let above = way(parent)
            let tree = (0..<UInt32(count)).filter { way($0).last == above.last }
            let below = (0..<UInt32(count)).filter { way($0).contains(child) }
            let height = below.map { way($0).count - 1 }.max() ?? 0
            var expected: TraceForest.Refusal?
            if above.last == child {
                expected = .cycle
            } else if above.count + height > depthLimit || tree.count + below.count > sizeLimit {
                expected = .limit
            }
            let refusal = forest.hang(child, below: parent, depthLimit: depthLimit, sizeLimit: sizeLimit)
            #expect(refusal == expected)
            if expected == nil { parents[Int(child)] = parent }
        }
        var names = (0..<UInt32(count)).map { way($0).last }
        for _ in 0..<10 {
            let (one, other) = (UInt32(random.below(count)), UInt32(random.below(count)))
            let (name, old) = (names[Int(one)], names[Int(other)])
            let fits = name == old || names.count { $0 == name || $0 == old } <= sizeLimit
            let isJoined = forest.join(one, other, sizeLimit: sizeLimit)
            #expect(isJoined == fits)
            if fits { names = names.map { $0 == old ? name : $0 } }
        }
        for one in 0..<UInt32(count) {
            for other in 0..<UInt32(count) {
                let isOneTree = forest.root(one) == forest.root(other)
                #expect(isOneTree == (names[Int(one)] == names[Int(other)]))
            }
        }
    }

    @Test(arguments: 1...40) func openEntriesEqualLookingThroughAll(seed: UInt64) {
        var random = Seeded(seed)
        var index = ProcessIndex()
        let process = index.process(
            ProcessIndex.ProcessKey(scope: 1, processID: 2, threadID: 3, isUserThread: false), clock: 0)
        var live: [(node: UInt32, start: Int64, end: Int64)] = []
        for step in 0..<(seed % 2 == 0 ? 60 : 400) {
            if random.chance(0.3), let victim = live.indices.randomElement(using: &random), live.count > 1 {
                let generation = random.below(8)
                index.close(live.remove(at: victim).node, closedSpan: ClosedTraces.dropped, generation: generation)
                if live.count > 1, random.chance(0.5) {
                    index.close(live.removeLast().node, closedSpan: 5, generation: generation)
                }
                index.sweep(generation: generation)
            }
            let start = Int64(random.below(200)) * 1000
            let duration = UInt32(random.below(30))
            let node = index.addEntry(span: UInt32(step), process: process, kernelTime: start, duration: duration)
            live.append((node, start, SpanRecord.end(start: start, duration: duration)))
            for _ in 0..<3 {
                let time = Int64(random.below(230_000))
                let open = live.filter { $0.start <= time && time <= $0.end }
                    .sorted { ($0.start, $0.end) < ($1.start, $1.end) }
                let unique = index.openEntries(of: process, at: time, latest: false)
                let latest = index.openEntries(of: process, at: time, latest: true)
                guard let last = open.last else {
                    #expect(unique == .nobody && latest == .nobody)
                    continue
                }
                #expect(unique == (open.count == 1 ? .one(node: last.node) : .several))
                let second = open[max(0, open.count - 2)]
                let isTie = open.count > 1 && (second.start, second.end) == (last.start, last.end)
                #expect(latest == (isTie ? .several : .one(node: last.node)))
            }
        }
        for entry in live { index.close(entry.node, closedSpan: 7, generation: 3) }
        #expect(index.entries[Int(live[0].node)].span == 7 && index.entries[Int(live[0].node)].isClosed)
        index.sweep(generation: 4)
        #expect(index.nodeCount == live.count)
        index.sweep(generation: 3)
        let left = (index.processCount, index.nodeCount)
        #expect(left == (0, 0))
    }

    @Test(arguments: 1...60) func netMatcherEqualsTheGreedyModel(seed: UInt64) {
        var random = Seeded(seed)
        let count = 2 + random.below(40)
        var ends: [NetEnd] = (0..<count).map { _ in
            NetEnd(
                requestSequence: UInt64(1 + random.below(2)), responseSequence: UInt64(random.below(3)),
                start: Int64(random.below(12)), flow: UInt32(random.below(3)), initiator: UInt32(random.below(2)),
                local: 0, isIncoming: random.chance(0.5), hasFlow: random.chance(0.8))
        }
        ends.sort { $0.start < $1.start }
        for place in ends.indices { ends[place].local = UInt32(place) }
        for isCompatible in [false, true] {
            var matcher = NetMatcher()
            var shuffled = ends.shuffled(using: &random)
            shuffled.withUnsafeMutableBufferPointer { matcher.match($0, datakitCompatible: isCompatible) }
            let edges = matcher.edges.buffer.map { [$0.child, $0.parent, UInt32($0.evidence.rawValue)] }
            #expect(Set(edges) == Self.model(ends, isCompatible))
            #expect(Set(edges).count == edges.count)
        }
    }

    /// Rule after rule: in each group of equal key the two neighbours of different direction nearest in start.
    private static func model(_ ends: [NetEnd], _ isCompatible: Bool) -> Set<[UInt32]> {
        var left = ends
        var edges: Set<[UInt32]> = []
        func strong(_ end: NetEnd) -> [UInt64]? { end.isStrong ? [end.requestSequence, end.responseSequence] : nil }
        func pass(_ evidence: LinkEvidence, _ key: (NetEnd) -> [UInt64]?) {
            for (name, group) in Dictionary(grouping: left, by: key) where name != nil {
                var order = group.sorted { $0.local < $1.local }
                while let place = order.indices.dropLast()
                    .filter({ order[$0].isIncoming != order[$0 + 1].isIncoming })
                    .min(by: { order[$0 + 1].start - order[$0].start < order[$1 + 1].start - order[$1].start }) {
                    let (one, other) = (order[place], order[place + 1])
                    let (child, parent) = one.isIncoming ? (one, other) : (other, one)
                    edges.insert([child.local, parent.local, UInt32(evidence.rawValue)])
                    order.removeSubrange(place...(place + 1))
                    left.removeAll { $0.local == one.local || $0.local == other.local }
                }
            }
        }
        if isCompatible {
            pass(.net, strong)
            return edges
        }
        pass(.net) { end in end.hasFlow ? strong(end).map { $0 + [UInt64(end.flow)] } : nil }
        pass(.netKey) { end in end.hasFlow ? strong(end).map { $0 + [UInt64(end.initiator)] } : nil }
        pass(.netKey, strong)
        pass(.netWeak) { $0.hasFlow ? [$0.requestSequence, UInt64($0.flow)] : nil }
        pass(.netWeak) { $0.hasFlow ? [$0.requestSequence, UInt64($0.initiator)] : nil }
        return edges
    }

    @Test func samplingIsTheCollectorsFormula() {
        let id = TraceID(high: 5, low: 7)
        let hash = (UInt64(12) &* 1_111_111_111_111_111_111)
        let share = Double(hash) / 18_446_744_073_709_551_616
        #expect(Sampling(rate: share + 0.01).keeps(id))
        #expect(!Sampling(rate: share - 0.01).keeps(id))
        #expect(Sampling(rate: 1).keeps(id) && Sampling(rate: 7).keeps(id))
        #expect(!Sampling(rate: 0).keeps(id) && !Sampling(rate: -1).keeps(id) && !Sampling(rate: .nan).keeps(id))
        var random = Seeded(9)
        let tenth = Sampling(rate: 0.1)
        let kept = (0..<20_000).count { _ in tenth.keeps(TraceID(high: random.next(), low: random.next())) }
        #expect((1800...2200).contains(kept))
    }

    @Test func limitsAgreeWithEachOther() {
        #expect(Limits().problems().isEmpty)
        var limits = Limits()
        limits.depth = limits.spansPerTrace
        #expect(limits.problems().count == 1)
    }
}
