import CIntrinsics

/// The allocator's settings of our processes.
public enum Memory {
    /// Two arenas for all threads instead of eight a core: what one thread frees another can use. Call it first.
    public static func shareArenas() { ebpftrace_share_arenas() }

    /// Keeps up to `bytes` of freed memory for the next large blocks: for programs that fill one after another.
    public static func keepFreed(bytes: Int32) { ebpftrace_keep_freed(bytes) }
}
