import Linking

/// Reads link facts out of `PBPoints` bodies by walking their bytes: no object a field, no copy, no `String`.
///
/// The hot path of the router: 4050 to 4500 instructions a point of 29 to 32 fields (callgrind, release). Bytes are
/// never trusted: a length that does not fit ends the point (or the body) it stands in, and nothing else.
public struct PointWalker: Sendable {
    /// What to do with what is read.
    public let rules: IngestRules
    private let denyList: FieldDenyList

    public init(rules: IngestRules) {
        self.rules = rules
        denyList = FieldDenyList(rules.denyFields)
    }

    /// Appends one row a point of `body` to `batch`; on error the batch is as before.
    ///
    /// - Parameters:
    ///   - body: `PBPoints`, decompressed, smaller than 4 GiB.
    ///   - scope: hash of the peer address or of the agent header; 0: none, points go by `host` or `src_ip`.
    /// - Throws: `noPoints`, `invalidProtobufPoint` (broken framing, or no point of it parses), `tooLarge`.
    /// - Complexity: O(bytes).
    public func decode(
        _ body: UnsafeRawBufferPointer, scope: UInt64, into batch: inout FactsBatch
    ) throws(BodyError) {
        guard let base = body.baseAddress, body.count > 0 else { throw Self.noPoints }
        guard body.count <= Int(UInt32.max) else { throw BodyError(.tooLarge, "the body is larger than 4 GiB") }
        let before = (rows: batch.rows.count, passed: batch.passedThrough, dropped: batch.dropped)
        let problem = withUnsafeTemporaryAllocation(of: FieldSlot.self, capacity: FieldKey.count) { storage in
            // The allocation holds FieldKey.count slots, so it has an address.
            guard let slots = storage.baseAddress else { return BodyError?.some(Self.noPoints) }
            return walk(
                PointSlots(base: base, storage: slots), count: body.count, scope: scope, into: &batch)
        }
        guard let problem else { return }
        batch.rows.removeLast(batch.rows.count - before.rows)
        batch.passedThrough = before.passed
        batch.dropped = before.dropped
        throw problem
    }

    static let noPoints = BodyError(.noPoints, "the body holds no points")
    private static let broken = BodyError(.invalidProtobufPoint, "the body is no PBPoints message")
    private static let noneParses = BodyError(.invalidProtobufPoint, "no point of the body parses")

    /// The loop over the points of a body; returns why the body is refused, or nil.
    private func walk(
        _ slots: PointSlots, count: Int, scope: UInt64, into batch: inout FactsBatch
    ) -> BodyError? {
        var slots = slots
        var points = 0
        var malformed = 0
        var reader = WireReader(slots.base, from: 0, to: count)
        while !reader.isAtEnd {
            guard let tag = reader.varint() else { return Self.broken }
            guard tag == UInt64(Wire.point) else {
                guard reader.skip(tag: tag) else { return Self.broken }
                continue
            }
            guard let range = reader.lengthDelimited() else { return Self.broken }
            points &+= 1
            guard points <= rules.limits.pointsPerBody else {
                return BodyError(.tooLarge, "more than \(rules.limits.pointsPerBody) points in one body")
            }
            if let reason = take(range, &slots, scope: scope, into: &batch) {
                if reason == .malformedPoint { malformed &+= 1 }
                batch.dropped[reason] += 1
            }
        }
        if points == 0 { return Self.noPoints }
        return malformed == points ? Self.noneParses : nil
    }

