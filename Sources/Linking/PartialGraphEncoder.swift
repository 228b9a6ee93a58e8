/// Writes a partial graph span by span, as the worker reads its facts; keeps no span.
///
/// Expected O(1) a span; memory is the bytes written (about 20 a span) and the tables of the piece.
public struct PartialGraphEncoder: ~Copyable {
    private struct Commit {
        var router: RouterOrdinal
        var position: LogPosition
        var firstRow: UInt32
        var nextRow: UInt32
        var spans: UInt32
        var skipped: [UInt32]

        static let none = Commit(
            router: RouterOrdinal(0), position: LogPosition(0), firstRow: 0, nextRow: 0, spans: 0, skipped: [])
    }

    struct Service {
        var scope: UInt64
        var processID: UInt64
        var lastKernelTime: Int64 = 0
        var lastOffset: Int64 = 0
    }

    struct Thread {
        var service: UInt32
        var threadID: UInt64
        var isUserThread: Bool
    }

    /// More rows left out in a row cost more bytes than naming the commit again.
    private static let longestSkip: UInt32 = 12

    private var spans = ByteWriter(reserving: 1 << 16)
    /// The commits before `commit`, which is the one that takes rows; without spans before the first.
    private var commits: [Commit] = []
    private var commit = Commit.none
    /// Place 0 stands for all spans without a pid; the others are written as the dictionary.
    private var services = Column<Service>(capacity: 64)
    private var serviceTable = KeyTable(minimumCapacity: 64)
    private var threads = Column<Thread>(capacity: 256)
    private var threadTable = KeyTable(minimumCapacity: 256)
    private var shapes: [UInt32] = []
    private var shapeOf = [UInt32: UInt32]()
    private var lastShape: (code: UInt32, index: UInt32) = (.max, 0)
    private var threadKeys = Column<UInt64>(capacity: 1024)
    private var threadKeyTable = KeyTable(minimumCapacity: 1024)
    private var pairing = FlowPairing()
    public private(set) var spanCount = 0

    public init() { services.append(Service(scope: 0, processID: 0)) }

    /// Facts that a span is looked up by, named as in `SpanFacts`.
    public struct Keys {
        var requestSequence: UInt64
        var responseSequence: UInt64
        var threadKey: UInt64
        var scope: UInt64
        var processID: UInt64
        var threadID: UInt64

        public init(
            requestSequence: UInt64, responseSequence: UInt64, threadKey: UInt64, scope: UInt64, processID: UInt64,
            threadID: UInt64
        ) {
            self.requestSequence = requestSequence
            self.responseSequence = responseSequence
            self.threadKey = threadKey
            self.scope = scope
            self.processID = processID
            self.threadID = threadID
        }
    }

    /// Brings the places where a span with these keys will be looked for into the cache; call it some spans ahead.
    public func prefetch(_ keys: Keys) {
        pairing.prefetch(keys.requestSequence, keys.responseSequence)
        threadKeyTable.prefetch(KeyTable.hash(keys.threadKey))
        threadTable.prefetch(Self.threadHash(keys.scope, keys.processID, keys.threadID))
    }

    @inline(__always) private static func threadHash(
        _ scope: UInt64, _ processID: UInt64, _ threadID: UInt64
    ) -> UInt32 {
        KeyTable.hash(threadID &+ (scope &+ processID &* 0x9E37_79B9_7F4A_7C15) &* 0xC2B2_AE3D_27D4_EB4F)
    }

    public var isEmpty: Bool { spanCount == 0 }
    /// About the size the graph will have, bytes.
    public var byteCount: Int { spans.count + threads.count * 4 + services.count * 12 + commits.count * 8 }

    /// Adds one span. Spans of one commit come in the order of their rows.
    public mutating func append(_ facts: SpanFacts, at address: RowAddress) {
        place(address)
        var layout = SpanLayout()
        let partner = facts.flags.contains(.passThrough) ? nil : pairing.partner(of: facts, ordinal: UInt32(spanCount))
        if facts.flags.contains(.passThrough) {
            // Nothing of it links: the id is all that travels.
        } else if partner != nil {
            layout.insert(.partner)
        } else {
            if facts.requestSequence | facts.responseSequence != 0 { layout.insert(.sequences) }
            if facts.requestSequence | facts.responseSequence > UInt64(UInt32.max) { layout.insert(.wideSequences) }
            if facts.flags.contains(.hasFlow) { layout.insert(.flow) }
        }
        var keyDistance: UInt64 = 0
        if facts.threadKey != 0, !facts.flags.contains(.passThrough) {
            if let old = knownThreadKey(facts.threadKey) {
                layout.insert(.oldThreadKey)
                keyDistance = UInt64(threadKeys.count - 1 - Int(old))
            } else {
                layout.insert(.newThreadKey)
            }
        }
        if facts.flags.contains(.hasPID), !facts.flags.contains(.passThrough) { layout.insert(.process) }
        write(facts, layout: layout, partner: partner, keyDistance: keyDistance)
        spanCount += 1
    }

