/// A kept-alive connection between two pods, one request at a time; its sequence numbers move by the bytes sent.
struct Connection {
    var clientPort: Int64
    var requestSequence: UInt32
    var responseSequence: UInt32
    var busyUntil: Int64
}

/// A ring of things that serve one request at a time; grows when the one that has rested longest is busy.
struct Ring<Element> {
    private(set) var elements: [Element] = []
    private var cursor = 0

    /// Index of one that is free at a moment, made by `make` when there is none. O(1).
    @inline(__always)
    mutating func take(isFree: (Element) -> Bool, make: () -> Element) -> Int {
        cursor = cursor &+ 1 < elements.count ? cursor &+ 1 : 0
        if cursor < elements.count, isFree(elements[cursor]) { return cursor }
        elements.append(make())
        return elements.count - 1
    }

    @inline(__always)
    subscript(index: Int) -> Element {
        get { elements[index] }
        _modify { yield &elements[index] }
    }
}

/// A thread of a pod: when it is free again. Its tid follows from its index.
struct WorkThread {
    var busyUntil: Int64
}
