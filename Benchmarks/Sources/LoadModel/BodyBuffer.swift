/// One request body in the making: whole `PBPoints` entries of one node, in memory that is used again and again.
///
/// Passed from thread to thread; only its current holder touches it.
public final class BodyBuffer: @unchecked Sendable {
    public private(set) var bytes: UnsafeMutablePointer<UInt8>
    public private(set) var capacity: Int
    public internal(set) var count = 0
    public internal(set) var points = 0
    /// Number of the node whose agent sends it.
    public internal(set) var node = 0

    public init(capacity: Int) {
        self.capacity = capacity
        bytes = .allocate(capacity: capacity)
    }

    deinit { bytes.deallocate() }

    /// The bytes of the body.
    public var body: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }

    /// Makes it empty again.
    public func reset() {
        count = 0
        points = 0
    }

    @inline(__always)
    func reserve(_ more: Int) {
        if count &+ more > capacity { grow(more) }
    }

    private func grow(_ more: Int) {
        let larger = max(capacity * 2, count + more)
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        copy.update(from: bytes, count: count)
        bytes.deallocate()
        bytes = copy
        capacity = larger
    }
}
