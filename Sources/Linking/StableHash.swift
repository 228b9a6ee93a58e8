/// XXH64 with seed 0 (Collet's specification): the hash behind span ids, flows and partitions.
///
/// It is part of the wire format: the same facts give the same id on every machine and in every version
/// (test vectors in docs/wire-format.md).
public enum StableHash {
    @usableFromInline static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    @usableFromInline static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    @usableFromInline static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    @usableFromInline static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    @usableFromInline static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    @inlinable static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        (value &<< count) | (value &>> (64 &- count))
    }

    @inlinable static func round(_ accumulator: UInt64, _ lane: UInt64) -> UInt64 {
        rotate(accumulator &+ lane &* prime2, 31) &* prime1
    }

    @inlinable static func avalanche(_ hash: UInt64) -> UInt64 {
        var hash = hash
        hash ^= hash &>> 33
        hash = hash &* prime2
        hash ^= hash &>> 29
        hash = hash &* prime3
        return hash ^ (hash &>> 32)
    }

    @inlinable static func mixWord(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        rotate(hash ^ round(0, word), 27) &* prime1 &+ prime4
    }

    /// The hash of one little-endian word (8 bytes).
    @inlinable public static func of(_ word: UInt64) -> UInt64 {
        avalanche(mixWord(prime5 &+ 8, word))
    }

    /// The hash of two little-endian words (16 bytes).
    @inlinable public static func of(_ first: UInt64, _ second: UInt64) -> UInt64 {
        avalanche(mixWord(mixWord(prime5 &+ 16, first), second))
    }

    /// The hash of three little-endian words (24 bytes).
    @inlinable public static func of(_ first: UInt64, _ second: UInt64, _ third: UInt64) -> UInt64 {
        avalanche(mixWord(mixWord(mixWord(prime5 &+ 24, first), second), third))
    }

    typealias Stripe = (UInt64, UInt64, UInt64, UInt64)

    /// The hash of nine little-endian words (72 bytes): the facts of a span without application ids.
    @inline(__always) static func of(_ first: Stripe, _ second: Stripe, _ last: UInt64) -> UInt64 {
        let lane1 = round(round(prime1 &+ prime2, first.0), second.0)
        let lane2 = round(round(prime2, first.1), second.1)
        let lane3 = round(round(0, first.2), second.2)
        let lane4 = round(round(0 &- prime1, first.3), second.3)
        return avalanche(mixWord(mergeLanes(lane1, lane2, lane3, lane4) &+ 72, last))
    }

    @inline(__always) private static func mergeLanes(
        _ lane1: UInt64, _ lane2: UInt64, _ lane3: UInt64, _ lane4: UInt64
    ) -> UInt64 {
        var hash = rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
        hash = (hash ^ round(0, lane1)) &* prime1 &+ prime4
        hash = (hash ^ round(0, lane2)) &* prime1 &+ prime4
        hash = (hash ^ round(0, lane3)) &* prime1 &+ prime4
        return (hash ^ round(0, lane4)) &* prime1 &+ prime4
    }

    /// The hash of a run of bytes. O(bytes).
    public static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var offset = 0
        let count = bytes.count
        var hash: UInt64
        func word(_ at: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        }
        if count >= 32 {
            var lane1 = prime1 &+ prime2
            var lane2 = prime2
            var lane3: UInt64 = 0
            var lane4 = 0 &- prime1
            while offset &+ 32 <= count {
                lane1 = round(lane1, word(offset))
                lane2 = round(lane2, word(offset &+ 8))
                lane3 = round(lane3, word(offset &+ 16))
                lane4 = round(lane4, word(offset &+ 24))
                offset &+= 32
            }
            hash = mergeLanes(lane1, lane2, lane3, lane4)
        } else {
            hash = prime5
        }
        hash = hash &+ UInt64(count)
        while offset &+ 8 <= count {
            hash = mixWord(hash, word(offset))
            offset &+= 8
        }
        if offset &+ 4 <= count {
            let half = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            hash = rotate(hash ^ (half &* prime1), 23) &* prime2 &+ prime3
            offset &+= 4
        }
        while offset < count {
            hash = rotate(hash ^ (UInt64(bytes[offset]) &* prime5), 11) &* prime1
            offset &+= 1
        }
        return avalanche(hash)
    }
}
