import Linking
import Shared

/// The names and resources that spans share, each with a number; rows hold numbers.
///
/// Written while requests are encoded, read by searches as a snapshot (arrays are shared, not copied).
struct StoreNames {
    /// Numbers below are taken by the columns of fixed fields (`ColumnID`); 0: the name stands in the row.
    static let firstWord: UInt32 = 16

    /// What searches need.
    struct Snapshot: Sendable {
        var words: [String]
        var isKey: [Bool]
        var resources: [UInt32: [UInt8]]

        func word(_ id: UInt32) -> String? {
            let index = Int(id) - Int(StoreNames.firstWord)
            return words.indices.contains(index) ? words[index] : nil
        }

        /// The number of an attribute's name; nil when no span ever had it. O(words).
        func key(_ text: String) -> UInt32? {
            for (index, word) in words.enumerated() where isKey[index] && word == text {
                return UInt32(index) + StoreNames.firstWord
            }
            return nil
        }
    }

    /// One resource.
    struct Resource {
        var id: UInt32
        var bytes: [UInt8]
        /// Newest segment that was being gathered when a span named it.
        var last: Int
        /// The same as the database knows it; nil when it does not know the resource.
        var written: Int?
    }

    private(set) var words: [String] = []
    private(set) var isKey: [Bool] = []
    private var wordBytes: [UInt8] = []
    private var wordEnds: [Int] = []
    private var wordIndex: [UInt64: UInt32] = [:]
    private(set) var resources: [UInt64: Resource] = [:]
    private(set) var resourceBytes: [UInt32: [UInt8]] = [:]
    private var nextResource: UInt32 = 1
    /// Keys of the span before, in its order: most spans have the same.
    private var sequence: [UInt32] = []
    private var cursor = 0
    /// Words that the database has.
    var writtenWords = 0
    /// The segment that is being gathered.
    var segment = 0

    var snapshot: Snapshot { Snapshot(words: words, isKey: isKey, resources: resourceBytes) }

    // MARK: Words

    /// A new span's keys follow.
    @inline(__always) mutating func beginSpan() { cursor = 0 }

    /// The number of an attribute's key; 0 when there is no room for it.
    @inline(__always) mutating func key(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var ahead = cursor
        let limit = min(sequence.count, cursor &+ 6)
        while ahead < limit {
            let word = sequence[ahead]
            if isEqual(word, bytes) {
                cursor = ahead &+ 1
                return word
            }
            ahead &+= 1
        }
        return slowKey(bytes)
    }

    @inline(never) private mutating func slowKey(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let word = word(bytes, isKey: true)
        guard word != 0 else { return 0 }
        if let place = sequence.firstIndex(of: word) {
            cursor = place + 1
        } else if sequence.count < 1_024 {
            sequence.insert(word, at: min(cursor, sequence.count))
            cursor += 1
        }
        return word
    }

    @inline(__always) private func isEqual(_ word: UInt32, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let index = Int(word &- Self.firstWord)
        let start = index == 0 ? 0 : wordEnds[index &- 1]
        let count = wordEnds[index] &- start
        guard count == bytes.count, let base = bytes.baseAddress else { return false }
        return wordBytes.withUnsafeBytes { words in
            guard let from = words.baseAddress else { return false }
            return BytesEqual.areEqual(from + start, base, count)
        }
    }

    /// The number of a name; 0 when it is empty, too long or one too many.
    mutating func word(_ bytes: UnsafeRawBufferPointer, isKey: Bool) -> UInt32 {
        guard !bytes.isEmpty, bytes.count <= StoreLimits.wordBytes else { return 0 }
        // A key and a scope of one name are two words.
        let hash = StableHash.of(bytes) ^ (isKey ? 0 : 0x9e37_79b9_7f4a_7c15)
        if let known = wordIndex[hash] { return isEqual(known, bytes) ? known : 0 }
        guard words.count < StoreLimits.words else { return 0 }
        let id = UInt32(words.count) + Self.firstWord
        words.append(String(decoding: bytes, as: UTF8.self))
        self.isKey.append(isKey)
        wordBytes.append(contentsOf: bytes)
        wordEnds.append(wordBytes.count)
        wordIndex[hash] = id
        return id
    }

    /// The bytes of a word as they came.
    func bytes(ofWord index: Int) -> [UInt8] {
        Array(wordBytes[(index == 0 ? 0 : wordEnds[index - 1])..<wordEnds[index]])
    }

    // MARK: Resources

    /// The number of a resource; nil when there is no room for it.
    mutating func resource(_ bytes: UnsafeRawBufferPointer) -> UInt32? {
        guard bytes.count <= StoreLimits.resourceBytes else { return nil }
        var hash = StableHash.of(bytes)
        for _ in 0..<8 {
            guard let known = resources[hash] else { break }
            if known.bytes.elementsEqual(bytes) {
                resources[hash]?.last = segment
                return known.id
            }
            hash &+= 1
        }
        guard resources.count < StoreLimits.resources, resources[hash] == nil else { return nil }
        let content = Array(bytes)
        resources[hash] = Resource(id: nextResource, bytes: content, last: segment)
        resourceBytes[nextResource] = content
        defer { nextResource += 1 }
        return nextResource
    }

    /// Takes over what the database knows; in the order of the numbers.
    mutating func restore(word bytes: [UInt8], isKey: Bool) {
        _ = bytes.withUnsafeBytes { word($0, isKey: isKey) }
        writtenWords = words.count
    }

    mutating func restore(resource bytes: [UInt8], id: UInt32, last: Int) {
        var hash = bytes.withUnsafeBytes { StableHash.of($0) }
        while resources[hash] != nil { hash &+= 1 }
        resources[hash] = Resource(id: id, bytes: bytes, last: last, written: last)
        resourceBytes[id] = bytes
        nextResource = max(nextResource, id + 1)
    }

    /// Resources that the database lacks, or of whose use it knows too little.
    func resourcesToWrite() -> [(key: UInt64, resource: Resource)] {
        resources.compactMap { key, resource in
            guard let written = resource.written else { return (key, resource) }
            return written + StoreNames.slack < resource.last ? (key, resource) : nil
        }
    }

    mutating func noteWritten(resource key: UInt64, last: Int) { resources[key]?.written = last }

    /// Forgets resources that no segment from `oldest` on can name; gives their numbers.
    mutating func forgetResources(before oldest: Int) -> [UInt32] {
        var gone: [UInt32] = []
        for (key, resource) in resources where resource.last + 2 * Self.slack < oldest {
            gone.append(resource.id)
            resources[key] = nil
            resourceBytes[resource.id] = nil
        }
        return gone
    }

    /// The database is new: everything is to be written again.
    mutating func forgetWritten() {
        writtenWords = 0
        for key in resources.keys { resources[key]?.written = nil }
    }

    /// Segments by which the database may know too little of a resource's use.
    static let slack = 64
}

/// Comparison of short runs of bytes.
enum BytesEqual {
    @inline(__always) static func areEqual(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        var offset = 0
        while offset &+ 8 <= count {
            if left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                != right.loadUnaligned(fromByteOffset: offset, as: UInt64.self) { return false }
            offset &+= 8
        }
        while offset < count {
            if left.load(fromByteOffset: offset, as: UInt8.self) != right.load(fromByteOffset: offset, as: UInt8.self) {
                return false
            }
            offset &+= 1
        }
        return true
    }
}
