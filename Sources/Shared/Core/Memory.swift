import CIntrinsics

/// The allocator's settings of our processes.
public enum Memory {
    /// Two arenas for all threads instead of eight a core: what one thread frees another can use. Call it first.
    public static func shareArenas() { ebpftrace_share_arenas() }

    /// Keeps up to `bytes` of freed memory for the next blocks.
    ///
    /// - Parameter ownPagesFrom: blocks of so many bytes get pages of their own, which go back when they are freed.
    ///   Small, for tables that grow and leave their old place behind for good; large, for programs that fill one
    ///   large block after another.
    public static func keepFreed(bytes: Int32, ownPagesFrom: Int32) { ebpftrace_keep_freed(bytes, ownPagesFrom) }
}
