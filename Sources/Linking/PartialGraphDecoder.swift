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

    struct Shape {
        var flags: SpanFlags
        var layout: SpanLayout
    }

    /// What the times of a service's spans are told as differences to.
    struct Clock {
        var kernelTime: Int64 = 0
        var offset: Int64 = 0
    }

    var reader: ByteReader
    var shapes = Column<Shape>()
    /// By thread: place in `clocks`.
    var services = Column<Int>()
    var clocks = Column<Clock>()
    var netFacts = Column<NetFacts>()
    var threadKeys = Column<UInt64>(capacity: 64)
    /// Facts that few spans have, of the spans read so far.
    var sparse = Column<SparseFacts>(capacity: 1)
    var commit = 0
    var spansOfCommit = 0
    var row: UInt32 = 0
    var skip = 0
    var ordinal = 0

    /// Reads header and dictionaries. The bytes must stay as they are until the last span is read.
    public init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
        self.init(frame: try Frame(bytes))
    }

    private init(frame: Frame) {
        header = frame.header
        threads = frame.threads
        commits = frame.commits
        spanCount = frame.spanCount
        reader = frame.reader
        for shape in frame.shapes { shapes.append(shape) }
        for thread in frame.threads { services.append(thread.service) }
        clocks.fill(Clock(), count: frame.serviceCount + 1)
        netFacts = Column(capacity: frame.spanCount)
        row = frame.commits.first?.firstRow ?? 0
    }

    /// What comes before the spans.
    private struct Frame {
        var header: PartialGraphHeader
        var serviceCount: Int
        var threads: [Thread]
        var shapes: [Shape] = []
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
                shapes.append(Shape(flags: SpanFlags(rawValue: flags), layout: SpanLayout(rawValue: layout)))
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
}
