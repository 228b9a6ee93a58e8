// The spans of a partial graph, one by one as facts or all at once as records for the merge.

/// A span as a partial graph has it, on its way into the merge.
struct StagedSpan {
    var requestSequence: UInt64 = 0
    var responseSequence: UInt64 = 0
    var threadKey: UInt64 = 0
    var kernelTime: Int64 = 0
    /// `start`; with a kernel time `start - ktime / 1000`.
    var clock: Int64 = 0
    /// As in `SpanRecord`; 0 of an exit.
    var duration: UInt32 = 0
    var flow: UInt32 = 0
    var initiator: UInt32 = 0
    /// Index + 1 into the graph's threads, 0 without pid.
    var thread: UInt32 = 0
    /// Index into the graph's commits.
    var commit: UInt32 = 0
    var row: UInt32 = 0
    /// Index + 1 into the decoder's sparse facts.
    var sparse: UInt32 = 0
    /// How many spans before this one its partner stands, 0 without.
    var partner: UInt32 = 0
    var requestHash: UInt32 = 0
    var threadHash: UInt32 = 0
    var flags = SpanFlags()

    @inline(__always) var start: Int64 {
        flags.contains(.hasKernelTime) ? clock &+ kernelTime / 1000 : clock
    }
    @inline(__always) var isWide: Bool { (requestSequence | responseSequence) &>> 32 != 0 }
}

extension PartialGraphDecoder {
    /// The next span; `nil` after the last. Expected O(1).
    public mutating func next() throws(CodecError) -> Span? {
        guard ordinal < spanCount else {
            guard reader.remaining == 0 else { throw CodecError("partial graph: bytes after the last span") }
            return nil
        }
        while spansOfCommit == commits[commit].spans {
            commit += 1
            spansOfCommit = 0
            row = commits[commit].firstRow
            skip = 0
        }
        while skip < commits[commit].skipped.count, commits[commit].skipped[skip] == row {
            row += 1
            skip += 1
        }
        var record = StagedSpan()
        sparse.removeAll()
        var reader = reader
        guard read(&record, &reader) else { throw CodecError("partial graph: span \(ordinal) is torn") }
        self.reader = reader
        let span = Span(
            facts: facts(of: record), commit: UInt32(commit), row: row, thread: record.thread, partner: record.partner)
        row &+= 1
        spansOfCommit += 1
        ordinal += 1
        return span
    }

    private func facts(of record: StagedSpan) -> SpanFacts {
        var facts = SpanFacts()
        facts.flags = record.flags
        (facts.requestSequence, facts.responseSequence) = (record.requestSequence, record.responseSequence)
        (facts.flow, facts.initiator, facts.threadKey) = (record.flow, record.initiator, record.threadKey)
        (facts.kernelTime, facts.start) = (record.kernelTime, record.start)
        facts.duration = record.duration != SpanRecord.noResponse ? Int64(record.duration) : -1
        if record.thread > 0 {
            let thread = threads[Int(record.thread) - 1]
            (facts.scope, facts.processID, facts.threadID) = (thread.scope, thread.processID, thread.threadID)
        }
        if record.sparse > 0 {
            facts.application = sparse[Int(record.sparse) - 1].application
            facts.id = sparse[Int(record.sparse) - 1].givenID
        }
        return facts
    }

    /// Reads all spans, none of which was read before, at once. On an error `records` holds nothing of use.
    mutating func readAll(into records: inout Column<StagedSpan>) throws(CodecError) {
        records.removeAll()
        records.reserve(spanCount)
        var reader = reader
        for commit in commits.indices {
            var row = commits[commit].firstRow
            let skipped = commits[commit].skipped
            var skip = 0
            for _ in 0..<commits[commit].spans {
                while skip < skipped.count, skipped[skip] == row {
                    row &+= 1
                    skip &+= 1
                }
                let record = records.base + ordinal
                record.initialize(to: StagedSpan())
                guard read(&record.pointee, &reader) else {
                    throw CodecError("partial graph: span \(ordinal) is torn")
                }
                record.pointee.commit = UInt32(truncatingIfNeeded: commit)
                record.pointee.row = row
                record.pointee.requestHash = KeyTable.hash(record.pointee.requestSequence)
                record.pointee.threadHash = KeyTable.hash(record.pointee.threadKey)
                row &+= 1
                ordinal &+= 1
            }
        }
        guard reader.remaining == 0 else { throw CodecError("partial graph: bytes after the last span") }
        records.advance(by: ordinal)
    }

