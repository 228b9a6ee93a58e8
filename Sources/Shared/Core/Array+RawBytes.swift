extension Array where Element == UInt8 {
    /// `withUnsafeBytes` that keeps the type of the error.
    @inlinable public func withRawBytes<Result, Problem: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try withUnsafeBufferPointer { (buffer) throws(Problem) in try body(UnsafeRawBufferPointer(buffer)) }
    }
}
