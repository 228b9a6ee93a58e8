import Linking

/// The facts of one commit as they lie in the log: rows sorted by partition, decoded only where they are asked for.
///
/// A value of this type is checked: every offset and index in it lies within its bounds.
public struct FactsBlock: @unchecked Sendable {
    /// What a commit says of itself.
    public struct Header: Hashable, Sendable {
        /// Place of the facts record; what `RowAddress` names.
        public var position: LogPosition
        public var epoch: Epoch
        /// Wall clock of the append, nanoseconds since 1970.
        public var time: Int64
        /// Place of the payload record in the payload log.
        public var payloadPosition: UInt64
        /// Bytes of the payload.
        public var payloadLength: UInt32
        public var rowCount: UInt32
    }

    /// The rows of one partition.
    public struct PartitionRange: Hashable, Sendable {
        public var partition: PartitionID
        public var rows: Range<UInt32>
    }

    public let header: Header
    /// The partitions that occur, ascending, with their rows.
    public let partitions: [PartitionRange]
    /// What the rows lie in; nobody writes into it as long as the block holds it.
    private let memory: RawBytes
    private let firstRow: UnsafeRawPointer
    private let firstApplication: UnsafeRawPointer

    /// Checks the body of a commit record, which lies in `memory`. Fails with `.corrupt`. O(rows).
    init(_ body: UnsafeRawBufferPointer, at position: UInt64, in memory: RawBytes) throws(Failure) {
        func require(_ holds: Bool, _ what: StaticString) throws(Failure) {
            if !holds { throw Failure(.corrupt, "the facts block at \(position) has \(what); it is passed over") }
        }
        try require(body.count >= FactsLayout.header, "no whole header")
        guard let start = body.baseAddress else { throw Failure(.corrupt, "the facts block at \(position) is empty") }
        let rows = start.little(28, as: UInt32.self)
        let entries = Int(start.little(32, as: UInt32.self))
        let applications = Int(start.little(36, as: UInt32.self))
        // Three 32-bit counts times small sizes cannot overflow 64 bits.
        let bytes = FactsLayout.bytes(rows: Int(rows), entries: entries, applications: applications)
        try require(bytes == body.count, "counts that do not fit its length")
        header = Header(
            position: LogPosition(position), epoch: Epoch(start.little(0)), time: start.little(8),
            payloadPosition: start.little(16), payloadLength: start.little(24), rowCount: rows)
        try require(
            header.payloadPosition <= SegmentHeader.largestBase && header.payloadLength <= Int32.max,
            "no sound payload")
        firstRow = start + FactsLayout.header + entries * FactsLayout.entry
        firstApplication = firstRow + Int(rows) * FactsLayout.row
        var partitions: [PartitionRange] = []
        partitions.reserveCapacity(entries)
        var next: UInt32 = 0
        for index in 0..<entries {
            let entry = start + FactsLayout.header + index * FactsLayout.entry
            let partition = entry.little(0, as: UInt32.self)
            let count = entry.little(8, as: UInt32.self)
            let isAfter = partitions.last.map { UInt32($0.partition.number) < partition } ?? true
            try require(partition <= UInt16.max && isAfter, "partitions out of order")
            try require(entry.little(4) == next && count > 0 && count <= rows - next, "a wrong directory")
            partitions.append(.init(partition: PartitionID(UInt16(partition)), rows: next..<next + count))
            next += count
        }
        try require(next == rows, "rows of no partition")
        self.partitions = partitions
        try require(
            Self.rowsAreSound(firstRow, partitions, header, UInt32(applications)), "a row that points outside")
        self.memory = memory
    }

    private static func rowsAreSound(
        _ start: UnsafeRawPointer, _ partitions: [PartitionRange], _ header: Header, _ applications: UInt32
    ) -> Bool {
        var row = start
        var sound = true
        let payloadLength = UInt64(header.payloadLength)
        for range in partitions {
            for _ in range.rows {
                let payloadEnd = UInt64(row.little(88, as: UInt32.self)) + UInt64(row.little(92, as: UInt32.self))
                sound = sound && payloadEnd <= payloadLength && row.little(100, as: UInt32.self) <= applications
                    && row.little(98) == range.partition.number
                row += FactsLayout.row
            }
        }
        return sound
    }

    /// Rows of the whole commit.
    public var rowCount: Int { Int(header.rowCount) }

    /// The rows of one partition; empty when it does not occur. O(log partitions).
    public func rows(of partition: PartitionID) -> Range<UInt32> {
        var low = 0
        var high = partitions.count
        while low < high {
            let middle = (low + high) / 2
            if partitions[middle].partition < partition { low = middle + 1 } else { high = middle }
        }
        return low < partitions.count && partitions[low].partition == partition ? partitions[low].rows : 0..<0
    }

    /// The row with an index that is smaller than `rowCount`. O(1).
    public func row(at index: UInt32) -> FactsRow {
        precondition(index < header.rowCount, "row \(index) of a facts block of \(header.rowCount)")
        return withExtendedLifetime(memory) {
            FactsLayout.row(at: firstRow + Int(index) * FactsLayout.row, applications: firstApplication)
        }
    }

    /// What a row is looked up by in tables; for those who prefetch.
    public struct Keys {
        /// The id that the row carries.
        public var id: SpanID
        /// What the encoder of partial graphs looks a span up by.
        public var encoder: PartialGraphEncoder.Keys
    }

    /// The keys of the row with an index that is smaller than `rowCount`. O(1).
    public func keys(at index: UInt32) -> Keys {
        precondition(index < header.rowCount, "row \(index) of a facts block of \(header.rowCount)")
        return withExtendedLifetime(memory) {
            let row = firstRow + Int(index) * FactsLayout.row
            let encoder = PartialGraphEncoder.Keys(
                requestSequence: row.little(0), responseSequence: row.little(8), threadKey: row.little(16),
                scope: row.little(24), processID: row.little(32), threadID: row.little(40))
            return Keys(id: SpanID(row.little(80)), encoder: encoder)
        }
    }

    /// Hands out the rows of a range in their order. O(rows).
    @inline(__always)
    public func forEachRow(_ rows: Range<UInt32>, _ body: (UInt32, FactsRow) -> Void) {
        precondition(rows.upperBound <= header.rowCount, "rows \(rows) of a facts block of \(header.rowCount)")
        withExtendedLifetime(memory) {
            var place = firstRow + Int(rows.lowerBound) * FactsLayout.row
            for index in rows {
                body(index, FactsLayout.row(at: place, applications: firstApplication))
                place += FactsLayout.row
            }
        }
    }

    /// Hands out the rows of one partition in their order. O(rows of it).
    public func forEachRow(of partition: PartitionID, _ body: (UInt32, FactsRow) -> Void) {
        forEachRow(rows(of: partition), body)
    }

    /// Hands out all rows, partition by partition. O(rows).
    public func forEachRow(_ body: (UInt32, FactsRow) -> Void) {
        forEachRow(0..<header.rowCount, body)
    }

    /// Hands out the rows of the partitions that `owns` names, partition by partition. O(partitions + rows of them).
    public func forEachRow(where owns: (PartitionID) -> Bool, _ body: (UInt32, FactsRow) -> Void) {
        for range in partitions where owns(range.partition) { forEachRow(range.rows, body) }
    }
}
