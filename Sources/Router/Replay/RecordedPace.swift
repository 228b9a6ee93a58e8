/// When recorded bodies are due: at their recorded distance from the first, divided by a speed.
///
/// Pure: time comes in and goes out as values.
struct RecordedPace: Sendable, Equatable {
    /// How many times faster than recorded; more than 0.
    let speed: Double
    /// Arrival of the first body, nanoseconds since 1970.
    private var origin: Int64?

    /// The slowest and the fastest speed that is taken.
    static let speeds = 0.001...1_000_000

    /// - Returns: nil when the speed is outside `speeds`.
    init?(speed: Double) {
        guard Self.speeds.contains(speed) else { return nil }
        self.speed = speed
    }

    /// Time between the start of the replay and the moment a body is due; never negative.
    /// - Parameter arrival: recorded arrival, nanoseconds since 1970. The first one asked about is due at once.
    mutating func due(_ arrival: Int64) -> Duration {
        let first = origin ?? arrival
        origin = first
        let (distance, overflow) = arrival.subtractingReportingOverflow(first)
        if overflow || distance <= 0 { return .zero }
        // Double holds 2^53 ns (104 days) exactly; beyond, the error is far below a millisecond.
        return .nanoseconds(Int64(min(Double(distance) / speed, 9e18)))
    }
}
