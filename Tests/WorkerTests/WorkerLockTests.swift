import Foundation
import Linking
import Shared
import Synchronization
import Testing

@testable import Worker

@Suite struct WorkerLockTests {
    private func directory() throws -> DataDirectory {
        try DataDirectory.open(NSTemporaryDirectory() + "/ebpftrace-lock-\(UUID().uuidString)")
    }

    @Test("a worker waits for an earlier process of its ordinal, and goes on when that has ended")
    func waits() async throws {
        let directory = try directory()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let earlier = try await WorkerLock().take(WorkerOrdinal(1), in: directory, processID: 17, logger: quiet)
        let sleeps = Mutex(0)
        var lock = WorkerLock()
        lock.sleep = { _ in
            if sleeps.withLock({ count in
                count += 1
                return count == 3
            }) { earlier.release() }
        }
        let taken = try await lock.take(WorkerOrdinal(1), in: directory, processID: 18, logger: quiet)
        #expect(sleeps.withLock { $0 } == 3)
        #expect(try String(contentsOfFile: directory.workerLock(WorkerOrdinal(1)), encoding: .utf8) == "18\n")
        taken.release()
    }

    @Test("other workers do not wait")
    func others() async throws {
        let directory = try directory()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let one = try await WorkerLock().take(WorkerOrdinal(1), in: directory, processID: 17, logger: quiet)
        let two = try await WorkerLock().take(WorkerOrdinal(2), in: directory, processID: 18, logger: quiet)
        one.release()
        two.release()
    }

    @Test("the wait is bounded: then it fails with the pid of the holder")
    func isBounded() async throws {
        let directory = try directory()
        defer { try? FileManager.default.removeItem(atPath: directory.path) }
        let earlier = try await WorkerLock().take(WorkerOrdinal(0), in: directory, processID: 4711, logger: quiet)
        let time = Mutex(ContinuousClock.now)
        var lock = WorkerLock()
        lock.now = { time.withLock { $0 } }
        lock.sleep = { pause in time.withLock { $0 += pause } }
        let failure = await #expect(throws: Failure.self) {
            _ = try await lock.take(WorkerOrdinal(0), in: directory, processID: 18, logger: quiet)
        }
        #expect(failure?.code == .locked)
        #expect("\(try #require(failure))".contains("4711"))
        earlier.release()
    }
}
