import Shared
import Synchronization
import SystemPackage

/// The pipe that ties a worker's life to the router's.
///
/// No worker may hold the write end of another's pipe, or it would keep that one alive after the router has gone:
/// swift-subprocess closes every descriptor but the three standard ones in each child, and we start no other way.
enum LifePipe {
    /// Makes one. Throws `Failure(.limit)` when the process may open no more files.
    static func make() throws(Failure) -> (read: FileDescriptor, write: FileDescriptor) {
        do {
            let ends = try FileDescriptor.pipe()
            return (ends.readEnd, ends.writeEnd)
        } catch {
            throw Failure(.limit, "no pipe for a worker; raise the limit of open files (ulimit -n)", cause: error)
        }
    }
}

/// The router's own standard output, written to in whole lines.
enum StandardOutput {
    private static let lock = Mutex(())

    /// Writes all the bytes before anybody else writes any. Errors are ignored: there is nobody to tell.
    static func write(_ bytes: [UInt8]) {
        lock.withLock { _ in
            _ = try? FileDescriptor.standardOutput.writeAll(bytes)
        }
    }
}
