import CIntrinsics

/// CRC32C (Castagnoli): what every record and header of the logs carries.
enum Checksum {
    /// The checksum of `bytes`, going on from `crc` (0 to begin). About 0.04 ns a byte with SSE4.2.
    @inline(__always) static func of(_ bytes: UnsafeRawBufferPointer, from crc: UInt32 = 0) -> UInt32 {
        guard let start = bytes.baseAddress else { return crc }
        return ebpftrace_crc32c(crc, start, bytes.count)
    }
}
