// The spans of a partial graph, one by one as facts or all at once as records for the merge.

extension SpanRecord {
    /// A record before its span is read. What the merge alone knows has another meaning while the span is *staged*:
    ///
    ///     process   index + 1 into the graph's threads, 0 without pid
    ///     commit    index into the graph's commits
    ///     sparse    index + 1 into the decoder's sparse facts
    ///     mate      how many spans before this one its partner stands, 0 without
    ///     group     hash of `req_seq`
    ///     next      hash of the thread key
    static let unread = SpanRecord(
        requestSequence: 0, responseSequence: 0, threadKey: 0, kernelTime: 0, start: 0, duration: 0, flow: 0,
        initiator: 0, process: 0, commit: 0, row: 0, sparse: 0, group: 0, next: 0, node: none, mate: 0, flags: [])
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
        var record = SpanRecord.unread
        sparse.removeAll()
        var reader = reader
        guard read(&record, &reader) else { throw CodecError("partial graph: span \(ordinal) is torn") }
        self.reader = reader
        let span = Span(
            facts: facts(of: record), commit: UInt32(commit), row: row, thread: record.process, partner: record.mate)
        row &+= 1
        spansOfCommit += 1
        ordinal += 1
        return span
    }

    private func facts(of record: SpanRecord) -> SpanFacts {
        var facts = SpanFacts()
        facts.flags = record.flags
        (facts.requestSequence, facts.responseSequence) = (record.requestSequence, record.responseSequence)
        (facts.flow, facts.initiator, facts.threadKey) = (record.flow, record.initiator, record.threadKey)
        (facts.kernelTime, facts.start) = (record.kernelTime, record.start)
        facts.duration = record.hasResponse ? Int64(record.duration) : -1
        if record.process > 0 {
            let thread = threads[Int(record.process) - 1]
            (facts.scope, facts.processID, facts.threadID) = (thread.scope, thread.processID, thread.threadID)
        }
        if record.sparse > 0 {
            facts.application = sparse[Int(record.sparse) - 1].application
            facts.id = sparse[Int(record.sparse) - 1].givenID
        }
        return facts
    }

    /// Reads all spans, none of which was read before, as staged records. On an error `records` holds nothing of use.
    mutating func readAll(into records: inout Column<SpanRecord>) throws(CodecError) {
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
                record.initialize(to: .unread)
                guard read(&record.pointee, &reader) else {
                    throw CodecError("partial graph: span \(ordinal) is torn")
                }
                record.pointee.commit = UInt32(truncatingIfNeeded: commit)
                record.pointee.row = row
                record.pointee.group = KeyTable.hash(record.pointee.requestSequence)
                record.pointee.next = KeyTable.hash(record.pointee.threadKey)
                row &+= 1
                ordinal &+= 1
            }
        }
        guard reader.remaining == 0 else { throw CodecError("partial graph: bytes after the last span") }
        records.advance(by: ordinal)
    }

    @inline(__always) private mutating func read(_ record: inout SpanRecord, _ reader: inout ByteReader) -> Bool {
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

    @inline(never) private mutating func readSparse(_ record: inout SpanRecord, _ reader: inout ByteReader) -> Bool {
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
        _ record: inout SpanRecord, _ reader: inout ByteReader, _ layout: SpanLayout
    ) -> Bool {
        var net = NetFacts()
        if layout.contains(.partner) {
            guard let distance = reader.varint(), distance > 0, distance <= UInt64(ordinal) else { return false }
            record.mate = UInt32(distance)
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
        _ record: inout SpanRecord, _ reader: inout ByteReader, _ layout: SpanLayout
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
        _ record: inout SpanRecord, _ reader: inout ByteReader, _ layout: SpanLayout
    ) -> Bool {
        var service = 0
        if layout.contains(.process) {
            guard let thread = reader.varint(), thread < UInt64(services.count) else { return false }
            record.process = UInt32(truncatingIfNeeded: thread &+ 1)
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
        record.start = clock.pointee.offset
        if record.flags.contains(.hasKernelTime) { record.start &+= record.kernelTime / 1000 }
        if record.flags.contains(.entry) {
            guard let duration = reader.varint(), duration < UInt64(UInt32.max) else { return false }
            record.duration = duration == 0 ? SpanRecord.noResponse : UInt32(duration &- 1)
        }
        return true
    }
}
