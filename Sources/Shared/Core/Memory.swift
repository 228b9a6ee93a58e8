#if canImport(Glibc)
    import Glibc

    /// The allocator's settings of our processes.
    public enum Memory {
        /// glibc's `M_ARENA_MAX`; the header defines it as a macro that Swift does not import.
        private static let arenaMax: Int32 = -8

        /// Two arenas for all threads instead of eight a core: what one thread frees another can use. Call it first.
        public static func shareArenas() { _ = mallopt(arenaMax, 2) }
    }
#else
    /// The allocator's settings of our processes.
    public enum Memory {
        /// Does nothing where there is no glibc.
        public static func shareArenas() {}
    }
#endif
