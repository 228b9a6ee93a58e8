import CProfiling
import Foundation
import Glibc
import Logging
import Shared
import Synchronization

/// The profilers of gperftools, found at run time: nothing of it is loaded, and nothing costs more, unless
/// `enable_pprof` is set.
///
/// Live allocations are known only to the process' allocator, so the library must be there before the first
/// allocation: `preload` starts the program anew with it.
public final class Gperftools: Sendable {
    /// Debian: libgoogle-perftools4.
    static let library = "libtcmalloc_and_profiler.so.4"

    /// `MallocExtension::instance()`.
    private static let allocatorSymbol = "_ZN15MallocExtension8instanceEv"

    private typealias ProfilerStart = @convention(c) (UnsafePointer<CChar>) -> Int32
    private typealias ProfilerStop = @convention(c) () -> Void

    private let profilerStart: ProfilerStart
    private let profilerStop: ProfilerStop
    /// Address of `MallocExtension::instance`.
    private nonisolated(unsafe) let allocator: UnsafeMutableRawPointer
    private let isProfiling = Mutex(false)

    /// Starts the program anew with the library loaded first, unless it is; returns when that is done already.
    ///
    /// Call it before any thread is started. Fails with `.configuration` where the library is not installed.
    public static func preload(arguments: [String] = CommandLine.arguments) throws(Failure) {
        if dlsym(nil, allocatorSymbol) != nil { return }
        guard let handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL) else {
            throw Failure(
                .configuration,
                "enable_pprof needs \(library), which is not installed; "
                    + "install it (Debian: apt-get install libgoogle-perftools4), or unset enable_pprof")
        }
        dlclose(handle)
        guard getenv("_EBPFTRACE_PRELOADED") == nil else {
            throw Failure(.configuration, "\(library) was put into LD_PRELOAD and not loaded; unset enable_pprof")
        }
        setenv("_EBPFTRACE_PRELOADED", "1", 1)
        let before = getenv("LD_PRELOAD").map { ":" + String(cString: $0) } ?? ""
        setenv("LD_PRELOAD", library + before, 1)
        // One allocation in so many bytes is noted with its stack, as Go does: noting each made us 50 times slower.
        setenv("TCMALLOC_SAMPLE_PARAMETER", "524288", 0)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        execv("/proc/self/exe", words)
        throw Failure(.configuration, "cannot start again with \(library): \(String(cString: strerror(errno)))")
    }

    /// The profilers, when they can be had; else a warning says what is missing: a program without profiles is better
    /// than none. Starts the program anew where `preload` has to.
    public static func orWarn(_ logger: Logger) -> Gperftools? {
        do {
            try preload()
            return try Gperftools()
        } catch {
            logger.warning("no profiles are served", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    /// Finds the profilers. Fails with `.configuration` when the library is not loaded (`preload`).
    public init() throws(Failure) {
        unsetenv("_EBPFTRACE_PRELOADED")
        guard let start = dlsym(nil, "ProfilerStart"), let stop = dlsym(nil, "ProfilerStop"),
            let allocator = dlsym(nil, Self.allocatorSymbol)
        else { throw Failure(.configuration, "\(Self.library) is not loaded; start with enable_pprof") }
        profilerStart = unsafeBitCast(start, to: ProfilerStart.self)
        profilerStop = unsafeBitCast(stop, to: ProfilerStop.self)
        self.allocator = allocator
    }

    /// Samples the CPU for some time: a profile in the form of gperftools, which every pprof reads; nil when another
    /// one is being taken.
    public func cpuProfile(for duration: Duration) async throws(Failure) -> [UInt8]? {
        let isMine = isProfiling.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isMine else { return nil }
        defer { isProfiling.withLock { $0 = false } }
        let path = FileManager.default.temporaryDirectory.path + "/ebpftrace-\(getpid())-\(UUID().uuidString).prof"
        defer { unlink(path) }
        guard profilerStart(path) != 0 else {
            throw Failure(.cannotCreate, "the profiler cannot write \(path); set TMPDIR to a writable folder")
        }
        // Ended early (the caller went away): the profiler still has to stop.
        try? await Task.sleep(for: duration)
        profilerStop()
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.disk, "the profile in \(path) cannot be read")
        }
        return Array(bytes)
    }

    /// What is allocated now, by call stack, from samples; text in the form of gperftools.
    public func heapProfile() -> [UInt8] {
        guard let text = ebpftrace_heap_sample(allocator) else { return [] }
        defer { free(text) }
        return Array(UnsafeBufferPointer(start: text, count: strlen(text))).map { UInt8(bitPattern: $0) }
    }
}
