import Glibc

/// The few file operations that exported parts need; injected, so that a test can stop at any of them.
///
/// All calls block. Every error is a `Failure` with code `.disk`.
public protocol ExportDisk: Sendable {
    /// Creates the folder and its parents; no error when it is there.
    func makeFolder(_ path: String) throws
    /// Names (without path) of the entries of a folder, unordered.
    func names(inFolder path: String) throws -> [String]
    /// Opens for reading and writing, creating the file when it is missing. The caller closes the descriptor.
    func open(_ path: String) throws -> Int32
    func close(_ descriptor: Int32)
    /// Length of an open file, bytes.
    func length(_ descriptor: Int32) throws -> UInt64
    /// Writes all bytes at an offset; after an error any part of them may have been written.
    func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: UInt64) throws
    /// Reads up to the buffer's size; 0 at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64) throws -> Int
    func truncate(_ descriptor: Int32, to length: UInt64) throws
    /// Returns when the bytes and the length of the file are safe from a power cut.
    func sync(_ descriptor: Int32) throws
    /// Returns when created, renamed and removed names of the folder are safe from a power cut.
    func syncFolder(_ path: String) throws
    /// Replaces `target` when it exists.
    func rename(_ source: String, to target: String) throws
    /// No error when the file is missing already.
    func remove(_ path: String) throws
    /// Waits for the exclusive lock of an open file; closing the descriptor, or the end of the process, releases it.
    func lock(_ descriptor: Int32) throws
}

/// The operating system's files.
public struct SystemDisk: ExportDisk {
    /// Whether `sync` and `syncFolder` do anything; false where a power cut need not be survived (replay).
    public var isDurable: Bool

    public init(isDurable: Bool = true) { self.isDurable = isDurable }

    private func fail(_ what: String, _ path: String) -> Failure {
        let reason = String(cString: strerror(errno))
        return Failure(
            .disk, "cannot \(what) \(path): \(reason); check the space, the owner and the mode of the folder")
    }

    public func makeFolder(_ path: String) throws {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let prefix = String(path[..<end])
            if mkdir(prefix, 0o755) != 0 && errno != EEXIST { throw fail("create the folder", prefix) }
        }
        var status = stat()
        guard stat(path, &status) == 0 else { throw fail("use the folder", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(.cannotCreate, "\(path) is a file; the file target needs a folder: name another path")
        }
    }

    public func names(inFolder path: String) throws -> [String] {
        guard let folder = opendir(path) else { throw fail("list", path) }
        defer { closedir(folder) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw fail("list", path) }
        return names
    }

    public func open(_ path: String) throws -> Int32 {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw fail("open", path) }
        return descriptor
    }

    public func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    public func length(_ descriptor: Int32) throws -> UInt64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw fail("measure", "an exported file") }
        return UInt64(clamping: status.st_size)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: UInt64) throws {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw fail("write", "an exported file") }
            done += count
        }
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64) throws
        -> Int
    {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw fail("read", "an exported file") }
            return count
        }
    }

    public func truncate(_ descriptor: Int32, to length: UInt64) throws {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw fail("cut", "an exported file") }
    }

    public func sync(_ descriptor: Int32) throws {
        guard isDurable else { return }
        guard fdatasync(descriptor) == 0 else { throw fail("sync", "an exported file") }
    }

    public func syncFolder(_ path: String) throws {
        guard isDurable else { return }
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fail("open the folder", path) }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw fail("sync the folder", path) }
    }

    public func rename(_ source: String, to target: String) throws {
        guard Glibc.rename(source, target) == 0 else { throw fail("rename", source) }
    }

    public func remove(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw fail("remove", path) }
    }

    public func lock(_ descriptor: Int32) throws {
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw fail("lock", "the target folder") }
        }
    }
}
