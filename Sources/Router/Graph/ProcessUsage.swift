import Glibc

/// CPU time and memory of a process, from `/proc`.
struct ProcessUsage: Sendable, Equatable {
    /// User and system.
    var cpuSeconds = 0.0
    /// Resident.
    var memoryBytes = 0

    /// nil when the process is gone or the system has no `/proc`.
    static func of(pid: Int32) -> ProcessUsage? {
        guard let text = read("/proc/\(pid)/stat") else { return nil }
        // The name in parentheses may hold blanks: fields are counted after its end.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let pages = Int(fields[21]) else { return nil }
        return ProcessUsage(
            cpuSeconds: (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))),
            memoryBytes: pages * Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 2_048)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
