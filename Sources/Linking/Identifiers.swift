/// One of the fixed hash buckets of flows: the unit of ownership and of replay.
public struct PartitionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var number: UInt16
    @inlinable public init(_ number: UInt16) { self.number = number }
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    public var description: String { String(number) }
}

/// The number of a router: 0 is the one that merges (embedded deployment).
public struct RouterOrdinal: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var number: UInt16
    @inlinable public init(_ number: UInt16) { self.number = number }
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    public var description: String { String(number) }
}

/// The number of a worker, 0 ..< the worker count.
public struct WorkerOrdinal: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var number: UInt16
    @inlinable public init(_ number: UInt16) { self.number = number }
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    public var description: String { String(number) }
}

/// The number of a slice of log time; a slice is a quarter of the window long.
public struct Epoch: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var number: UInt64
    @inlinable public init(_ number: UInt64) { self.number = number }
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    /// The epoch `count` later; stops at the largest number instead of overflowing.
    public func advanced(by count: UInt64) -> Epoch {
        let (sum, overflow) = number.addingReportingOverflow(count)
        return Epoch(overflow ? .max : sum)
    }
    public var description: String { String(number) }
}

/// A place in one router's facts log: a byte offset that counts on over all segments.
public struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var offset: UInt64
    @inlinable public init(_ offset: UInt64) { self.offset = offset }
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.offset < right.offset }
    public var description: String { String(offset) }
}

/// Where one span lies in the span log: the facts block of its commit, and its row there.
public struct RowAddress: Hashable, Comparable, Sendable {
    public var router: RouterOrdinal
    public var position: LogPosition
    public var row: UInt32
    @inlinable public init(router: RouterOrdinal, position: LogPosition, row: UInt32) {
        self.router = router
        self.position = position
        self.row = row
    }
    @inlinable public static func < (left: Self, right: Self) -> Bool {
        if left.router != right.router { return left.router < right.router }
        if left.position != right.position { return left.position < right.position }
        return left.row < right.row
    }
}

/// The 64-bit id of a span; 0 means "none".
public struct SpanID: Hashable, Comparable, Sendable {
    public var bits: UInt64
    @inlinable public init(_ bits: UInt64) { self.bits = bits }
    public static let none = SpanID(0)
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.bits < right.bits }
}

/// A 128-bit trace id; both halves 0 means "none".
public struct TraceID: Hashable, Comparable, Sendable {
    public var high: UInt64
    public var low: UInt64
    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    public static let none = TraceID(high: 0, low: 0)
    public var isNone: Bool { high == 0 && low == 0 }
    @inlinable public static func < (left: Self, right: Self) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}
