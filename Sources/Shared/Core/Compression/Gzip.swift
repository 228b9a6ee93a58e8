import CDeflate

/// gzip, zlib and raw deflate in memory through libdeflate, with contexts that are reused; one value a thread at
/// a time.
///
/// Sizes in the data are not trusted; memory is bounded by the caller's limit.
public final class Gzip {
    private var compressor: OpaquePointer?
    private var compressorLevel: Int32 = 0
    private var decompressor: OpaquePointer?

    public init() {}

    deinit {
        libdeflate_free_compressor(compressor)
        libdeflate_free_decompressor(decompressor)
    }

    /// One gzip member.
    ///
    /// - Parameter level: 1...12; 1 is the fastest.
    /// - Throws: `limit` when memory is short.
    public func compress(_ bytes: UnsafeRawBufferPointer, level: Int32 = 1) throws(Failure) -> [UInt8] {
        if compressorLevel != level {
            libdeflate_free_compressor(compressor)
            compressor = libdeflate_alloc_compressor(level)
            compressorLevel = compressor == nil ? 0 : level
        }
        guard let compressor else { throw Self.shortOfMemory }
        let bound = libdeflate_gzip_compress_bound(compressor, bytes.count)
        let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            count = libdeflate_gzip_compress(
                compressor, bytes.baseAddress, bytes.count, buffer.baseAddress, buffer.count)
        }
        guard !output.isEmpty else { throw Self.shortOfMemory }
        return output
    }

    public func compress(_ bytes: [UInt8], level: Int32 = 1) throws(Failure) -> [UInt8] {
        try bytes.withRawBytes { (buffer) throws(Failure) in try compress(buffer, level: level) }
    }

    /// The content of one or more gzip members.
    ///
    /// - Parameter limit: most bytes of output.
    /// - Throws: `limit` when the content is larger, `corrupt` when the bytes are no gzip members.
    public func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(Failure) -> [UInt8] {
        try decompressAll(bytes, limit: limit, form: .gzip)
    }

    public func decompress(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        try bytes.withRawBytes { (buffer) throws(Failure) in try decompress(buffer, limit: limit) }
    }

    /// The content of `Content-Encoding: deflate`: a zlib stream, as the standard says, or raw deflate, as some send.
    public func decompressDeflate(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(Failure) -> [UInt8] {
        do {
            return try decompressAll(bytes, limit: limit, form: .zlib)
        } catch where error.code == .corrupt {
            return try decompressAll(bytes, limit: limit, form: .raw)
        }
    }

    private enum Form { case gzip, zlib, raw }

    private func decompressAll(
        _ bytes: UnsafeRawBufferPointer, limit: Int, form: Form
    ) throws(Failure) -> [UInt8] {
        var output: [UInt8] = []
        var position = 0
        repeat {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            let (used, content) = try member(rest, limit: limit - output.count, form: form, total: limit)
            if output.isEmpty { output = content } else { output += content }
            position += used
        } while position < bytes.count && form == .gzip
        return output
    }

    /// One member: the output grows by doubling until it fits or the limit is reached.
    private func member(
        _ bytes: UnsafeRawBufferPointer, limit: Int, form: Form, total: Int
    ) throws(Failure) -> (used: Int, content: [UInt8]) {
        if decompressor == nil { decompressor = libdeflate_alloc_decompressor() }
        guard let decompressor else { throw Self.shortOfMemory }
        var capacity = min(limit, max(Self.claimedSize(bytes, form), bytes.count &* 4, 4_096))
        while true {
            var used = 0
            var result = LIBDEFLATE_BAD_DATA
            let content = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                result = Self.run(decompressor, form, bytes, buffer, &used, &count)
                if result != LIBDEFLATE_SUCCESS { count = 0 }
            }
            if result == LIBDEFLATE_SUCCESS, used > 0 { return (used, content) }
            guard result == LIBDEFLATE_INSUFFICIENT_SPACE else {
                throw Failure(.corrupt, "The bytes are no complete gzip or deflate stream; send them again.")
            }
            guard capacity < limit else {
                throw Failure(.limit, "The gzip content is larger than the limit of \(total) bytes.")
            }
            capacity = min(limit, max(capacity &* 4, 4_096))
        }
    }

    private static func run(
        _ decompressor: OpaquePointer, _ form: Form, _ bytes: UnsafeRawBufferPointer,
        _ buffer: UnsafeMutableBufferPointer<UInt8>, _ used: inout Int, _ count: inout Int
    ) -> libdeflate_result {
        let (input, size) = (bytes.baseAddress, bytes.count)
        let (output, room) = (buffer.baseAddress, buffer.count)
        switch form {
        case .gzip:
            return libdeflate_gzip_decompress_ex(decompressor, input, size, output, room, &used, &count)
        case .zlib:
            return libdeflate_zlib_decompress_ex(decompressor, input, size, output, room, &used, &count)
        case .raw:
            return libdeflate_deflate_decompress_ex(decompressor, input, size, output, room, &used, &count)
        }
    }

    /// The size in the trailer of a lone gzip member, when it is credible; else 0.
    private static func claimedSize(_ bytes: UnsafeRawBufferPointer, _ form: Form) -> Int {
        guard form == .gzip, bytes.count >= 18 else { return 0 }
        let claimed = bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self)
        let size = Int(UInt32(littleEndian: claimed))
        return size <= bytes.count &* 64 ? size : 0
    }

    private static let shortOfMemory = Failure(.limit, "libdeflate got no memory for a context.")
}