    private mutating func write(_ facts: SpanFacts, layout: SpanLayout, partner: UInt32?, keyDistance: UInt64) {
        spans.varint(UInt64(shape(facts.flags, layout)))
        if let partner { spans.varint(UInt64(spanCount) - UInt64(partner)) }
        if layout.contains(.sequences) {
            if layout.contains(.wideSequences) {
                spans.fixed(facts.requestSequence)
                spans.fixed(facts.responseSequence)
            } else {
                spans.fixed(facts.requestSequence | facts.responseSequence << 32)
            }
        }
        if layout.contains(.flow) { spans.fixed(UInt64(facts.flow) | UInt64(facts.initiator) << 32) }
        if layout.contains(.newThreadKey) { spans.fixed(facts.threadKey) }
        if layout.contains(.oldThreadKey) { spans.varint(keyDistance) }
        if !facts.flags.contains(.passThrough) { writeTimes(facts, layout: layout) }
        if !facts.flags.isDisjoint(with: [.givenID, .passThrough]) { spans.fixed(facts.id.bits) }
        if facts.flags.contains(.hasApplication) {
            spans.fixed(facts.application.traceLow)
            spans.fixed(facts.application.traceHigh)
            spans.fixed(facts.application.parent)
        }
    }

    private mutating func writeTimes(_ facts: SpanFacts, layout: SpanLayout) {
        var service = 0
        if layout.contains(.process) {
            let thread = thread(of: facts)
            spans.varint(UInt64(thread))
            service = Int(threads[Int(thread)].service)
        }
        var offset = facts.start
        if facts.flags.contains(.hasKernelTime) {
            spans.zigzag(facts.kernelTime &- services[service].lastKernelTime)
            services[service].lastKernelTime = facts.kernelTime
            offset = facts.start &- facts.kernelTime / 1000
        }
        spans.zigzag(offset &- services[service].lastOffset)
        services[service].lastOffset = offset
        if facts.isEntry { spans.varint(UInt64(facts.travellingDuration + 1)) }
    }

    /// Notes the row of the next span; rows left out (duplicates) become skips, longer gaps begin the commit anew.
    private mutating func place(_ address: RowAddress) {
        if commit.spans > 0, commit.router == address.router, commit.position == address.position,
            address.row >= commit.nextRow, address.row - commit.nextRow <= Self.longestSkip {
            if address.row > commit.nextRow { commit.skipped += Array(commit.nextRow..<address.row) }
            commit.nextRow = address.row + 1
            commit.spans += 1
            return
        }
        if commit.spans > 0 { commits.append(commit) }
        commit = Commit(
            router: address.router, position: address.position, firstRow: address.row, nextRow: address.row + 1,
            spans: 1, skipped: [])
    }

    private mutating func shape(_ flags: SpanFlags, _ layout: SpanLayout) -> UInt32 {
        let code = UInt32(flags.rawValue) | UInt32(layout.rawValue) << 16
        if code == lastShape.code { return lastShape.index }
        let index: UInt32
        if let known = shapeOf[code] {
            index = known
        } else {
            index = UInt32(shapes.count)
            shapes.append(code)
            shapeOf[code] = index
        }
        lastShape = (code, index)
        return index
    }

    private mutating func knownThreadKey(_ key: UInt64) -> UInt32? {
        let hash = KeyTable.hash(key)
        let known = threadKeys.base
        let slot = threadKeyTable.probe(hash) { known[Int($0)] == key }
        if let index = slot.pointee.index { return index }
        threadKeyTable.occupy(slot, hash, UInt32(threadKeys.count))
        threadKeys.append(key)
        return nil
    }

