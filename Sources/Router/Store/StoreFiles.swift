import Foundation
import Linking
import Logging
import Shared
import Synchronization

/// The store's database as it is at the moment, and the names that rows hold by number.
///
/// A database that cannot be used is put aside as `traces.sqlite.damaged-N` (at most two are kept) and a new one begun.
final class StoreFiles: Sendable {
    private let path: String
    private let logger: Logger
    private let current: Mutex<StoreDatabase>
    private let names: Mutex<StoreNames>

    /// Opens or makes the store. Fails with `.cannotCreate` when the folder is not usable.
    init(folder: String, logger: Logger) throws(Failure) {
        path = folder + "/" + StoreDatabase.fileName
        self.logger = logger
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(
                .cannotCreate, "the folder \(folder) of the trace store cannot be made; set store = off or free it",
                cause: error)
        }
        var (database, state) = try Self.open(path, logger)
        state.names.segment = state.nextSegment
        current = Mutex(database)
        names = Mutex(state.names)
    }

    private typealias Opened = (database: StoreDatabase, state: (names: StoreNames, nextSegment: Int))

    private static func open(_ path: String, _ logger: Logger) throws(Failure) -> Opened {
        do throws(Failure) {
            let database = try StoreDatabase(path: path)
            return (database, try database.readNames())
        } catch {
            putAside(path, because: error, logger)
        }
        do throws(Failure) {
            let database = try StoreDatabase(path: path)
            return (database, try database.readNames())
        } catch {
            throw Failure(.cannotCreate, "the trace store \(path) cannot be made; set store = off", cause: error)
        }
    }

    private static func putAside(_ path: String, because failure: Failure, _ logger: Logger) {
        let manager = FileManager.default
        let aside = (1...StoreLimits.damagedFiles).map { "\(path).damaged-\($0)" }
        for (older, newer) in zip(aside.dropFirst().reversed(), aside.dropLast().reversed()) {
            for suffix in ["", "-wal"] {
                try? manager.removeItem(atPath: older + suffix)
                try? manager.moveItem(atPath: newer + suffix, toPath: older + suffix)
            }
        }
        for suffix in ["", "-wal"] {
            try? manager.removeItem(atPath: aside[0] + suffix)
            try? manager.moveItem(atPath: path + suffix, toPath: aside[0] + suffix)
        }
        try? manager.removeItem(atPath: path + "-shm")
        logger.warning(
            "the trace store could not be used and was put aside; a new one is begun",
            metadata: ["path": "\(aside[0])", "error": "\(failure)"])
    }

    var database: StoreDatabase { current.withLock { $0 } }
    var snapshot: StoreNames.Snapshot { names.withLock { $0.snapshot } }

    /// Puts the database aside when the failure says that it is damaged as a whole.
    func check(_ failure: Failure) {
        guard failure.code == .storeDamaged else { return }
        names.withLock { names in
            Self.putAside(path, because: failure, logger)
            guard let database = try? StoreDatabase(path: path) else { return }
            current.withLock { $0 = database }
            names.forgetWritten()
        }
    }

    // MARK: Encoding

    /// Turns a request into rows. Fails with `.corrupt` when it cannot be read; nothing of it is taken then.
    func encode(_ request: UnsafeRawBufferPointer, readsCalls: Bool) throws(Failure) -> TraceStore.Encoded {
        var failure: Failure?
        let encoded = names.withLock { state in
            var taken = StoreNames()
            swap(&taken, &state)
            var encoder = RowEncoder(names: taken, capacity: request.count, readsCalls: readsCalls)
            taken = StoreNames()
            do throws(Failure) { try OTLPWalker.walk(request, visitor: &encoder) } catch { failure = error }
            swap(&state, &encoder.names)
            let batch = RowBatch(rows: encoder.rows, places: encoder.places)
            return TraceStore.Encoded(batch: batch, result: encoder.result, calls: encoder.calls)
        }
        if let failure { throw failure }
        return encoded
    }

    // MARK: Segments

    /// The number of the next segment, the names its rows may hold, and those that the database lacks.
    func beginSegment() -> (id: Int, names: StoreNames.Snapshot, new: StoreDatabase.NewNames) {
        names.withLock { names in
            var new = StoreDatabase.NewNames()
            for index in names.writtenWords..<names.words.count {
                new.words.append(
                    (UInt32(index) + StoreNames.firstWord, names.isKey[index], names.bytes(ofWord: index)))
            }
            for (key, resource) in names.resourcesToWrite() {
                new.resources.append((resource.id, resource.last, resource.bytes))
                new.resourceKeys.append(key)
            }
            defer { names.segment += 1 }
            return (names.segment, names.snapshot, new)
        }
    }

    /// The database has them now.
    func noteWritten(_ new: StoreDatabase.NewNames) {
        names.withLock { names in
            let known = new.words.last.map { Int($0.id - StoreNames.firstWord) + 1 } ?? 0
            names.writtenWords = max(names.writtenWords, known)
            for (key, resource) in zip(new.resourceKeys, new.resources) {
                names.noteWritten(resource: key, last: resource.last)
            }
        }
    }

    func forgetResources(before oldest: Int) -> [UInt32] { names.withLock { $0.forgetResources(before: oldest) } }
}
