/// Reads a partial graph span by span. Every byte is checked: a torn or hostile graph is a `CodecError`, never a trap,
/// and allocates at most a small multiple of its own size.
public struct PartialGraphDecoder: ~Copyable {
    /// A process's thread, as the graph's dictionary has it.
    public struct Thread: Hashable, Sendable {
        public var scope: UInt64
        public var processID: UInt64
        public var threadID: UInt64
        public var isUserThread: Bool
        var service: Int
    }

    /// A commit and the rows of it that the graph tells about.
    public struct Commit: Hashable, Sendable {
        public var router: RouterOrdinal
        public var position: LogPosition
        var firstRow: UInt32
        var spans: Int
        var skipped: [UInt32]
    }

    /// One span of the graph.
    public struct Span: Hashable, Sendable {
        public var facts: SpanFacts
        /// Index into `commits`.
        public var commit: UInt32
        public var row: UInt32
        /// Index + 1 into `threads`; 0 without pid.
        public var thread: UInt32
        /// How many spans before this one its partner stands; 0 without.
        public var partner: UInt32
    }

    /// What two ends of a request have in common.
    struct NetFacts {
        var requestSequence: UInt64 = 0
        var responseSequence: UInt64 = 0
        var flow: UInt32 = 0
        var initiator: UInt32 = 0
    }

    public let header: PartialGraphHeader
    public let threads: [Thread]
    public let commits: [Commit]
    public let spanCount: Int

    private var reader: ByteReader
    private let shapes: [(flags: SpanFlags, layout: SpanLayout)]
    private var lastKernelTime = Column<Int64>()
    private var lastOffset = Column<Int64>()
    private var netFacts = Column<NetFacts>()
    private var threadKeys = Column<UInt64>(capacity: 64)
    private var commit = 0
    private var spansOfCommit = 0
    private var row: UInt32 = 0
    private var skip = 0
    private var ordinal = 0

