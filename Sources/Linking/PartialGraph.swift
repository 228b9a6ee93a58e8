// What one worker knows of one epoch of its partitions, on its way to the merge.
//
// It is a set of immutable facts: every span of the epoch with its link facts and its place in the span log, and never
// a decision. Two spans of one flow with one net key (the two ends of a request) share those facts: the second one
// names the first instead of repeating them. That pairing is what makes the graph small, and nothing else: the merge
// sees the same set of spans whoever paired what (docs/adr/0001).
//
//     header      magic "EPG1" · version u8 · epoch · first partition · partition end · piece · flags (1: last piece)
//                 · manifest: count × (router, first position, end position)
//     dictionary  services: count × (scope u64 · pid) · threads: count × (service · tid · user thread u8)
//                 · shapes: count × (span flags u16 · layout u8)
//     commits     count × (router · position, by difference · first row · spans · skipped rows: count × row difference)
//     spans       one after another, in the order of the commits' rows:
//                   shape u8 or varint
//                   partner: distance back to the span that has the other facts             (layout bit 0)
//                   or req_seq u32, resp_seq u32 (u64 each with bit 1) · flow u32 · initiator u32 (bit 2)
//                   thread key: u64 (bit 3), or distance back in the order of new keys (bit 4), or none
//                   thread of the process (bit 5)
//                   ktime, zigzag difference to the last of the service                     (with flag hasKernelTime)
//                   start - ktime / 1000, zigzag difference to the last of the service
//                   duration + 1, 0 without response (of entries only)
//                   given id u64 (flags givenID, passThrough) · application ids 3 × u64 (flag hasApplication)
//
// Numbers are unsigned LEB128 where no width is named; everything is little-endian. The writer is a worker, the
// readers are merges of this version and the next. A graph ends with its last byte; anything else is an error.

/// The frame of one partial graph: what it covers, and which slice of each log it was made of.
public struct PartialGraphHeader: Hashable, Sendable {
    /// The first partition covered, and the one after the last.
    public var firstPartition: UInt16
    public var endPartition: UInt16
    public var epoch: Epoch
    /// 0, 1, 2 … : a large epoch is published in pieces.
    public var piece: UInt32
    /// True on the last piece of the epoch: after it, the worker has told all it knows of the epoch.
    public var isLastPiece: Bool
    /// For each router's log, the slice of positions the graph was made of.
    public var manifest: [ManifestSlice]

    public init(
        firstPartition: UInt16, endPartition: UInt16, epoch: Epoch, piece: UInt32, isLastPiece: Bool,
        manifest: [ManifestSlice] = []
    ) {
        self.firstPartition = firstPartition
        self.endPartition = endPartition
        self.epoch = epoch
        self.piece = piece
        self.isLastPiece = isLastPiece
        self.manifest = manifest
    }
}

/// The slice of one router's log that a partial graph was made of.
public struct ManifestSlice: Hashable, Sendable {
    public var router: RouterOrdinal
    public var from: LogPosition
    public var to: LogPosition
    public init(router: RouterOrdinal, from: LogPosition, to: LogPosition) {
        self.router = router
        self.from = from
        self.to = to
    }
}

/// Why bytes are not a partial graph or a verdict block.
public struct CodecError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

/// What a span's bytes hold, beside its flags.
struct SpanLayout: OptionSet, Hashable {
    var rawValue: UInt8
    static let partner = SpanLayout(rawValue: 1 << 0)
    static let wideSequences = SpanLayout(rawValue: 1 << 1)
    static let flow = SpanLayout(rawValue: 1 << 2)
    static let newThreadKey = SpanLayout(rawValue: 1 << 3)
    static let oldThreadKey = SpanLayout(rawValue: 1 << 4)
    static let process = SpanLayout(rawValue: 1 << 5)
    static let sequences = SpanLayout(rawValue: 1 << 6)
}

extension SpanFacts {
    /// Facts as they are after a way through a partial graph: without the duration of an exit, without numbers that no
    /// flag vouches for, and of a pass-through span only id, flags and application ids. Such facts have the same id.
    public var travelling: SpanFacts {
        var facts = recognised
        if flags.contains(.passThrough) {
            facts = SpanFacts()
            facts.flags = flags
            facts.id = id
            facts.application = recognised.application
            return facts
        }
        facts.duration = isEntry ? travellingDuration : 0
        if flags.isDisjoint(with: .givenID) { facts.id = facts.computedID }
        return facts
    }

    /// Without response -1; saturated at 71 minutes.
    @inline(__always) var travellingDuration: Int64 { min(max(duration, -1), Int64(UInt32.max) - 2) }
}
