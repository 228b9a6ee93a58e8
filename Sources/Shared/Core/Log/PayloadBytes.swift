/// Bytes of a request body on their way to the log: borrowed from whoever holds them, kept alive, never copied.
///
/// The bytes must not change while the value lives.
public struct PayloadBytes: @unchecked Sendable {
    /// Where the bytes lie; valid as long as this value (or a copy of it) lives.
    public let bytes: UnsafeRawBufferPointer
    private let owner: AnyObject?

    /// Bytes that live as long as `owner` does, such as the storage of a network buffer.
    public init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject) {
        self.bytes = bytes
        self.owner = owner
    }

    /// The bytes of an array, without copying them.
    public init(_ array: [UInt8]) {
        let owner = ArrayOwner(array)
        // An array of trivial elements that nobody mutates keeps its storage where it is, and the owner keeps it.
        bytes = owner.array.withUnsafeBytes { $0 }
        self.owner = owner
    }

    /// Length in bytes.
    public var count: Int { bytes.count }

    /// Lends the bytes to `body`.
    public func withUnsafeBytes<Result, Problem: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        defer { keepAlive() }
        return try body(bytes)
    }

    /// Tells the optimiser that the bytes are in use up to here.
    @inline(__always) func keepAlive() { withExtendedLifetime(owner) {} }

    private final class ArrayOwner {
        let array: [UInt8]
        init(_ array: [UInt8]) { self.array = array }
    }
}
