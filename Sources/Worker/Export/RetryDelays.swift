/// How long a target waits before it tries again. Pure: the random number is given.
///
/// Delay before the n-th retry = min(30 s, 0.5 s · 2ⁿ⁻¹) · (0.5 … 1), the factor drawn evenly:
///
///     retry      1      2      3      4      5      6      7 and on
///     at least   0.25   0.5    1      2      4      8      15      s
///     at most    0.5    1      2      4      8      16     30      s
///
/// A `Retry-After` of the receiver replaces the delay when it is longer, up to 5 minutes.
struct RetryDelays: Sendable {
    var first: Duration = .milliseconds(500)
    var longest: Duration = .seconds(30)
    var retryAfterLongest: Duration = .seconds(300)

    init() {}

    /// - Parameters:
    ///   - retry: 1 for the first retry.
    ///   - random: 0 ..< 1.
    func delay(beforeRetry retry: Int, random: Double, retryAfter: Duration? = nil) -> Duration {
        let doublings = min(max(retry, 1) - 1, 16)
        let full = min(longest, first * (1 << doublings))
        let jittered = full * (0.5 + 0.5 * min(max(random, 0), 1))
        guard let retryAfter else { return jittered }
        return max(jittered, min(retryAfter, retryAfterLongest))
    }
}

/// Where targets get time and randomness from.
struct ExportWaiting: Sendable {
    /// Suspends for a duration; throws when cancelled.
    var sleep: @Sendable (Duration) async throws -> Void
    /// An even random number, 0 ..< 1.
    var random: @Sendable () -> Double
    /// A clock that never goes back.
    var now: @Sendable () -> ContinuousClock.Instant
    /// Seconds since 1970, for a `Retry-After` that names a date.
    var unixSeconds: @Sendable () -> Int64
}
