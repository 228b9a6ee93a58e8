import CZstd

/// zstd frames in memory, with contexts that are reused; one value a thread at a time.
///
/// Compressed bytes come from peers and disks: nothing they say about sizes is trusted, and memory is bounded by
/// the caller's limit (the output, and a window no larger than it).
public final class Zstd {
    private var compressor: OpaquePointer?
    private var decompressor: OpaquePointer?

    public init() {}

    deinit {
        ZSTD_freeCCtx(compressor)
        ZSTD_freeDCtx(decompressor)
    }

    /// One frame with the content size in its header.
    ///
    /// - Parameter level: 1...19; 1 gives about a fifth of the size of points at 0.5 GB/s.
    /// - Throws: `limit` when memory is short.
    public func compress(_ bytes: UnsafeRawBufferPointer, level: Int32 = 1) throws(Failure) -> [UInt8] {
        if compressor == nil { compressor = ZSTD_createCCtx() }
        guard let compressor else { throw Self.shortOfMemory }
        var code = 0
        let output = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
            code = ZSTD_compressCCtx(
                compressor, buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count, level)
            count = ZSTD_isError(code) == 0 ? code : 0
        }
        guard ZSTD_isError(code) == 0 else {
            throw Failure(.limit, "zstd could not compress \(bytes.count) bytes: \(Self.name(code)).")
        }
        return output
    }

    public func compress(_ bytes: [UInt8], level: Int32 = 1) throws(Failure) -> [UInt8] {
        try bytes.withRawBytes { (buffer) throws(Failure) in try compress(buffer, level: level) }
    }

    /// The content of one or more frames.
    ///
    /// - Parameter limit: most bytes of output.
    /// - Throws: `limit` when the content is larger, `corrupt` when the bytes are no complete zstd frames.
    public func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(Failure) -> [UInt8] {
        let context = try freshDecompressor(limit: limit)
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var output = [UInt8](repeating: 0, count: Self.firstCapacity(bytes, limit: limit))
        var filled = 0
        var pending = 1
        while input.pos < input.size || pending != 0 {
            if filled == output.count {
                // One byte beyond the limit tells content that ends there from content that goes on.
                guard output.count <= limit else { throw Self.tooLarge(limit) }
                let more = min(max(output.count, 4_096), limit + 1 - output.count)
                output.append(contentsOf: repeatElement(0, count: more))
            }
            let before = (input.pos, filled)
            pending = output.withUnsafeMutableBytes { buffer in
                var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: filled)
                defer { filled = target.pos }
                return ZSTD_decompressStream(context, &target, &input)
            }
            guard ZSTD_isError(pending) == 0 else {
                throw Failure(.corrupt, "The zstd frame cannot be read: \(Self.name(pending)).")
            }
            guard filled <= limit else { throw Self.tooLarge(limit) }
            if (input.pos, filled) == before, filled < output.count {
                throw Failure(.corrupt, "The zstd frame ends early; send it again.")
            }
        }
        output.removeLast(output.count - filled)
        return output
    }

    public func decompress(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        try bytes.withRawBytes { (buffer) throws(Failure) in try decompress(buffer, limit: limit) }
    }

    /// A context that begins a new frame and refuses windows larger than the limit allows.
    private func freshDecompressor(limit: Int) throws(Failure) -> OpaquePointer {
        precondition(limit >= 0 && limit < Int.max, "a limit is a number of bytes")
        if decompressor == nil { decompressor = ZSTD_createDCtx() }
        guard let decompressor else { throw Self.shortOfMemory }
        ZSTD_DCtx_reset(decompressor, ZSTD_reset_session_and_parameters)
        // The window of a frame may be larger than its content, so small limits still allow 8 MiB (level 19's).
        let window = max(23, min(27, Int.bitWidth - limit.leadingZeroBitCount))
        ZSTD_DCtx_setParameter(decompressor, ZSTD_d_windowLogMax, Int32(window))
        return decompressor
    }

    /// The size that the frame claims, as far as the limit and the input make it credible.
    private static func firstCapacity(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Int {
        let claimed = ZSTD_getFrameContentSize(bytes.baseAddress, bytes.count)
        // The two highest values mean "unknown" and "no frame".
        let credible = claimed < UInt64(1 << 40) ? Int(claimed) : bytes.count &* 4
        return min(max(credible, 1), min(limit, max(bytes.count &* 32, 65_536)) + 1)
    }

    private static func name(_ code: Int) -> String { String(cString: ZSTD_getErrorName(code)) }

    private static let shortOfMemory = Failure(.limit, "zstd got no memory for a context.")

    private static func tooLarge(_ limit: Int) -> Failure {
        Failure(.limit, "The zstd content is larger than the limit of \(limit) bytes.")
    }
}