    /// Reads header and dictionaries. The bytes must stay as they are until the last span is read.
    public init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
        self.init(frame: try Frame(bytes))
    }

    private init(frame: Frame) {
        header = frame.header
        threads = frame.threads
        commits = frame.commits
        spanCount = frame.spanCount
        shapes = frame.shapes
        reader = frame.reader
        lastKernelTime.fill(0, count: frame.serviceCount + 1)
        lastOffset.fill(0, count: frame.serviceCount + 1)
        netFacts = Column(capacity: frame.spanCount)
        row = frame.commits.first?.firstRow ?? 0
    }

    /// What comes before the spans.
    private struct Frame {
        var header: PartialGraphHeader
        var serviceCount: Int
        var threads: [Thread]
        var shapes: [(flags: SpanFlags, layout: SpanLayout)] = []
        var commits: [Commit]
        var spanCount = 0
        var reader: ByteReader

        init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
            var reader = ByteReader(bytes)
            header = try PartialGraphDecoder.readHeader(&reader)
            let services = try PartialGraphDecoder.readServices(&reader)
            serviceCount = services.count
            threads = try PartialGraphDecoder.readThreads(&reader, services)
            guard let shapeCount = reader.count(ofSize: 3) else { throw CodecError("partial graph: shapes are torn") }
            for _ in 0..<shapeCount {
                guard let flags = reader.fixed(UInt16.self), let layout = reader.byte() else {
                    throw CodecError("partial graph: shapes are torn")
                }
                shapes.append((SpanFlags(rawValue: flags), SpanLayout(rawValue: layout)))
            }
            commits = try PartialGraphDecoder.readCommits(&reader)
            for commit in commits { spanCount += commit.spans }
            guard spanCount <= reader.remaining else { throw CodecError("partial graph: more spans than bytes") }
            self.reader = reader
        }
    }

    private static func readServices(_ reader: inout ByteReader) throws(CodecError) -> [(UInt64, UInt64)] {
        guard let count = reader.count(ofSize: 9) else { throw CodecError("partial graph: services are torn") }
        var services: [(UInt64, UInt64)] = []
        services.reserveCapacity(count)
        for _ in 0..<count {
            guard let scope = reader.fixed(UInt64.self), let process = reader.varint() else {
                throw CodecError("partial graph: services are torn")
            }
            services.append((scope, process))
        }
        return services
    }

    private static func readHeader(_ reader: inout ByteReader) throws(CodecError) -> PartialGraphHeader {
        for expected in PartialGraphFormat.magic {
            guard reader.byte() == expected else { throw CodecError("not a partial graph: magic EPG1 is missing") }
        }
        guard let version = reader.byte(), version == PartialGraphFormat.version else {
            throw CodecError("partial graph: version is not \(PartialGraphFormat.version)")
        }
        guard let epoch = reader.varint(), let first = reader.varint(), let end = reader.varint(),
            let piece = reader.varint(), let flags = reader.byte(), first < end, end <= 65_535,
            piece <= UInt64(UInt32.max), let slices = reader.count(ofSize: 3)
        else { throw CodecError("partial graph: header is torn") }
        var manifest: [ManifestSlice] = []
        for _ in 0..<slices {
            guard let router = reader.varint(), router <= 65_535, let from = reader.varint(), let to = reader.varint()
            else { throw CodecError("partial graph: manifest is torn") }
            manifest.append(
                ManifestSlice(
                    router: RouterOrdinal(UInt16(router)), from: LogPosition(from), to: LogPosition(to)))
        }
        return PartialGraphHeader(
            firstPartition: UInt16(first), endPartition: UInt16(end), epoch: Epoch(epoch), piece: UInt32(piece),
            isLastPiece: flags & 1 == 1, manifest: manifest)
    }

    private static func readThreads(
        _ reader: inout ByteReader, _ services: [(UInt64, UInt64)]
    ) throws(CodecError) -> [Thread] {
        guard let count = reader.count(ofSize: 3) else { throw CodecError("partial graph: threads are torn") }
        var threads: [Thread] = []
        threads.reserveCapacity(count)
        for _ in 0..<count {
            guard let service = reader.varint(), service < UInt64(services.count), let thread = reader.varint(),
                let isUser = reader.byte()
            else { throw CodecError("partial graph: threads are torn") }
            let (scope, process) = services[Int(service)]
            threads.append(
                Thread(
                    scope: scope, processID: process, threadID: thread, isUserThread: isUser != 0,
                    service: Int(service) + 1))
        }
        return threads
    }

    private static func readCommits(_ reader: inout ByteReader) throws(CodecError) -> [Commit] {
        guard let count = reader.count(ofSize: 5) else { throw CodecError("partial graph: commits are torn") }
        var commits: [Commit] = []
        commits.reserveCapacity(count)
        var position: UInt64 = 0
        for _ in 0..<count {
            guard let router = reader.varint(), router <= 65_535, let difference = reader.zigzag(),
                let firstRow = reader.varint(), let spans = reader.varint(), let skips = reader.count(ofSize: 1),
                firstRow <= UInt64(UInt32.max), spans > 0, spans <= UInt64(reader.remaining)
            else { throw CodecError("partial graph: commits are torn") }
            position = position &+ UInt64(bitPattern: difference)
            var row = firstRow
            var skipped: [UInt32] = []
            for _ in 0..<skips {
                guard let distance = reader.varint(), distance > 0, distance <= UInt64(UInt32.max) else {
                    throw CodecError("partial graph: skipped rows are torn")
                }
                row += distance
                guard row <= UInt64(UInt32.max) else { throw CodecError("partial graph: a row is out of range") }
                skipped.append(UInt32(row))
            }
            guard firstRow + spans + UInt64(skips) <= UInt64(UInt32.max) else {
                throw CodecError("partial graph: a row is out of range")
            }
            commits.append(
                Commit(
                    router: RouterOrdinal(UInt16(router)), position: LogPosition(position), firstRow: UInt32(firstRow),
                    spans: Int(spans), skipped: skipped))
        }
        return commits
    }

    /// The next span; `nil` after the last. Expected O(1).
    public mutating func next() throws(CodecError) -> Span? {
        var span = Span(facts: SpanFacts(), commit: 0, row: 0, thread: 0, partner: 0)
        return try next(&span) ? span : nil
    }

    /// Reads the next span into `span`; false after the last.
    @inline(__always) mutating func next(_ span: inout Span) throws(CodecError) -> Bool {
        guard ordinal < spanCount else {
            guard reader.remaining == 0 else { throw CodecError("partial graph: bytes after the last span") }
            return false
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
        span = Span(facts: SpanFacts(), commit: UInt32(commit), row: row, thread: 0, partner: 0)
        guard read(&span) else { throw CodecError("partial graph: span \(ordinal) is torn") }
        row &+= 1
        spansOfCommit += 1
        ordinal += 1
        return true
    }

    private mutating func read(_ span: inout Span) -> Bool {
        guard let shape = reader.varint(), shape < UInt64(shapes.count) else { return false }
        let (flags, layout) = shapes[Int(shape)]
        span.facts.flags = flags
        guard readNetFacts(&span, layout), readThreadKey(&span.facts, layout) else { return false }
        if !flags.contains(.passThrough) {
            guard readTimes(&span, layout) else { return false }
        }
        if !flags.isDisjoint(with: [.givenID, .passThrough]) {
            guard let id = reader.fixed(UInt64.self), id != 0 else { return false }
            span.facts.id = SpanID(id)
        }
        if flags.contains(.hasApplication) {
            guard let low = reader.fixed(UInt64.self), let high = reader.fixed(UInt64.self),
                let parent = reader.fixed(UInt64.self)
            else { return false }
            span.facts.application = ApplicationIDs(traceLow: low, traceHigh: high, parent: parent)
        }
        return true
    }

    @inline(__always) private mutating func readNetFacts(_ span: inout Span, _ layout: SpanLayout) -> Bool {
        var net = NetFacts()
        if layout.contains(.partner) {
            guard let distance = reader.varint(), distance > 0, distance <= UInt64(ordinal) else { return false }
            span.partner = UInt32(distance)
            net = netFacts[ordinal - Int(distance)]
        } else {
            if layout.contains(.sequences) {
                guard let first = reader.fixed(UInt64.self) else { return false }
                net.requestSequence = first
                if layout.contains(.wideSequences) {
                    guard let second = reader.fixed(UInt64.self) else { return false }
                    net.responseSequence = second
                } else {
                    net.requestSequence = first & 0xffff_ffff
                    net.responseSequence = first >> 32
                }
            }
            if layout.contains(.flow) {
                guard let ends = reader.fixed(UInt64.self) else { return false }
                net.flow = UInt32(truncatingIfNeeded: ends)
                net.initiator = UInt32(truncatingIfNeeded: ends >> 32)
            }
        }
        netFacts.append(net)
        span.facts.requestSequence = net.requestSequence
        span.facts.responseSequence = net.responseSequence
        span.facts.flow = net.flow
        span.facts.initiator = net.initiator
        return true
    }

    @inline(__always) private mutating func readThreadKey(_ facts: inout SpanFacts, _ layout: SpanLayout) -> Bool {
        if layout.contains(.newThreadKey) {
            guard let key = reader.fixed(UInt64.self) else { return false }
            threadKeys.append(key)
            facts.threadKey = key
        } else if layout.contains(.oldThreadKey) {
            guard let distance = reader.varint(), distance < UInt64(threadKeys.count) else { return false }
            facts.threadKey = threadKeys[threadKeys.count - 1 - Int(distance)]
        }
        return true
    }

    @inline(__always) private mutating func readTimes(_ span: inout Span, _ layout: SpanLayout) -> Bool {
        var service = 0
        if layout.contains(.process) {
            guard let thread = reader.varint(), thread < UInt64(threads.count) else { return false }
            span.thread = UInt32(thread) + 1
            span.facts.scope = threads[Int(thread)].scope
            span.facts.processID = threads[Int(thread)].processID
            span.facts.threadID = threads[Int(thread)].threadID
            service = threads[Int(thread)].service
        }
        if span.facts.flags.contains(.hasKernelTime) {
            guard let difference = reader.zigzag() else { return false }
            lastKernelTime[service] = lastKernelTime[service] &+ difference
            span.facts.kernelTime = lastKernelTime[service]
        }
        guard let difference = reader.zigzag() else { return false }
        lastOffset[service] = lastOffset[service] &+ difference
        span.facts.start = lastOffset[service]
        if span.facts.flags.contains(.hasKernelTime) {
            span.facts.start = span.facts.start &+ span.facts.kernelTime / 1000
        }
        if span.facts.isEntry {
            guard let duration = reader.varint(), duration < UInt64(UInt32.max) else { return false }
            span.facts.duration = Int64(duration) - 1
        }
        return true
    }
}
