import Glibc

/// The whole of a small file (also under /proc); nil when it cannot be read. Stops at 16 MB.
func readFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 << 10)
    while content.count < 16 << 20 {
        let count = read(descriptor, &part, part.count)
        guard count > 0 else { return count == 0 ? String(decoding: content, as: UTF8.self) : nil }
        content += part[..<count]
    }
    return String(decoding: content, as: UTF8.self)
}

/// Writes a file anew; false when that fails.
func writeFile(_ path: String, _ text: String) -> Bool {
    guard let file = fopen(path, "w") else { return false }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    return fclose(file) == 0 && written == bytes.count
}

/// A fresh directory under TMPDIR; nil when it cannot be made.
func makeTemporaryDirectory() -> String? {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/ebpftrace-bench.XXXXXX".utf8CString)
    return template.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
}

/// Removes a directory and what is in it; follows no links.
func removeTree(_ path: String) {
    var directories = [path]
    var next = 0
    while next < directories.count {
        let directory = directories[next]
        next += 1
        for name in names(in: directory) where name != "." && name != ".." {
            let entry = directory + "/" + name
            // A directory cannot be unlinked; everything else can.
            if unlink(entry) != 0 { directories.append(entry) }
        }
    }
    for directory in directories.reversed() { rmdir(directory) }
}

/// Names in a directory; empty when it cannot be read.
func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        names.append(withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names
}

/// A number with some decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    guard value.isFinite, abs(value * scale) < 9e15 else { return "\(value)" }
    let scaled = Int((value * scale).rounded())
    let digits = String(abs(scaled))
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = scaled < 0 ? "-" : ""
    return decimals == 0 ? sign + padded : "\(sign)\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
}
