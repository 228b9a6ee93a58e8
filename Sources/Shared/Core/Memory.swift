import CIntrinsics

/// The allocator's settings of our processes.
public enum Memory {
    /// Two arenas for all threads instead of eight a core: what one thread frees another can use. Call it first.
    public static func shareArenas() { ebpftrace_share_arenas() }
}
