/// How many requests took how long: a histogram whose bounds grow by the fourth root of 2, so that a quantile is at
/// most 19 % off.
///
/// From 1 µs to 35 minutes in 124 buckets; most edges use a dozen, so they lie in a short array with an offset.
struct LatencyCounts: Sendable {
    private static let perOctave = 4.0
    private static let bucketsMax = 124
    private var counts: [UInt32] = []
    private var first = 0
    private(set) var total = 0

    /// Takes one latency, nanoseconds.
    mutating func add(_ nanoseconds: UInt64) { add(UInt32(1), to: Self.bucket(nanoseconds)) }

    /// Takes all of another one.
    mutating func add(_ other: LatencyCounts) {
        for (place, count) in other.counts.enumerated() where count > 0 { add(count, to: other.first + place) }
    }

    /// The latency, milliseconds, below which this share of the requests lies; 0 without requests. O(buckets).
    func quantile(_ share: Double) -> Double {
        guard total > 0 else { return 0 }
        let rank = share * Double(total)
        var below = 0.0
        for (place, count) in counts.enumerated() where count > 0 {
            let next = below + Double(count)
            if next >= rank {
                let low = Self.lowerBound(first + place)
                return (low + (Self.lowerBound(first + place + 1) - low) * (rank - below) / Double(count)) / 1e6
            }
            below = next
        }
        return Self.lowerBound(first + counts.count) / 1e6
    }

    private mutating func add(_ count: UInt32, to bucket: Int) {
        if counts.isEmpty { first = bucket }
        if bucket < first {
            counts.insert(contentsOf: repeatElement(0, count: first - bucket), at: 0)
            first = bucket
        }
        while bucket >= first + counts.count { counts.append(0) }
        counts[bucket - first] &+= count
        total += Int(count)
    }

    private static func bucket(_ nanoseconds: UInt64) -> Int {
        guard nanoseconds > 1_000 else { return 0 }
        // log2 by the exponent and a linear step within the octave, which costs no call into libm.
        let micros = Double(nanoseconds) / 1_000
        return min(bucketsMax - 1, Int((Double(micros.exponent) + (micros.significand - 1)) * perOctave))
    }

    /// The lower bound of a bucket, nanoseconds.
    private static func lowerBound(_ bucket: Int) -> Double {
        guard bucket > 0 else { return 0 }
        let octave = bucket / Int(perOctave)
        let step = Double(bucket % Int(perOctave)) / perOctave
        return Double(sign: .plus, exponent: octave, significand: 1 + step) * 1_000
    }
}
