/// Everything the logs do with files. The real one speaks to the kernel, the one for tests and simulation to memory.
///
/// Paths are plain texts with `/` between folders. Every operation blocks; every error is a `Failure` that names the
/// path: `.fileMissing` when the file or folder is not there, `.cannotCreate` when it may not be made, else `.disk`.
public protocol Disk: Sendable {
    /// Opens a file.
    func open(_ path: String, _ mode: DiskOpenMode) throws(Failure) -> any DiskFile
    /// Gives a file another name at once; a file that had that name is gone.
    func rename(_ path: String, to newPath: String) throws(Failure)
    /// Removes a file's name; those who have it open keep its bytes.
    func unlink(_ path: String) throws(Failure)
    /// The names (not the paths) in a folder, in no order.
    func list(_ folder: String) throws(Failure) -> [String]
    /// Makes a folder (mode 0700) and those above it; one that is there already is fine.
    func makeFolder(_ path: String) throws(Failure)
    /// Makes names that were created, changed or removed in a folder survive a power cut.
    func synchronizeFolder(_ path: String) throws(Failure)
    /// Takes the advisory lock of a file for this process, and writes `holder` into it.
    ///
    /// Fails with `.locked`, naming the holder, when another process has it. Freed when the value goes away, or with
    /// the process, however that ends.
    func lock(_ path: String, holder: String) throws(Failure) -> any DiskLock
    /// Bytes that an unprivileged process can still write to the file system that holds `path`.
    func freeBytes(_ path: String) throws(Failure) -> UInt64
}

/// How a file is opened.
public enum DiskOpenMode: Sendable {
    /// The file must be there, and is only read.
    case read
    /// The file must be there.
    case write
    /// The file is made (mode 0600) when it is not there.
    case create
}

/// An open file, read and written at explicit offsets; closed when the value goes away.
public protocol DiskFile: AnyObject, Sendable {
    /// The path it was opened by.
    var path: String { get }
    /// Size in bytes, preallocated ones included.
    func size() throws(Failure) -> UInt64
    /// Fills `target` from `offset` on; returns the count of bytes read, which is smaller only at the end of the file.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int
    /// Writes the buffers one behind the other, from `offset` on. On a failure any part of them may be in the file.
    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(Failure)
    /// Makes the file at least `bytes` long, with zeros whose room on the disk is taken now.
    func preallocate(_ bytes: UInt64) throws(Failure)
    /// Cuts the file, or extends it with zeros, to `bytes`.
    func truncate(to bytes: UInt64) throws(Failure)
    /// Returns when what was written survives a power cut (fdatasync).
    func synchronize() throws(Failure)
}

/// A lock that is held as long as the value lives.
public protocol DiskLock: AnyObject, Sendable {
    /// Frees the lock now; freeing it twice is fine.
    func release()
}

extension Disk {
    /// The whole of a small file. Fails with `.limit` when it is larger than `limit` bytes.
    public func contents(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let file = try open(path, .read)
        let size = try file.size()
        guard size <= UInt64(limit) else {
            throw Failure(.limit, "\(path) holds \(size) bytes, more than the \(limit) that are read; remove the file")
        }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count = try bytes.fill(from: file, at: 0)
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// Puts `bytes` in place of a file's contents, so that a reader or a power cut finds the old or the new ones whole.
    public func replace(_ path: String, with bytes: [UInt8]) throws(Failure) {
        let draft = path + ".new"
        let file = try open(draft, .create)
        try file.truncate(to: 0)
        try file.write(PayloadBytes(bytes))
        try file.synchronize()
        try rename(draft, to: path)
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try synchronizeFolder(folder)
    }
}

extension DiskFile {
    func write(_ bytes: PayloadBytes, at offset: UInt64 = 0) throws(Failure) {
        try write([bytes.bytes], at: offset)
        bytes.keepAlive()
    }
}

extension [UInt8] {
    /// Overwrites the array with bytes of a file; returns how many there were.
    mutating func fill(from file: any DiskFile, at offset: UInt64) throws(Failure) -> Int {
        let result: Result<Int, Failure> = withUnsafeMutableBytes { bytes in
            do throws(Failure) {
                return .success(try file.read(into: bytes, at: offset))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