    private mutating func serviceIndex(_ scope: UInt64, _ processID: UInt64) -> UInt32 {
        let hash = KeyTable.hash(scope &+ processID &* 0x9E37_79B9_7F4A_7C15)
        let known = services.base
        let slot = serviceTable.probe(hash) {
            known[Int($0)].scope == scope && known[Int($0)].processID == processID
        }
        if let index = slot.pointee.index { return index }
        let index = UInt32(services.count)
        serviceTable.occupy(slot, hash, index)
        services.append(Service(scope: scope, processID: processID))
        return index
    }

    private mutating func thread(of facts: SpanFacts) -> UInt32 {
        let isUserThread = facts.flags.contains(.userThread)
        let hash = Self.threadHash(facts.scope, facts.processID, facts.threadID)
        let (known, owners) = (threads.base, services.base)
        let slot = threadTable.probe(hash) {
            let thread = known[Int($0)]
            let service = owners[Int(thread.service)]
            return thread.threadID == facts.threadID && thread.isUserThread == isUserThread
                && service.scope == facts.scope && service.processID == facts.processID
        }
        if let index = slot.pointee.index { return index }
        let index = UInt32(threads.count)
        threadTable.occupy(slot, hash, index)
        let service = serviceIndex(facts.scope, facts.processID)
        threads.append(Thread(service: service, threadID: facts.threadID, isUserThread: isUserThread))
        return index
    }

    /// Ends the piece: returns its bytes and leaves the encoder empty.
    public mutating func finish(_ header: PartialGraphHeader) -> [UInt8] {
        var out = ByteWriter(reserving: byteCount + 256)
        for byte in PartialGraphFormat.magic { out.byte(byte) }
        out.byte(PartialGraphFormat.version)
        out.varint(header.epoch.number)
        out.varint(UInt64(header.firstPartition))
        out.varint(UInt64(header.endPartition))
        out.varint(UInt64(header.piece))
        out.byte(header.isLastPiece ? 1 : 0)
        out.varint(UInt64(header.manifest.count))
        for slice in header.manifest {
            out.varint(UInt64(slice.router.number))
            out.varint(slice.from.offset)
            out.varint(slice.to.offset)
        }
        writeDictionaries(to: &out)
        if commit.spans > 0 { commits.append(commit) }
        out.varint(UInt64(commits.count))
        var position: UInt64 = 0
        for commit in commits {
            out.varint(UInt64(commit.router.number))
            out.zigzag(Int64(bitPattern: commit.position.offset &- position))
            position = commit.position.offset
            out.varint(UInt64(commit.firstRow))
            out.varint(UInt64(commit.spans))
            out.varint(UInt64(commit.skipped.count))
            var row = commit.firstRow
            for skipped in commit.skipped {
                out.varint(UInt64(skipped - row))
                row = skipped
            }
        }
        out.append(spans)
        removeAll()
        return out.bytes
    }

    /// Empties the encoder and keeps its memory: fresh pages would cost more than the tables' cleaning.
    private mutating func removeAll() {
        spans.removeAll()
        commits.removeAll(keepingCapacity: true)
        commit = .none
        services.removeAll()
        services.append(Service(scope: 0, processID: 0))
        serviceTable.removeAll()
        threads.removeAll()
        threadTable.removeAll()
        shapes.removeAll(keepingCapacity: true)
        shapeOf.removeAll(keepingCapacity: true)
        lastShape = (.max, 0)
        threadKeys.removeAll()
        threadKeyTable.removeAll()
        pairing.removeAll()
        spanCount = 0
    }

    private func writeDictionaries(to out: inout ByteWriter) {
        out.varint(UInt64(services.count - 1))
        for place in 1..<services.count {
            out.fixed(services[place].scope)
            out.varint(services[place].processID)
        }
        out.varint(UInt64(threads.count))
        for place in threads.indices {
            let thread = threads[place]
            out.varint(UInt64(thread.service - 1))
            out.varint(thread.threadID)
            out.byte(thread.isUserThread ? 1 : 0)
        }
        out.varint(UInt64(shapes.count))
        for shape in shapes {
            out.fixed(UInt16(truncatingIfNeeded: shape))
            out.byte(UInt8(truncatingIfNeeded: shape >> 16))
        }
    }
}

/// Constants of the format, for writer and reader.
enum PartialGraphFormat {
    static let magic: [UInt8] = Array("EPG1".utf8)
    static let version: UInt8 = 1
}