    /// Reads one point and appends its row; returns why it is dropped, or nil.
    @inline(__always) private func take(
        _ range: Range<Int>, _ slots: inout PointSlots, scope: UInt64, into batch: inout FactsBatch
    ) -> PointDropReason? {
        guard range.count <= rules.limits.pointBytes else { return .pointTooLarge }
        slots.present = 0
        slots.time = 0
        slots.flow = nil
        if let reason = readFields(range, &slots, &batch) { return reason }
        // Filled where it stays: a row that is made elsewhere and copied waits for its own stores.
        batch.rows.append(
            FactsRow(
                facts: SpanFacts(), partition: PartitionID(0),
                payloadOffset: UInt32(truncatingIfNeeded: range.lowerBound),
                payloadLength: UInt32(truncatingIfNeeded: range.count)))
        switch fill(&batch.rows[batch.rows.count &- 1], range, &slots, scope: scope) {
        case .linked: return nil
        case .dropped(let reason):
            batch.rows.removeLast()
            return reason
        case .passThrough(let reason):
            batch.passedThrough[reason] += 1
            return nil
        }
    }

    /// Makes the row of a point whose fields are in the slots.
    @inline(__always) private func fill(
        _ row: inout FactsRow, _ range: Range<Int>, _ slots: inout PointSlots, scope: UInt64
    ) -> PointOutcome {
        let outcome = slots.fill(&row.facts, scope: scope, strict: rules.strict)
        if case .passThrough = outcome {
            let hash = StableHash.of(UnsafeRawBufferPointer(start: slots.base + range.lowerBound, count: range.count))
            row.facts.id = SpanID(hash == 0 ? 1 : hash)
        }
        row.partition = partition(of: row.facts, slots)
        return outcome
    }

    /// Fills the slots from the fields of a point; returns why the point is dropped, or nil.
    @inline(__always) private func readFields(
        _ range: Range<Int>, _ slots: inout PointSlots, _ batch: inout FactsBatch
    ) -> PointDropReason? {
        let end = range.upperBound
        var position = range.lowerBound
        var mayHoldDenied = false
        while position < end {
            if slots.takeFields(&position, end, denyList.hints) { mayHoldDenied = true }
            guard position < end else { break }
            guard readOther(&position, end, &slots, &mayHoldDenied) else { return .malformedPoint }
        }
        if mayHoldDenied, denyList.isInPoint(slots.base, range) { batch.holdsDeniedField = true }
        // A field takes at least two bytes, so only long points need counting.
        guard range.count > rules.limits.fieldsPerPoint &* 2 else { return nil }
        var fields = 0
        PointFields.forEach(slots.base, range) { _ in fields += 1 }
        return fields <= rules.limits.fieldsPerPoint ? nil : .tooManyFields
    }

    /// Name, time, fields in an unusual form and unknown parts of a point; false when malformed.
    @inline(__always) private func readOther(
        _ position: inout Int, _ end: Int, _ slots: inout PointSlots, _ mayHoldDenied: inout Bool
    ) -> Bool {
        var reader = WireReader(slots.base, from: position, to: end)
        defer { position = reader.position }
        guard let tag = reader.varint() else { return false }
        if tag == UInt64(Wire.name) { return reader.lengthDelimited() != nil }
        if tag == UInt64(Wire.time) {
            guard let time = reader.varint() else { return false }
            slots.time = Int64(bitPattern: time)
            return true
        }
        mayHoldDenied = true
        return readUnusual(tag, &reader, &slots)
    }

    @inline(never) private func readUnusual(
        _ tag: UInt64, _ reader: inout WireReader, _ slots: inout PointSlots
    ) -> Bool {
        guard tag == UInt64(Wire.field) else { return reader.skip(tag: tag) }
        var field = RawField()
        guard let bytes = reader.lengthDelimited(),
            field.readAny(slots.base, from: bytes.lowerBound, to: bytes.upperBound)
        else { return false }
        if let key = FieldKey.match(slots.base, field.keyStart, field.keyLength) { slots.set(key, field) }
        return true
    }

    @inline(__always) private func partition(of facts: SpanFacts, _ slots: PointSlots) -> PartitionID {
        // Points without any key would all meet in one partition; their ids spread them.
        let sequence =
            facts.flags.contains(.passThrough) && facts.requestSequence == 0
            ? facts.id.bits : facts.requestSequence
        return rules.partitionKey.partition(
            flow: slots.flow, requestSequence: sequence, partitionCount: rules.partitionCount)
    }
}
