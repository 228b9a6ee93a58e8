import Synchronization

/// A number that only grows. Recording is one relaxed atomic addition; fetch the handle once and keep it.
public final class Counter: Sendable {
    private let cell = Atomic<UInt64>(0)

    /// Adds `steps` (nanoseconds where the unit is seconds). Negative steps are ignored: a counter never falls.
    @inline(__always)
    public func add(_ steps: Int = 1) {
        guard steps > 0 else { return }
        cell.wrappingAdd(UInt64(steps), ordering: .relaxed)
    }

    /// What was added so far, in recorded steps.
    public var value: UInt64 { cell.load(ordering: .relaxed) }
}

/// A number that goes up and down. One relaxed atomic operation per change.
public final class Gauge: Sendable {
    private let cell = Atomic<Int64>(0)

    /// Puts the value, in recorded steps (nanoseconds where the unit is seconds).
    @inline(__always)
    public func set(_ value: Int) { cell.store(Int64(value), ordering: .relaxed) }

    /// Moves the value by `steps`, which may be negative.
    @inline(__always)
    public func add(_ steps: Int) { cell.wrappingAdd(Int64(steps), ordering: .relaxed) }

    /// The value, in recorded steps.
    public var value: Int64 { cell.load(ordering: .relaxed) }
}

/// How values spread over fixed buckets. Recording scans at most a dozen bounds and adds twice.
public final class Histogram: Sendable {
    /// Upper bounds in recorded steps, ascending; one more bucket takes the rest.
    public let bounds: [UInt64]
    /// One cell a bucket, the rest, then the sum. Never resized, freed with the histogram, touched only atomically.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<UInt64>>

    init(bounds: [UInt64]) {
        self.bounds = bounds
        cells = .allocate(capacity: bounds.count + 2)
        for index in 0..<(bounds.count + 2) { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: bounds.count + 2)
        cells.deallocate()
    }

    /// Records one value, in steps (nanoseconds where the unit is seconds); a negative one counts as 0.
    ///
    /// - Parameter times: how many things have the value.
    public func record(_ value: Int, times: Int = 1) {
        guard times > 0 else { return }
        let steps = UInt64(max(0, value))
        var index = 0
        while index < bounds.count, bounds[index] < steps { index &+= 1 }
        cells[index].wrappingAdd(UInt64(times), ordering: .relaxed)
        cells[bounds.count + 1].wrappingAdd(steps &* UInt64(times), ordering: .relaxed)
    }

    /// Count of each bucket (not cumulative, the last is the rest) and the sum of the values in steps.
    public var snapshot: (counts: [UInt64], sum: UInt64) {
        let counts = (0...bounds.count).map { cells[$0].load(ordering: .relaxed) }
        return (counts, cells[bounds.count + 1].load(ordering: .relaxed))
    }
}
