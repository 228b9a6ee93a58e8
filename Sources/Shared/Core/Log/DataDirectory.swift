import Glibc

/// The folders of one router's `data_dir`, and the lock that keeps two owners apart.
///
/// ```
///   <data_dir>/            0700
///     lock                 the pid of the owner; locked as long as it runs
///     listeners.json       the addresses that are bound
///     span-log/facts/      facts and marks
///     span-log/payload/    bodies as received
///     verdict-log/         verdicts
///     ledger/              snapshots of the ledger
///     store/               finished traces, for the console
/// ```
public struct DataDirectory: Sendable {
    public let disk: any Disk
    /// The path of the directory itself, without a `/` at its end.
    public let path: String
    private let lock: (any DiskLock)?

    /// Makes the folders and takes the lock.
    ///
    /// Fails with `.locked`, naming the pid of the holder, when another process owns the directory, and with
    /// `.cannotCreate` when it is not writable. The lock is freed when all copies of the value are gone.
    public static func open(
        _ path: String, on disk: any Disk = RealDisk(), processID: Int32 = getpid()
    ) throws(Failure) -> DataDirectory {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        do throws(Failure) {
            try disk.makeFolder(path)
            let lock = try disk.lock(path + "/lock", holder: String(processID))
            let directory = DataDirectory(disk: disk, path: path, lock: lock)
            for folder in [directory.spanLog, directory.verdictLog, directory.ledger] { try disk.makeFolder(folder) }
            try disk.synchronizeFolder(path)
            return directory
        } catch {
            if error.code == .locked { throw error }
            throw Failure(
                .cannotCreate, "the data directory \(path) cannot be used; make it writable or choose another data_dir",
                cause: error)
        }
    }

    /// The directory as another process reads it: without the lock, making nothing.
    public static func reading(_ path: String, on disk: any Disk = RealDisk()) -> DataDirectory {
        DataDirectory(disk: disk, path: path, lock: nil)
    }

    private init(disk: any Disk, path: String, lock: (any DiskLock)?) {
        self.disk = disk
        self.path = path
        self.lock = lock
    }

    /// Folder of the span log: what `SpanLogWriter` and `SpanLogReader` take.
    public var spanLog: String { path + "/span-log" }
    /// Folder of the verdict log.
    public var verdictLog: String { path + "/verdict-log" }
    /// Folder of the trace store.
    public var store: String { path + "/store" }
    /// Folder of the ledger's snapshots.
    public var ledger: String { path + "/ledger" }
    /// File with the addresses that are bound.
    public var listeners: String { path + "/listeners.json" }

    /// Writes `listeners.json` as a whole, or not at all.
    public func writeListeners(_ json: [UInt8]) throws(Failure) { try disk.replace(listeners, with: json) }
}
