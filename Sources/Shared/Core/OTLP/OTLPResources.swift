import Linking

/// The resources of one request: spans with equal resource facts share one `ResourceSpans`.
///
/// Found by the raw values of the facts, so that the attributes are written once a resource and not once a span.
struct OTLPResources: ~Copyable {
    /// One resource and the spans of the request that belong to it.
    struct Resource {
        /// The facts as read: for each its slot, kind, length, and bytes.
        var key: [UInt8]
        /// `ResourceSpans.resource` with tag and length.
        var encoded: [UInt8]
        /// Tags, lengths and bytes of its spans.
        var spanBytes = 0
        /// First and last of its spans in the encoder's list; -1: none.
        var first = -1
        var last = -1
    }

    /// Beyond this many the table is emptied between requests.
    static let most = 4096

    private(set) var all: [Resource] = []
    /// Open addressing: hash to place in `all` plus one; 0 is empty.
    private var table: [Int32]
    private var hashes: [UInt64] = []

    init() { table = [Int32](repeating: 0, count: 64) }

    /// The place of a resource, or nil when it is new.
    @inline(__always) func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Int? {
        var place = Int(truncatingIfNeeded: hash) & (table.count &- 1)
        while table[place] != 0 {
            let index = Int(table[place]) &- 1
            if hashes[index] == hash, isEqual(all[index].key, key) { return index }
            place = (place &+ 1) & (table.count &- 1)
        }
        return nil
    }

    private func isEqual(_ known: [UInt8], _ key: UnsafeRawBufferPointer) -> Bool {
        known.count == key.count && known.withRawBytes { $0.elementsEqual(key) }
    }

    /// Adds a resource that `find` did not find.
    mutating func add(_ resource: Resource, hash: UInt64) -> Int {
        if (all.count + 1) * 2 > table.count { grow() }
        all.append(resource)
        hashes.append(hash)
        put(all.count - 1)
        return all.count - 1
    }

    private mutating func put(_ index: Int) {
        var place = Int(truncatingIfNeeded: hashes[index]) & (table.count - 1)
        while table[place] != 0 { place = (place + 1) & (table.count - 1) }
        table[place] = Int32(index + 1)
    }

    private mutating func grow() {
        table = [Int32](repeating: 0, count: table.count * 2)
        for index in all.indices { put(index) }
    }

    /// Takes note of one more span of a resource, the `entry`-th of the list. Returns the one before it, or -1.
    @inline(__always) mutating func append(_ entry: Int, bytes: Int, to index: Int) -> Int {
        let last = all[index].last
        if last < 0 { all[index].first = entry }
        all[index].last = entry
        all[index].spanBytes &+= bytes
        return last
    }

    /// Forgets the spans; the resources stay known, places do not change.
    mutating func removeSpans() {
        for index in all.indices {
            all[index].spanBytes = 0
            all[index].first = -1
            all[index].last = -1
        }
    }

    /// Forgets everything. Places are invalid then.
    mutating func removeAll() {
        all.removeAll()
        hashes.removeAll()
        table = [Int32](repeating: 0, count: 64)
    }
}
