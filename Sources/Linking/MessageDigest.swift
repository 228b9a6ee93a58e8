/// MD5 of exactly 16 bytes: one block of RFC 1321, all that an eBPF trace id needs.
///
/// An id, not a protection: the collector of today makes its trace ids this way, and ours must be equal.
enum MessageDigest {
    private typealias Block = UnsafePointer<UInt32>

    /// The four words that the rounds mix.
    private struct State {
        var a: UInt32 = 0x6745_2301
        var b: UInt32 = 0xefcd_ab89
        var c: UInt32 = 0x98ba_dcfe
        var d: UInt32 = 0x1032_5476
    }

    /// The digest's bytes 0-7 and 8-15 as little-endian numbers.
    static func md5(_ first: UInt64, _ second: UInt64) -> (low: UInt64, high: UInt64) {
        md5(first, second, 0, count: 2)
    }

    static func md5(_ first: UInt64, _ second: UInt64, _ third: UInt64) -> (low: UInt64, high: UInt64) {
        md5(first, second, third, count: 3)
    }

    private static func md5(
        _ first: UInt64, _ second: UInt64, _ third: UInt64, count: Int
    ) -> (low: UInt64, high: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { block in
            guard let block = block.baseAddress else { return (0, 0) }
            block.initialize(repeating: 0, count: 16)
            (block[0], block[1]) = (UInt32(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: first &>> 32))
            (block[2], block[3]) = (UInt32(truncatingIfNeeded: second), UInt32(truncatingIfNeeded: second &>> 32))
            (block[4], block[5]) = (UInt32(truncatingIfNeeded: third), UInt32(truncatingIfNeeded: third &>> 32))
            block[count &* 2] = 0x80
            block[14] = UInt32(count &* 64)
            return digest(block)
        }
    }

    private static func digest(_ block: Block) -> (low: UInt64, high: UInt64) {
        let start = State()
        var state = start
        first(&state, block)
        second(&state, block)
        third(&state, block)
        fourth(&state, block)
        let (a, b) = (state.a &+ start.a, state.b &+ start.b)
        let (c, d) = (state.c &+ start.c, state.d &+ start.d)
        return (UInt64(a) | UInt64(b) &<< 32, UInt64(c) | UInt64(d) &<< 32)
    }

    // Each round is written out: 16 steps with floor(2^32 · |sin(i + 1)|), i = 0 ... 63 (RFC 1321, 3.4), that name
    // their word of the block and their turn. With tables and a loop it took six times the instructions.

    @inline(__always) private static func turn(_ state: inout State, _ mix: UInt32, _ word: UInt32, _ shift: UInt32) {
        let sum = state.a &+ mix &+ word
        (state.a, state.d, state.c) = (state.d, state.c, state.b)
        state.b = state.b &+ ((sum &<< shift) | (sum &>> (32 &- shift)))
    }

    @inline(__always) private static func first(_ state: inout State, _ block: Block) {
        @inline(__always) func step(_ place: Int, _ shift: UInt32, _ sine: UInt32) {
            turn(&state, (state.b & state.c) | (~state.b & state.d), block[place] &+ sine, shift)
        }
        step(0, 7, 0xd76a_a478)
        step(1, 12, 0xe8c7_b756)
        step(2, 17, 0x2420_70db)
        step(3, 22, 0xc1bd_ceee)
        step(4, 7, 0xf57c_0faf)
        step(5, 12, 0x4787_c62a)
        step(6, 17, 0xa830_4613)
        step(7, 22, 0xfd46_9501)
        step(8, 7, 0x6980_98d8)
        step(9, 12, 0x8b44_f7af)
        step(10, 17, 0xffff_5bb1)
        step(11, 22, 0x895c_d7be)
        step(12, 7, 0x6b90_1122)
        step(13, 12, 0xfd98_7193)
        step(14, 17, 0xa679_438e)
        step(15, 22, 0x49b4_0821)
    }

    @inline(__always) private static func second(_ state: inout State, _ block: Block) {
        @inline(__always) func step(_ place: Int, _ shift: UInt32, _ sine: UInt32) {
            turn(&state, (state.d & state.b) | (~state.d & state.c), block[place] &+ sine, shift)
        }
        step(1, 5, 0xf61e_2562)
        step(6, 9, 0xc040_b340)
        step(11, 14, 0x265e_5a51)
        step(0, 20, 0xe9b6_c7aa)
        step(5, 5, 0xd62f_105d)
        step(10, 9, 0x0244_1453)
        step(15, 14, 0xd8a1_e681)
        step(4, 20, 0xe7d3_fbc8)
        step(9, 5, 0x21e1_cde6)
        step(14, 9, 0xc337_07d6)
        step(3, 14, 0xf4d5_0d87)
        step(8, 20, 0x455a_14ed)
        step(13, 5, 0xa9e3_e905)
        step(2, 9, 0xfcef_a3f8)
        step(7, 14, 0x676f_02d9)
        step(12, 20, 0x8d2a_4c8a)
    }

    @inline(__always) private static func third(_ state: inout State, _ block: Block) {
        @inline(__always) func step(_ place: Int, _ shift: UInt32, _ sine: UInt32) {
            turn(&state, state.b ^ state.c ^ state.d, block[place] &+ sine, shift)
        }
        step(5, 4, 0xfffa_3942)
        step(8, 11, 0x8771_f681)
        step(11, 16, 0x6d9d_6122)
        step(14, 23, 0xfde5_380c)
        step(1, 4, 0xa4be_ea44)
        step(4, 11, 0x4bde_cfa9)
        step(7, 16, 0xf6bb_4b60)
        step(10, 23, 0xbebf_bc70)
        step(13, 4, 0x289b_7ec6)
        step(0, 11, 0xeaa1_27fa)
        step(3, 16, 0xd4ef_3085)
        step(6, 23, 0x0488_1d05)
        step(9, 4, 0xd9d4_d039)
        step(12, 11, 0xe6db_99e5)
        step(15, 16, 0x1fa2_7cf8)
        step(2, 23, 0xc4ac_5665)
    }

    @inline(__always) private static func fourth(_ state: inout State, _ block: Block) {
        @inline(__always) func step(_ place: Int, _ shift: UInt32, _ sine: UInt32) {
            turn(&state, state.c ^ (state.b | ~state.d), block[place] &+ sine, shift)
        }
        step(0, 6, 0xf429_2244)
        step(7, 10, 0x432a_ff97)
        step(14, 15, 0xab94_23a7)
        step(5, 21, 0xfc93_a039)
        step(12, 6, 0x655b_59c3)
        step(3, 10, 0x8f0c_cc92)
        step(10, 15, 0xffef_f47d)
        step(1, 21, 0x8584_5dd1)
        step(8, 6, 0x6fa8_7e4f)
        step(15, 10, 0xfe2c_e6e0)
        step(6, 15, 0xa301_4314)
        step(13, 21, 0x4e08_11a1)
        step(4, 6, 0xf753_7e82)
        step(11, 10, 0xbd3a_f235)
        step(2, 15, 0x2ad7_d2bb)
        step(9, 21, 0xeb86_d391)
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
        let digest = MessageDigest.md5(requestSequence, responseSequence, id.bits)
        return TraceID(high: digest.high, low: digest.low)
    }
}