    @inline(__always) private mutating func read(_ record: inout StagedSpan, _ reader: inout ByteReader) -> Bool {
        guard let number = reader.varint(), number < UInt64(shapes.count) else { return false }
        let shape = shapes[Int(number)]
        record.flags = shape.flags
        guard readNetFacts(&record, &reader, shape.layout), readThreadKey(&record, &reader, shape.layout) else {
            return false
        }
        if !shape.flags.contains(.passThrough) {
            guard readTimes(&record, &reader, shape.layout) else { return false }
        }
        if shape.flags.isDisjoint(with: [.givenID, .passThrough, .hasApplication]) { return true }
        return readSparse(&record, &reader)
    }

    @inline(never) private mutating func readSparse(_ record: inout StagedSpan, _ reader: inout ByteReader) -> Bool {
        var facts = SparseFacts()
        if !record.flags.isDisjoint(with: [.givenID, .passThrough]) {
            guard let id = reader.fixed(UInt64.self), id != 0 else { return false }
            facts.givenID = SpanID(id)
        }
        if record.flags.contains(.hasApplication) {
            guard let low = reader.fixed(UInt64.self), let high = reader.fixed(UInt64.self),
                let parent = reader.fixed(UInt64.self)
            else { return false }
            facts.application = ApplicationIDs(traceLow: low, traceHigh: high, parent: parent)
        }
        sparse.append(facts)
        record.sparse = UInt32(sparse.count)
        return true
    }

    @inline(__always) private mutating func readNetFacts(
        _ record: inout StagedSpan, _ reader: inout ByteReader, _ layout: SpanLayout
    ) -> Bool {
        var net = NetFacts()
        if layout.contains(.partner) {
            guard let distance = reader.varint(), distance > 0, distance <= UInt64(ordinal) else { return false }
            record.partner = UInt32(distance)
            net = netFacts[ordinal &- Int(distance)]
        } else {
            if layout.contains(.sequences) {
                guard let first = reader.fixed(UInt64.self) else { return false }
                net.requestSequence = first
                if layout.contains(.wideSequences) {
                    guard let second = reader.fixed(UInt64.self) else { return false }
                    net.responseSequence = second
                } else {
                    net.requestSequence = first & 0xffff_ffff
                    net.responseSequence = first &>> 32
                }
            }
            if layout.contains(.flow) {
                guard let ends = reader.fixed(UInt64.self) else { return false }
                net.flow = UInt32(truncatingIfNeeded: ends)
                net.initiator = UInt32(truncatingIfNeeded: ends &>> 32)
            }
        }
        netFacts.append(net)
        record.requestSequence = net.requestSequence
        record.responseSequence = net.responseSequence
        record.flow = net.flow
        record.initiator = net.initiator
        return true
    }

    @inline(__always) private mutating func readThreadKey(
        _ record: inout StagedSpan, _ reader: inout ByteReader, _ layout: SpanLayout
    ) -> Bool {
        if layout.contains(.newThreadKey) {
            guard let key = reader.fixed(UInt64.self) else { return false }
            threadKeys.append(key)
            record.threadKey = key
        } else if layout.contains(.oldThreadKey) {
            guard let distance = reader.varint(), distance < UInt64(threadKeys.count) else { return false }
            record.threadKey = threadKeys[threadKeys.count &- 1 &- Int(distance)]
        }
        return true
    }

    @inline(__always) private mutating func readTimes(
        _ record: inout StagedSpan, _ reader: inout ByteReader, _ layout: SpanLayout
    ) -> Bool {
        var service = 0
        if layout.contains(.process) {
            guard let thread = reader.varint(), thread < UInt64(services.count) else { return false }
            record.thread = UInt32(truncatingIfNeeded: thread &+ 1)
            service = services[Int(thread)]
        }
        let clock = clocks.base + service
        if record.flags.contains(.hasKernelTime) {
            guard let difference = reader.zigzag() else { return false }
            clock.pointee.kernelTime &+= difference
            record.kernelTime = clock.pointee.kernelTime
        }
        guard let difference = reader.zigzag() else { return false }
        clock.pointee.offset &+= difference
        record.clock = clock.pointee.offset
        if record.flags.contains(.entry) {
            guard let duration = reader.varint(), duration < UInt64(UInt32.max) else { return false }
            record.duration = duration == 0 ? SpanRecord.noResponse : UInt32(duration &- 1)
        }
        return true
    }
}
