/// The decision of a trace without a vote: a hash of its id against the rate.
public struct Sampling: Hashable, Sendable {
    public var rate: Double
    private let threshold: UInt64

    /// - Parameter rate: the share to keep; ≥ 1 keeps all, ≤ 0 (and NaN) none.
    public init(rate: Double) {
        self.rate = rate
        threshold = rate > 0 && rate < 1 ? UInt64(rate * 18_446_744_073_709_551_616.0) : 0
    }

    /// As the collector of today: `(low &+ high) &* 1111111111111111111 < UInt64(rate × 2^64)`.
    public func keeps(_ id: TraceID) -> Bool {
        if rate >= 1 { return true }
        guard rate > 0 else { return false }
        return (id.low &+ id.high) &* 1_111_111_111_111_111_111 < threshold
    }
}
