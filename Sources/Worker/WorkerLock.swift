import Linking
import Logging
import Shared

/// Keeps two processes of one worker apart: the one that works holds `worker-<K>.lock` in the data directory.
///
/// A router that was killed and started again at once starts its workers while the old ones still finish. The new one
/// waits until the old one is gone, so that only one writes to the targets; then it sees all that the old one did.
struct WorkerLock {
    /// The old process has 5 s for its queues and then ends.
    var longestWait = Duration.seconds(30)
    var pause = Duration.milliseconds(50)
    var now: @Sendable () -> ContinuousClock.Instant = { .now }
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    /// Takes the lock; it is held as long as the value lives.
    ///
    /// Fails with `.locked`, naming the holder, when another process has it for longer than `longestWait`.
    func take(
        _ worker: WorkerOrdinal, in directory: DataDirectory, processID: Int32, logger: Logger
    ) async throws -> any DiskLock {
        let path = directory.workerLock(worker)
        let start = now()
        var hasTold = false
        while true {
            do throws(Failure) {
                return try directory.disk.lock(path, holder: String(processID))
            } catch {
                guard error.code == .locked else { throw error }
                guard now() - start < longestWait else {
                    throw Failure(
                        .locked,
                        "an earlier process of worker \(worker) does not end (waited \(longestWait)); stop it",
                        cause: error)
                }
                if !hasTold {
                    logger.notice("waiting for the end of an earlier process", metadata: ["problem": "\(error)"])
                    hasTold = true
                }
            }
            try await sleep(pause)
        }
    }
}
