import Testing
@testable import Linking

/// Published or independently computed vectors: hashes are part of the wire format.
@Suite struct HashTests {
    private func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { StableHash.of($0) } }

    @Test func stableHashIsXXH64WithSeedZero() {
        #expect(hash([]) == 0xef46_db37_51d8_e999)
        #expect(hash(Array("a".utf8)) == 0xd24e_c4f1_a98c_6e5b)
        #expect(hash(Array("abc".utf8)) == 0x44bc_2cf5_ad77_0999)
        #expect(hash(Array("Nobody inspects the spammish repetition".utf8)) == 0xfbce_a83c_8a37_8bf1)
        #expect(hash(Array(0..<64)) == 0xf7c6_7301_db67_13f0)
        #expect(hash(Array(0..<101)) == 0xe990_3849_5f85_381e)
    }

    @Test func wordFormsEqualTheByteForm() {
        var random = Seeded(1)
        for _ in 0..<100 {
            let words = [random.next(), random.next(), random.next()]
            func bytes(_ count: Int) -> [UInt8] {
                words.prefix(count).flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
            }
            #expect(StableHash.of(words[0]) == hash(bytes(1)))
            #expect(StableHash.of(words[0], words[1]) == hash(bytes(2)))
            #expect(StableHash.of(words[0], words[1], words[2]) == hash(bytes(3)))
        }
    }

    @Test func nineWordsHashAsTheirBytes() {
        var random = Seeded(3)
        for _ in 0..<50 {
            let words = (0..<9).map { _ in random.next().littleEndian }
            let whole = words.withUnsafeBytes { StableHash.of($0) }
            let parts = words.map { UInt64(littleEndian: $0) }
            #expect(StableHash.of(
                (parts[0], parts[1], parts[2], parts[3]), (parts[4], parts[5], parts[6], parts[7]), parts[8]) == whole)
        }
    }

    /// Computed with Python's hashlib over little-endian words.
    @Test func digestIsMD5() {
        let zero = EBPFTraceID.of(requestSequence: 0, responseSequence: 0)
        #expect(zero == TraceID(high: 0xa518_4823_2e75_d279, low: 0xbff9_4be4_3613_e74a))
        let small = EBPFTraceID.of(requestSequence: 1, responseSequence: 2)
        #expect(small == TraceID(high: 0x0a0a_7b19_ec92_7f19, low: 0xf306_8451_3a73_57ca))
        let large = EBPFTraceID.of(requestSequence: .max, responseSequence: 1 << 63)
        #expect(large == TraceID(high: 0xf4cd_6528_f0e4_86a8, low: 0x236b_1c09_8bde_b039))
        let weak = EBPFTraceID.ofWeak(requestSequence: 1, responseSequence: 2, id: SpanID(3))
        #expect(weak == TraceID(high: 0x8725_8cf9_90e1_fbaa, low: 0x4fe4_adf5_151a_34aa))
        let longest = MessageDigest.md5(1 << 63, 7, .max)
        #expect(longest.low == 0xff32_f367_540f_61e2 && longest.high == 0x47c3_7706_68ea_b7ec)
    }

    @Test func computedIDsIgnoreWhatDoesNotTravel() {
        var facts = SpanFacts()
        facts.requestSequence = 7
        let bare = facts.computedID
        facts.scope = 9
        facts.threadID = 3
        facts.flow = 1
        facts.kernelTime = 5
        facts.duration = 5
        facts.flags.insert(.error)
        facts.id = SpanID(1)
        #expect(facts.computedID == bare)
        facts.flags.insert(.hasPID)
        #expect(facts.computedID != bare)
        #expect(bare != .none)
    }

    @Test func partitionsAreInRangeAndEven() {
        var random = Seeded(3)
        for count in [1, 2, 7, 256, 65_535] as [UInt16] {
            var hits = [Int](repeating: 0, count: Int(count))
            for _ in 0..<2000 {
                let flow = FlowKey(
                    source: FlowEnd(ipv4: UInt32(truncatingIfNeeded: random.next()), port: 1),
                    destination: FlowEnd(ipv4: 2, port: 80), incoming: false)
                for key in PartitionKey.allCases {
                    let partition = key.partition(
                        flow: flow, requestSequence: random.next(), partitionCount: count)
                    hits[Int(partition.number)] += 1
                }
            }
            if count <= 7 { #expect(hits.allSatisfy { $0 > 6000 / Int(count) * 8 / 10 }) }
        }
    }

    @Test func bothEndsOfAConnectionHaveOneFlowAndOneInitiator() {
        let (client, server) = (FlowEnd(ipv4: 1, port: 4000), FlowEnd(ipv4: 2, port: 80))
        let outgoing = FlowKey(source: client, destination: server, incoming: false)
        let incoming = FlowKey(source: server, destination: client, incoming: true)
        #expect(outgoing == incoming)
        #expect(FlowEnd(ipv4: 0x0102_0304, port: 5)
            == FlowEnd(addressHigh: 0, addressLow: 0xffff_0102_0304, port: 5))
    }
}
