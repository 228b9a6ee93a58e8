import Shared

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The program that the router starts as its workers, and what it is started with.
struct WorkerProgram: Sendable {
    /// Path of the executable.
    var executable: String
    /// Arguments of the worker with this ordinal, without the program's name.
    var arguments: @Sendable (_ ordinal: Int) -> [String]
    /// Variables set over the router's own environment; the settings of the worker (flags can be read by anybody).
    var environment: [String: String] = [:]

    /// The real worker: `run --router URL --ordinal K --workers N --worker-listen …`.
    ///
    /// - Parameters:
    ///   - router: URL of the peers' listener.
    ///   - listen: admin listener of worker 0; worker K adds K to the port by itself, or takes any for port 0.
    static func worker(
        executable: String, router: String, workers: Int, listen: ListenAddress, extra: [String] = []
    ) -> WorkerProgram {
        WorkerProgram(executable: executable) { ordinal in
            [
                "run", "--router", router, "--ordinal", String(ordinal), "--workers", String(workers),
                "--worker-listen", listen.description,
            ] + extra
        }
    }

    static let name = "ebpftrace-worker"

    /// Finds the worker: the path in `EBPFTRACE_WORKER`, else beside the router's own executable, else in `PATH`.
    ///
    /// Throws `Failure(.fileMissing)` that names where it looked and what to do.
    static func locate(
        environment: [String: String], ownExecutable: String? = ownExecutable(),
        isExecutable: (String) -> Bool = { access($0, X_OK) == 0 }
    ) throws(Failure) -> String {
        if let path = environment["EBPFTRACE_WORKER"], !path.isEmpty {
            if isExecutable(path) { return path }
            throw Failure(
                .fileMissing, "EBPFTRACE_WORKER names \(path), which is no executable file; correct or unset it")
        }
        var candidates: [String] = []
        if let own = ownExecutable, let slash = own.lastIndex(of: "/") {
            candidates.append(String(own[...slash]) + name)
        }
        candidates += (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
        if let found = candidates.first(where: isExecutable) { return found }
        throw Failure(
            .fileMissing,
            "the worker program is not at \(candidates.first ?? name) and not in PATH; "
                + "build it with 'swift build -c release --product \(name)', or name it in EBPFTRACE_WORKER")
    }

    /// Path of the running program; nil where the system does not tell.
    static func ownExecutable() -> String? {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.bindMemory(to: CChar.self).baseAddress.map { readlink("/proc/self/exe", $0, buffer.count) } ?? 0
        }
        guard count > 0, count < bytes.count else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
