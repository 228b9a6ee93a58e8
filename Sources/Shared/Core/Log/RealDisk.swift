import Glibc

/// The kernel's files: interrupted calls are made again, short reads and writes go on where they stopped.
public struct RealDisk: Disk {
    public init() {}

    public func open(_ path: String, _ mode: DiskOpenMode) throws(Failure) -> any DiskFile {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .create: O_RDWR | O_CREAT
            }
        let descriptor = retrying { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw diskFailure("open", path, errno) }
        return RealFile(path: path, descriptor: descriptor)
    }

    public func rename(_ path: String, to newPath: String) throws(Failure) {
        if Glibc.rename(path, newPath) != 0 { throw diskFailure("rename", path, errno) }
    }

    public func unlink(_ path: String) throws(Failure) {
        if Glibc.unlink(path) != 0 { throw diskFailure("remove", path, errno) }
    }

    public func list(_ folder: String) throws(Failure) -> [String] {
        guard let stream = opendir(folder) else { throw diskFailure("list", folder, errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    public func makeFolder(_ path: String) throws(Failure) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part
            if mkdir(made, 0o700) != 0 {
                let problem = errno
                var status = stat()
                let isFolder = stat(made, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
                if !isFolder { throw diskFailure("make the folder", made, problem == EEXIST ? ENOTDIR : problem) }
            }
            made += "/"
        }
    }

    public func synchronizeFolder(_ path: String) throws(Failure) {
        let descriptor = retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw diskFailure("open", path, errno) }
        defer { close(descriptor) }
        // Some file systems (of containers, of networks) know no fsync of folders and say EINVAL: nothing to be done.
        if retrying({ fsync(descriptor) }) != 0 && errno != EINVAL { throw diskFailure("synchronise", path, errno) }
    }

    public func lock(_ path: String, holder: String) throws(Failure) -> any DiskLock {
        let descriptor = retrying { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw diskFailure("open", path, errno) }
        let lock = RealLock(descriptor: descriptor)
        let file = RealFile(path: path, descriptor: dup(descriptor))
        if retrying({ flock(descriptor, LOCK_EX | LOCK_NB) }) != 0 {
            let problem = errno
            lock.release()
            guard problem == EWOULDBLOCK else { throw diskFailure("lock", path, problem) }
            var text = [UInt8](repeating: 0, count: 64)
            let count = (try? text.fill(from: file, at: 0)) ?? 0
            throw lockedFailure(path, holder: String(decoding: text[..<count], as: UTF8.self))
        }
        try file.truncate(to: 0)
        try file.write(PayloadBytes(Array((holder + "\n").utf8)))
        return lock
    }

    public func freeBytes(_ path: String) throws(Failure) -> UInt64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw diskFailure("look at", path, errno) }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : bytes
    }
}

/// An open file of the kernel.
private final class RealFile: DiskFile {
    let path: String
    private let descriptor: Int32

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func size() throws(Failure) -> UInt64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw diskFailure("look at", path, errno) }
        return UInt64(max(0, status.st_size))
    }

    func read(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int {
        guard offset <= UInt64(Int64.max) else { return 0 }
        var done = 0
        while done < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let count = retrying { pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done)) }
            guard count >= 0 else { throw diskFailure("read", path, errno) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(Failure) {
        var vectors = parts.filter { !$0.isEmpty }.map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        var position = off_t(offset)
        var first = 0
        while first < vectors.count {
            let most = Int32(min(vectors.count - first, 1024))  // IOV_MAX of Linux
            let written = vectors.withUnsafeMutableBufferPointer { buffer in
                retrying { pwritev(descriptor, buffer.baseAddress.map { $0 + first }, most, position) }
            }
            guard written > 0 else { throw diskFailure("write", path, written == 0 ? ENOSPC : errno) }
            position += off_t(written)
            first = advance(&vectors, first, by: written)
        }
    }

    /// Takes `count` written bytes off the vectors; returns the first that has bytes left.
    private func advance(_ vectors: inout [iovec], _ first: Int, by count: Int) -> Int {
        var first = first
        var left = count
        while first < vectors.count, left >= vectors[first].iov_len {
            left -= vectors[first].iov_len
            first += 1
        }
        if left > 0 {
            vectors[first].iov_base += left
            vectors[first].iov_len -= left
        }
        return first
    }

    func preallocate(_ bytes: UInt64) throws(Failure) {
        var problem: Int32
        repeat { problem = posix_fallocate(descriptor, 0, off_t(bytes)) } while problem == EINTR
        if problem != 0 { throw diskFailure("reserve \(bytes) bytes for", path, problem) }
    }

    func truncate(to bytes: UInt64) throws(Failure) {
        if retrying({ ftruncate(descriptor, off_t(bytes)) }) != 0 { throw diskFailure("truncate", path, errno) }
    }

    func synchronize() throws(Failure) {
        if retrying({ fdatasync(descriptor) }) != 0 { throw diskFailure("synchronise", path, errno) }
    }
}

private final class RealLock: DiskLock {
    private let descriptor: Int32
    private let released = Latch()

    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { release() }

    func release() {
        guard released.close() else { return }
        // A duplicate of the descriptor keeps the lock alive: free it by name, not by closing alone.
        _ = flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

/// Makes a system call again as long as a signal interrupts it.
private func retrying<Value: SignedInteger>(_ call: () -> Value) -> Value {
    while true {
        let value = call()
        if value != -1 || errno != EINTR { return value }
    }
}

/// The error of a file operation: what was tried, on which path, why it failed and what helps.
func diskFailure(_ action: String, _ path: String, _ number: Int32, line: UInt = #line) -> Failure {
    let reason = "cannot \(action) \(path): \(String(cString: strerror(number))) (errno \(number))"
    switch number {
    case ENOENT: return Failure(.fileMissing, "\(reason); check that the path exists", line: line)
    case EACCES, EPERM, EROFS, ENOTDIR:
        return Failure(.cannotCreate, "\(reason); make it writable or choose another data_dir", line: line)
    case ENOSPC, EDQUOT:
        return Failure(.disk, "\(reason); free space on this file system or lower log_bytes", line: line)
    case EMFILE, ENFILE: return Failure(.disk, "\(reason); raise the limit of open files (ulimit -n)", line: line)
    default: return Failure(.disk, "\(reason); check the disk's health in the kernel log", line: line)
    }
}

/// The error of a lock that somebody else holds.
func lockedFailure(_ path: String, holder: String, line: UInt = #line) -> Failure {
    let name = holder.prefix { $0 != "\n" }
    let owner = name.isEmpty ? "another process" : "process \(name)"
    return Failure(.locked, "\(path) is held by \(owner); stop it or choose another data_dir", line: line)
}
