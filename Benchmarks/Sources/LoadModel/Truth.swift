/// What a span is known by from outside: its sequence numbers, its direction and its kernel time, as one hash.
public enum SpanIdentity {
    /// Equal only for equal spans, but for a chance of n²/2^65.
    @inlinable @inline(__always)
    public static func of(
        requestSequence: UInt64, responseSequence: UInt64, kernelTime: Int64, incoming: Bool
    ) -> UInt64 {
        let net = RandomSource.mix(requestSequence &<< 32 ^ responseSequence)
        return RandomSource.mix(net ^ (UInt64(bitPattern: kernelTime) &<< 1 | (incoming ? 1 : 0)))
    }
}

/// The answer key of a run: 16 bytes a span, in the order in which the spans were made.
///
/// A parent comes before its children, and the spans of one trace are neighbours.
public struct Truth: Sendable {
    /// `SpanIdentity` of each span.
    public var identities: [UInt64] = []
    /// Index of the true parent; `noParent` for a root.
    public var parents: [UInt32] = []
    /// Number of the true trace.
    public var traces: [UInt32] = []
    /// How many traces there are.
    public var traceCount = 0

    public static let noParent = UInt32.max
    public var count: Int { identities.count }

    public init() {}
}
