import Linking

/// One group commit in the making: request bodies as they came, and the rows of their spans.
public struct SpanCommit: Sendable {
    struct Body: Sendable {
        var payload: PayloadBytes
        var rows: [FactsRow]
        /// Where the body begins in the commit's payload.
        var offset: UInt32
    }

    /// Slice of log time; a commit asked for with an older one than the log's newest gets the newest.
    public var epoch: Epoch
    /// Wall clock of the append, nanoseconds since 1970.
    public var time: Int64
    private(set) var bodies: [Body] = []
    /// Bytes of all bodies.
    public private(set) var payloadBytes = 0
    /// Rows of all bodies.
    public private(set) var rowCount = 0

    public init(epoch: Epoch, time: Int64) {
        self.epoch = epoch
        self.time = time
    }

    public var isEmpty: Bool { bodies.isEmpty }

    /// Whether a body still fits: `commitBytes` and `commitSpans`. A commit takes its first body whatever the limits.
    public func fits(payloadBytes: Int, rowCount: Int, _ limits: Limits) -> Bool {
        bodies.isEmpty
            || self.payloadBytes + payloadBytes <= limits.commitBytes && self.rowCount + rowCount <= limits.commitSpans
    }

    /// Adds a body, whose rows' payload offsets count from its beginning. O(1): neither bytes nor rows are copied.
    ///
    /// Fails with `.limit` when the commit would have 4 GiB or more.
    public mutating func add(payload: PayloadBytes, rows: [FactsRow]) throws(Failure) {
        guard payloadBytes + payload.count <= UInt32.max, rowCount + rows.count <= UInt32.max else {
            throw Failure(.limit, "a commit of 4 GiB is too large; write it and begin another")
        }
        bodies.append(Body(payload: payload, rows: rows, offset: UInt32(payloadBytes)))
        payloadBytes += payload.count
        rowCount += rows.count
    }
}
