import Linking

/// The writer of one router's span log: a payload log and a facts log, joined by group commits.
///
/// One owner, not thread-safe. Layout and crash order: FactsFormat.swift. Both logs stay usable after any failure.
public final class SpanLogWriter {
    /// What opening the two logs found.
    public struct Recovery: Sendable, Equatable {
        public var facts = LogRecovery()
        public var payload = LogRecovery()
        /// Commits at the end of the facts log that were cut off, as their payload was not on the disk.
        public var commitsWithoutPayload = 0
    }

    public private(set) var recovery = Recovery()
    /// The oldest epoch that the next commit can get: that of the newest commit, or the one behind the newest mark.
    public private(set) var newestEpoch = Epoch(0)
    private let facts: SegmentedLog
    private let payload: SegmentedLog
    private var encoder = FactsEncoder()
    private let markBody = RawBytes(capacity: FactsLayout.mark)

    /// Opens the span log in `folder` (sub-folders `facts` and `payload`, made when missing) and repairs it.
    public init(disk: any Disk, folder: String, segmentBytes: Int) throws(Failure) {
        let payload = try SegmentedLog(
            disk: disk, folder: folder + "/payload", segmentBytes: segmentBytes, verify: .unsynchronized)
        let payloadEnd = payload.end
        var newest = Epoch(0)
        var firstWithout: UInt64?
        var without = 0
        facts = try SegmentedLog(disk: disk, folder: folder + "/facts", segmentBytes: segmentBytes) { record in
            if record.kind == SpanRecordKind.commit, record.payloadEnd > payloadEnd {
                without += 1
                firstWithout = firstWithout ?? record.position
            } else if firstWithout == nil {
                newest = max(newest, record.epoch)
            }
        }
        if let firstWithout { try facts.cut(to: firstWithout) }
        self.payload = payload
        newestEpoch = newest
        recovery = Recovery(facts: facts.recovery, payload: payload.recovery, commitsWithoutPayload: without)
    }

    /// Position behind the last record of the facts log: what readers may be told as the end.
    public var end: LogPosition { LogPosition(facts.end) }
    /// Position of the oldest record of the facts log.
    public var begin: LogPosition { LogPosition(facts.begin) }
    /// Position behind the last record of the payload log.
    public var payloadEnd: UInt64 { payload.end }
    /// Bytes of all files of both logs, preallocated ones included.
    public var bytesHeld: UInt64 { facts.bytesHeld + payload.bytesHeld }
    /// All facts below survive a power cut, and their payload too.
    public var synchronizedEnd: LogPosition { LogPosition(facts.synchronizedEnd) }

    /// Writes a commit: payload first, then facts; returns the position of its facts block. O(bytes).
    ///
    /// When it returns, the commit survives the end of the process. Fails with `.limit` when the commit does not fit a
    /// segment, with `.disk` when the disk is full or broken; nothing of the commit can be read then.
    public func append(_ commit: SpanCommit) throws(Failure) -> LogPosition {
        var parts: [UnsafeRawBufferPointer] = []
        parts.reserveCapacity(commit.bodies.count)
        for body in commit.bodies { parts.append(body.payload.bytes) }
        let payloadPosition = try payload.append(kind: SpanRecordKind.payload, parts)
        withExtendedLifetime(commit) {}
        let epoch = max(commit.epoch, newestEpoch)
        let block = encoder.encode(commit, epoch: epoch, payloadPosition: payloadPosition)
        let position = try facts.append(kind: SpanRecordKind.commit, version: FactsLayout.version, [block])
        newestEpoch = epoch
        return LogPosition(position)
    }

    /// Writes a mark: no later commit has an epoch ≤ this one. Returns its position.
    ///
    /// `time` is the wall clock, nanoseconds since 1970. A mark older than the newest epoch is written for the epoch
    /// before the newest, which says nothing new and is true.
    @discardableResult
    public func appendMark(epoch: Epoch, time: Int64) throws(Failure) -> LogPosition {
        let next = epoch.advanced(by: 1)
        let marked = next >= newestEpoch ? epoch : Epoch(newestEpoch.number - 1)
        markBody.start.put(marked.number, at: 0)
        markBody.start.put(time, at: 8)
        let body = UnsafeRawBufferPointer(start: markBody.start, count: FactsLayout.mark)
        let position = try facts.append(kind: SpanRecordKind.mark, version: FactsLayout.version, [body])
        newestEpoch = max(newestEpoch, marked.advanced(by: 1))
        return LogPosition(position)
    }

    /// Returns when everything so far survives a power cut. Costs one wait for the disk per log that grew.
    public func sync() throws(Failure) {
        try payload.sync()
        try facts.sync()
    }

    /// Removes the segments that lie wholly below the positions.
    public func trim(factsBelow: LogPosition, payloadBelow: UInt64) throws(Failure) {
        try facts.trim(below: factsBelow.offset)
        try payload.trim(below: payloadBelow)
    }
}

extension LogRecordView {
    /// Behind the payload record of a commit; 0 when the record is too short to be one.
    fileprivate var payloadEnd: UInt64 {
        guard body.count >= FactsLayout.header, let start = body.baseAddress else { return 0 }
        let length = Int(start.little(24, as: UInt32.self))
        let (end, overflow) = start.little(16, as: UInt64.self)
            .addingReportingOverflow(UInt64(RecordHeader.recordBytes(length)))
        return overflow ? .max : end
    }

    /// The oldest epoch that a commit behind this record may have.
    fileprivate var epoch: Epoch {
        guard body.count >= FactsLayout.mark, let start = body.baseAddress else { return Epoch(0) }
        let epoch = Epoch(start.little(0))
        return kind == SpanRecordKind.mark ? epoch.advanced(by: 1) : epoch
    }
}
