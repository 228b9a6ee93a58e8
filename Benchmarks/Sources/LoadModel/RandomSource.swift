/// SplitMix64: the same numbers for the same seed, on every machine. Not for secrets.
public struct RandomSource {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// The next 64 random bits.
    @inline(__always) public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// A number in `0 ..< bound`; `bound` must not be 0.
    @inline(__always) public mutating func below(_ bound: UInt64) -> UInt64 {
        next().multipliedFullWidth(by: bound).high
    }

    /// A number in `range`.
    @inline(__always) mutating func within(_ range: Range<Int64>) -> Int64 {
        range.lowerBound &+ Int64(bitPattern: below(UInt64(bitPattern: range.upperBound &- range.lowerBound)))
    }

    /// True for about `share` of the calls, 0 ... 1.
    @inline(__always) mutating func chance(_ share: Double) -> Bool {
        Double(next() &>> 11) * 0x1p-53 < share
    }

    /// The finalizer of SplitMix64: a bijection that spreads every bit.
    @inlinable @inline(__always) public static func mix(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value &>> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value &>> 31)
    }
}
