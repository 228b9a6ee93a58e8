/// MD5 of exactly 16 bytes: one block of RFC 1321, all that an eBPF trace id needs.
///
/// An id, not a protection: the collector of today makes its trace ids this way, and ours must be equal.
enum MessageDigest {
    private static let shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]

    /// floor(2^32 · |sin(i + 1)|), i = 0 ... 63 (RFC 1321, 3.4).
    private static let sines: [UInt32] = [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ]

    /// The digest's bytes 0-7 and 8-15 as little-endian numbers.
    static func md5(_ first: UInt64, _ second: UInt64) -> (low: UInt64, high: UInt64) {
        md5([first, second])
    }

    /// MD5 of up to six little-endian words (they must fit one block with its padding).
    static func md5(_ words: [UInt64]) -> (low: UInt64, high: UInt64) {
        precondition(words.count <= 6, "one MD5 block holds at most 55 bytes")
        return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { block in
            block.initialize(repeating: 0)
            for (place, word) in words.enumerated() {
                block[place * 2] = UInt32(truncatingIfNeeded: word)
                block[place * 2 + 1] = UInt32(truncatingIfNeeded: word >> 32)
            }
            block[words.count * 2] = 0x80
            block[14] = UInt32(words.count * 64)
            return digest(block)
        }
    }

    private static func digest(_ block: UnsafeMutableBufferPointer<UInt32>) -> (low: UInt64, high: UInt64) {
        let start: (UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476)
        var (a, b, c, d) = start
        for step in 0..<64 {
            let mix: UInt32
            let place: Int
            switch step >> 4 {
            case 0: (mix, place) = ((b & c) | (~b & d), step)
            case 1: (mix, place) = ((d & b) | (~d & c), (5 * step + 1) & 15)
            case 2: (mix, place) = (b ^ c ^ d, (3 * step + 5) & 15)
            default: (mix, place) = (c ^ (b | ~d), (7 * step) & 15)
            }
            let sum = a &+ mix &+ sines[step] &+ block[place]
            let shift = shifts[(step >> 4) * 4 + (step & 3)]
            (a, d, c, b) = (d, c, b, b &+ ((sum &<< shift) | (sum &>> (32 - shift))))
        }
        let (e, f, g, h) = (a &+ start.0, b &+ start.1, c &+ start.2, d &+ start.3)
        return (UInt64(e) | UInt64(f) << 32, UInt64(g) | UInt64(h) << 32)
    }
}

/// The id of an eBPF trace.
public enum EBPFTraceID {
    /// MD5 of little-endian `req_seq` then `resp_seq` of the root; `low` is digest bytes 0-7, `high` bytes 8-15, so
    /// that high then low, as hexadecimal numbers, print the digest reversed.
    public static func of(requestSequence: UInt64, responseSequence: UInt64) -> TraceID {
        let digest = MessageDigest.md5(requestSequence, responseSequence)
        return TraceID(high: digest.high, low: digest.low)
    }

    /// The id for a root whose net key is weak and says too little: its span id takes part.
    public static func ofWeak(requestSequence: UInt64, responseSequence: UInt64, id: SpanID) -> TraceID {
        let digest = MessageDigest.md5([requestSequence, responseSequence, id.bits])
        return TraceID(high: digest.high, low: digest.low)
    }
}
