/// One end of a request, as rules R1 and R2 see it. `local` is the span's place in the canonical order (start, id).
struct NetEnd {
    var requestSequence: UInt64
    var responseSequence: UInt64
    var start: Int64
    var flow: UInt32
    var initiator: UInt32
    var local: UInt32
    var isIncoming: Bool
    var hasFlow: Bool
    var isMatched: Bool = false

    var isStrong: Bool { requestSequence != 0 && responseSequence != 0 }
}

/// Rules R1a, R1b and R2: which outgoing span asked what which incoming span answered; one-to-one.
///
///     group of equal req_seq
///       ├─ equal resp_seq, both strong ─┬─ R1a  mirrored flow           evidence net
///       │                               ├─ R1b  same initiator end      evidence net_key
///       │                               └─ R1b  the key alone           evidence net_key
///       └─ what is left over ───────────┬─ R2   mirrored flow           evidence net_weak
///                                       └─ R2   same initiator end      evidence net_weak
///
/// Within each group the pair with the smallest start difference is taken first. O(n log n) on any input: candidates
/// are neighbours in the order of starts, kept in a heap, because between two spans that are nearest to each other
/// there is never a third that could be paired with either.
struct NetMatcher: ~Copyable {
    typealias Ends = UnsafeMutableBufferPointer<NetEnd>

    /// A decided edge: child's and parent's places in the canonical order.
    struct Edge {
        var child: UInt32
        var parent: UInt32
        var evidence: LinkEvidence
    }

    private(set) var edges = Column<Edge>()
    private var datakitCompatible = false

    init() {}

    /// Matches all ends given. The order of `ends` on entry does not matter.
    mutating func match(_ ends: Ends, datakitCompatible: Bool) {
        edges.removeAll()
        self.datakitCompatible = datakitCompatible
        if ends.count > 1 {
            Self.sort(ends)
        }
        var from = 0
        while from < ends.count {
            var to = from + 1
            while to < ends.count, ends[to].requestSequence == ends[from].requestSequence { to += 1 }
            if to - from > 1 { matchEqualRequests(ends, from, to) }
            from = to
        }
    }

    @inline(__always) private static func comesBefore(_ one: NetEnd, _ other: NetEnd) -> Bool {
        if one.requestSequence != other.requestSequence { return one.requestSequence < other.requestSequence }
        if one.responseSequence != other.responseSequence { return one.responseSequence < other.responseSequence }
        return one.local < other.local
    }

    private static func sort(_ ends: Ends) {
        if ends.count > 24 {
            var ends = ends
            ends.sort(by: comesBefore)
            return
        }
        for place in 1..<ends.count {
            let end = ends[place]
            var hole = place
            while hole > 0, comesBefore(end, ends[hole &- 1]) {
                ends[hole] = ends[hole &- 1]
                hole &-= 1
            }
            ends[hole] = end
        }
    }

    private mutating func matchEqualRequests(_ ends: Ends, _ from: Int, _ to: Int) {
        if to - from == 2, ends[from].isStrong, ends[from].responseSequence == ends[from + 1].responseSequence,
            ends[from].isIncoming != ends[from + 1].isIncoming {
            let mirrored = ends[from].hasFlow && ends[from + 1].hasFlow && ends[from].flow == ends[from + 1].flow
            connect(ends, from, from + 1, mirrored || datakitCompatible ? .net : .netKey)
            return
        }
        var first = from
        while first < to {
            var end = first + 1
            while end < to, ends[end].responseSequence == ends[first].responseSequence { end += 1 }
            if end - first > 1, ends[first].isStrong { matchEqualNetKeys(ends, first, end) }
            first = end
        }
        if !datakitCompatible { matchLeftOver(ends, from, to) }
    }

    private mutating func matchEqualNetKeys(_ ends: Ends, _ from: Int, _ to: Int) {
        if datakitCompatible {
            matchGroups(ends, from, to, evidence: .net) { _ in 0 }
            return
        }
        matchGroups(ends, from, to, evidence: .net) { $0.hasFlow ? UInt64($0.flow) : nil }
        matchGroups(ends, from, to, evidence: .netKey) { $0.hasFlow ? UInt64($0.initiator) : nil }
        matchGroups(ends, from, to, evidence: .netKey) { _ in 0 }
    }

