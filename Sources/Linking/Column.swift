/// A growing run of plain values: what `Array` is without reference counts, uniqueness checks and copies.
///
/// The hot loops of linking write single elements millions of times; with `Array` each write asks whether the storage
/// is shared (callgrind: a third of the instructions of closing). Elements must be plain values without references.
/// Places are checked in debug builds only: they come from our own counts, never from outside.
struct Column<Element>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 16) {
        self.capacity = max(1, capacity)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    var indices: Range<Int> { 0..<count }
    var isEmpty: Bool { count == 0 }
    var buffer: UnsafeMutableBufferPointer<Element> { UnsafeMutableBufferPointer(start: base, count: count) }
    /// The bytes of memory held.
    var bytesHeld: Int { capacity * MemoryLayout<Element>.stride }

    @inline(__always) subscript(_ place: Int) -> Element {
        unsafeAddress {
            assert(place >= 0 && place < count, "a place outside the column")
            return UnsafePointer(base + place)
        }
        nonmutating unsafeMutableAddress {
            assert(place >= 0 && place < count, "a place outside the column")
            return base + place
        }
    }

    @inline(__always) mutating func append(_ element: Element) {
        if count == capacity { grow(to: count &+ 1) }
        (base + count).initialize(to: element)
        count &+= 1
    }

    mutating func append(contentsOf elements: UnsafeBufferPointer<Element>) {
        guard let start = elements.baseAddress else { return }
        if count &+ elements.count > capacity { grow(to: count &+ elements.count) }
        (base + count).initialize(from: start, count: elements.count)
        count &+= elements.count
    }

    @inline(__always) mutating func popLast() -> Element? {
        guard count > 0 else { return nil }
        count &-= 1
        return base[count]
    }

    @inline(__always) mutating func removeAll() { count = 0 }

    /// Makes the column `count` times `element`.
    mutating func fill(_ element: Element, count: Int) {
        if count > capacity { grow(to: count) }
        base.initialize(repeating: element, count: count)
        self.count = count
    }

    /// Room for `extra` more elements, to be written through `base` and claimed by `advance`.
    @inline(__always) mutating func reserve(_ extra: Int) {
        if count &+ extra > capacity { grow(to: count &+ extra) }
    }

    @inline(__always) mutating func advance(by extra: Int) { count &+= extra }

    /// O(n log n); a few elements, the usual case, are sorted in place.
    @inline(__always) func sort(by isBefore: (Element, Element) -> Bool) {
        guard count > 1 else { return }
        if count > 24 {
            var all = buffer
            all.sort(by: isBefore)
            return
        }
        for place in 1..<count {
            let element = base[place]
            var hole = place
            while hole > 0, isBefore(element, base[hole &- 1]) {
                base[hole] = base[hole &- 1]
                hole &-= 1
            }
            base[hole] = element
        }
    }

    private mutating func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: larger)
        fresh.moveInitialize(from: base, count: count)
        base.deallocate()
        base = fresh
        capacity = larger
    }
}
