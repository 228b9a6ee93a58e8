import Foundation
import Shared
import Synchronization

/// A disk in memory whose writes can be held up, to see what waits for them.
final class GatedDisk: Disk {
    let memory = MemoryDisk()
    private let open = NSCondition()
    private let closed = Mutex(false)
    private let waiting = Atomic(0)

    /// Writes that are held up at this moment.
    var heldWrites: Int { waiting.load(ordering: .relaxed) }

    func hold() { closed.withLock { $0 = true } }

    func release() {
        closed.withLock { $0 = false }
        open.lock()
        open.broadcast()
        open.unlock()
    }

    fileprivate func pass() {
        guard closed.withLock({ $0 }) else { return }
        waiting.wrappingAdd(1, ordering: .relaxed)
        open.lock()
        while closed.withLock({ $0 }) { _ = open.wait(until: Date(timeIntervalSinceNow: 0.05)) }
        open.unlock()
        waiting.wrappingSubtract(1, ordering: .relaxed)
    }

    func open(_ path: String, _ mode: DiskOpenMode) throws(Failure) -> any DiskFile {
        GatedFile(file: try memory.open(path, mode), disk: self)
    }
    func rename(_ path: String, to newPath: String) throws(Failure) { try memory.rename(path, to: newPath) }
    func unlink(_ path: String) throws(Failure) { try memory.unlink(path) }
    func list(_ folder: String) throws(Failure) -> [String] { try memory.list(folder) }
    func makeFolder(_ path: String) throws(Failure) { try memory.makeFolder(path) }
    func synchronizeFolder(_ path: String) throws(Failure) { try memory.synchronizeFolder(path) }
    func lock(_ path: String, holder: String) throws(Failure) -> any DiskLock { try memory.lock(path, holder: holder) }
    func freeBytes(_ path: String) throws(Failure) -> UInt64 { try memory.freeBytes(path) }
}

private final class GatedFile: DiskFile {
    let file: any DiskFile
    let disk: GatedDisk

    init(file: any DiskFile, disk: GatedDisk) {
        self.file = file
        self.disk = disk
    }

    var path: String { file.path }
    func size() throws(Failure) -> UInt64 { try file.size() }
    func read(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int {
        try file.read(into: target, at: offset)
    }
    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(Failure) {
        disk.pass()
        try file.write(parts, at: offset)
    }
    func preallocate(_ bytes: UInt64) throws(Failure) { try file.preallocate(bytes) }
    func truncate(to bytes: UInt64) throws(Failure) { try file.truncate(to: bytes) }
    func synchronize() throws(Failure) { try file.synchronize() }
}