    private mutating func matchLeftOver(_ ends: Ends, _ from: Int, _ to: Int) {
        matchGroups(ends, from, to, evidence: .netWeak) { $0.hasFlow ? UInt64($0.flow) : nil }
        matchGroups(ends, from, to, evidence: .netWeak) { $0.hasFlow ? UInt64($0.initiator) : nil }
    }

    /// Matches, within each group of equal `key`, the ends that are left over; ends without a key stay out.
    private mutating func matchGroups(
        _ ends: Ends, _ from: Int, _ to: Int, evidence: LinkEvidence, key: (NetEnd) -> UInt64?
    ) {
        var left: [(key: UInt64, place: Int)] = []
        var incoming = 0
        for place in from..<to where !ends[place].isMatched {
            guard let key = key(ends[place]) else { continue }
            left.append((key, place))
            incoming += ends[place].isIncoming ? 1 : 0
        }
        guard incoming > 0, incoming < left.count else { return }
        left.sort {
            ($0.key, ends[$0.place].start, ends[$0.place].local) < ($1.key, ends[$1.place].start, ends[$1.place].local)
        }
        var first = 0
        while first < left.count {
            var end = first + 1
            while end < left.count, left[end].key == left[first].key { end += 1 }
            if end - first > 1 { matchNearest(ends, left[first..<end].map(\.place), evidence) }
            first = end
        }
    }

    private struct Candidate {
        var difference: UInt64
        var left: Int
        var right: Int
    }

    /// `order`: places sorted by start. Takes the nearest outgoing and incoming neighbours until one kind is used up.
    private mutating func matchNearest(_ ends: Ends, _ order: [Int], _ evidence: LinkEvidence) {
        var previous = Array(-1..<(order.count - 1))
        var next = Array(1...order.count)
        var heap = BinaryHeap<Candidate> { ($0.difference, $0.left, $0.right) < ($1.difference, $1.left, $1.right) }
        func propose(_ left: Int, _ right: Int) {
            guard left >= 0, right < order.count,
                ends[order[left]].isIncoming != ends[order[right]].isIncoming else { return }
            let difference = UInt64(bitPattern: ends[order[right]].start &- ends[order[left]].start)
            heap.push(Candidate(difference: difference, left: left, right: right))
        }
        for place in 1..<order.count { propose(place - 1, place) }
        while let nearest = heap.pop() {
            if ends[order[nearest.left]].isMatched || ends[order[nearest.right]].isMatched { continue }
            connect(ends, order[nearest.left], order[nearest.right], evidence)
            let (before, after) = (previous[nearest.left], next[nearest.right])
            if before >= 0 { next[before] = after }
            if after < order.count { previous[after] = before }
            propose(before, after)
        }
    }

    private mutating func connect(_ ends: Ends, _ one: Int, _ other: Int, _ evidence: LinkEvidence) {
        ends[one].isMatched = true
        ends[other].isMatched = true
        let (child, parent) = ends[one].isIncoming ? (one, other) : (other, one)
        edges.append(Edge(child: ends[child].local, parent: ends[parent].local, evidence: evidence))
    }
}

/// A binary heap with an order given as a closure: the smallest element comes first. Push and pop O(log n).
struct BinaryHeap<Element> {
    private var elements: [Element] = []
    private let isBefore: (Element, Element) -> Bool

    init(by isBefore: @escaping (Element, Element) -> Bool) { self.isBefore = isBefore }

    mutating func push(_ element: Element) {
        elements.append(element)
        var place = elements.count - 1
        while place > 0, isBefore(elements[place], elements[(place - 1) / 2]) {
            elements.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func pop() -> Element? {
        guard let first = elements.first, let last = elements.popLast() else { return nil }
        guard !elements.isEmpty else { return first }
        elements[0] = last
        var place = 0
        while true {
            var smallest = place
            for child in (2 * place + 1)...(2 * place + 2) where child < elements.count {
                if isBefore(elements[child], elements[smallest]) { smallest = child }
            }
            if smallest == place { return first }
            elements.swapAt(place, smallest)
            place = smallest
        }
    }
}
