/// The trees that a set of spans grows into, edge by edge, without a cycle and within the limits of a trace.
///
/// A union-find with distances: each place knows how far below its representative it stands, so that depth, height and
/// size of a tree are known before an edge is made. No recursion; amortised O(log n) an edge.
struct TraceForest: ~Copyable {
    enum Refusal {
        case cycle
        case limit
    }

    private var above = Column<UInt32>()
    private var distance = Column<UInt32>()
    private var height = Column<UInt32>()
    private var size = Column<UInt32>()
    private var way = Column<UInt32>()

    init() {}

    mutating func reset(count: Int) {
        above.fill(0, count: count)
        for place in 0..<count { above[place] = UInt32(place) }
        distance.fill(0, count: count)
        height.fill(0, count: count)
        size.fill(1, count: count)
    }

    /// The representative of the tree that `place` stands in.
    @inline(__always) mutating func root(_ place: UInt32) -> UInt32 {
        let parent = above[Int(place)]
        if parent == place || above[Int(parent)] == parent { return parent }
        return compress(place)
    }

    private mutating func compress(_ place: UInt32) -> UInt32 {
        way.removeAll()
        var top = place
        while above[Int(top)] != top {
            way.append(top)
            top = above[Int(top)]
        }
        // From the top down: each place's distance becomes that to the top.
        var sum: UInt32 = 0
        for place in way.indices.reversed() {
            let step = way[place]
            sum += distance[Int(step)]
            distance[Int(step)] = sum
            above[Int(step)] = top
        }
        return top
    }

    /// Hangs the tree of `child`, which has no parent yet, below `parent`; `nil` when done.
    mutating func hang(_ child: UInt32, below parent: UInt32, depthLimit: Int, sizeLimit: Int) -> Refusal? {
        let top = root(parent)
        let own = child
        precondition(above[Int(own)] == own, "a span that has a parent cannot get another one")
        if top == own { return .cycle }
        let depth = parent == top ? 0 : distance[Int(parent)]
        guard Int(depth) + 1 + Int(height[Int(own)]) <= depthLimit,
            Int(size[Int(top)]) + Int(size[Int(own)]) <= sizeLimit else { return .limit }
        above[Int(own)] = top
        distance[Int(own)] = depth + 1
        height[Int(top)] = max(height[Int(top)], depth + 1 + height[Int(own)])
        size[Int(top)] += size[Int(own)]
        return nil
    }

    /// Makes two trees one trace without an edge (R5); false when the limit forbids it. Comes after all edges.
    mutating func join(_ one: UInt32, _ other: UInt32, sizeLimit: Int) -> Bool {
        let (first, second) = (root(one), root(other))
        if first == second { return true }
        guard Int(size[Int(first)]) + Int(size[Int(second)]) <= sizeLimit else { return false }
        let (top, own) = (min(first, second), max(first, second))
        above[Int(own)] = top
        distance[Int(own)] = 0
        height[Int(top)] = max(height[Int(top)], height[Int(own)])
        size[Int(top)] += size[Int(own)]
        return true
    }

    func size(ofRoot root: UInt32) -> Int { Int(size[Int(root)]) }
}
