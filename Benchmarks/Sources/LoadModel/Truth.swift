/// What a span is known by from outside, as one hash.
public enum SpanIdentity {
    /// By its sequence numbers, its direction and its kernel time.
    ///
    /// Equal only for equal spans, but for a chance of n²/2^65.
    @inlinable @inline(__always)
    public static func of(
        requestSequence: UInt64, responseSequence: UInt64, kernelTime: Int64, incoming: Bool
    ) -> UInt64 {
        let net = RandomSource.mix(requestSequence &<< 32 ^ responseSequence)
        return RandomSource.mix(net ^ (UInt64(bitPattern: kernelTime) &<< 1 | (incoming ? 1 : 0)))
    }

    /// By what OTLP says of it without the agent's own fields. Two spans can share it by chance, rarely:
    /// the check knows such twins, and the self-test counts them.
    @inlinable @inline(__always)
    public static func ofTimes(
        startMicroseconds: Int64, durationMicroseconds: Int64, thread: Int64, clientPort: Int64, incoming: Bool
    ) -> UInt64 {
        let time = RandomSource.mix(UInt64(bitPattern: startMicroseconds))
        let place = UInt64(bitPattern: thread) &<< 32 ^ UInt64(bitPattern: clientPort) &<< 1 ^ (incoming ? 1 : 0)
        return RandomSource.mix(RandomSource.mix(time ^ UInt64(bitPattern: durationMicroseconds)) ^ place)
    }
}

/// The answer key of a run: 24 bytes a span, in the order in which the spans were made.
///
/// A parent comes before its children, and the spans of one trace are neighbours.
public struct Truth: Sendable {
    /// `SpanIdentity.of` each span.
    public var identities: [UInt64] = []
    /// `SpanIdentity.ofTimes` of each span.
    public var timeIdentities: [UInt64] = []
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
