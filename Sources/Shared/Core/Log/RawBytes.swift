/// A run of memory of our own, whose address stays the same until it grows: what files are read into and written from.
///
/// Not thread-safe while it is written; frozen (never written again) it may be read from anywhere.
final class RawBytes: @unchecked Sendable {
    private(set) var start: UnsafeMutableRawPointer
    private(set) var capacity: Int
    /// How many bytes are in use.
    var count = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        start = .allocate(byteCount: self.capacity, alignment: 16)
    }

    convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(capacity: bytes.count)
        count = bytes.count
        UnsafeMutableRawBufferPointer(start: start, count: count).copyMemory(from: bytes)
    }

    deinit { start.deallocate() }

    /// The bytes in use; valid until the memory grows or goes away.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Makes room for `capacity` bytes; what was there is lost.
    func reserveAnew(_ capacity: Int) {
        count = 0
        guard capacity > self.capacity else { return }
        start.deallocate()
        self.capacity = capacity
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    /// Makes room for `capacity` bytes; the bytes in use stay.
    func reserve(_ capacity: Int) {
        guard capacity > self.capacity else { return }
        let roomier = max(capacity, self.capacity * 2)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: roomier, alignment: 16)
        moved.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = moved
        self.capacity = roomier
    }
}

extension UnsafeRawPointer {
    /// The little-endian number at a byte offset, aligned or not. The caller has checked the bounds.
    @inline(__always) func little<Number: FixedWidthInteger>(_ offset: Int, as: Number.Type = Number.self) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}

extension UnsafeMutableRawPointer {
    /// Stores a number as little-endian bytes, aligned or not. The caller has checked the bounds.
    @inline(__always) func put<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
    }
}
