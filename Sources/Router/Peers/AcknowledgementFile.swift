import Foundation
import Linking
import Logging
import Shared
import Synchronization

/// Remembers, over restarts of the router, how far each worker's targets have taken the verdict log.
///
/// A file that is older than the truth only means that spans are handed to the targets again with the same ids, so it
/// is written at most once a second, and a damaged one counts as empty.
final class AcknowledgementFile: Sendable {
    private struct Contents: Codable, Equatable {
        var partitions: UInt16
        var workers: UInt16
        var positions: [UInt64]
    }

    private struct State {
        var written: [UInt64] = []
        var lastNanoseconds = 0
        var map = PartitionMap(partitions: 1, workers: 1)
    }

    private let directory: DataDirectory
    private let state = Mutex(State())

    init(directory: DataDirectory) { self.directory = directory }

    private var path: String { directory.path + "/acknowledged.json" }

    /// The positions of a run with as many workers and partitions. After a change of either, the lowest of all holds
    /// for everybody: partitions have other owners now.
    ///
    /// - Parameter end: of the verdict log; after a power cut it may be below what was acknowledged.
    func read(_ map: PartitionMap, end: UInt64) -> [UInt64] {
        state.withLock { $0.map = map }
        guard let bytes = try? directory.disk.contents(path, limit: 1 << 20),
            let contents = try? JSONDecoder().decode(Contents.self, from: Data(bytes)) else { return [] }
        let positions = contents.positions.map { min($0, end) }
        if contents.partitions == map.partitions, contents.workers == map.workers { return positions }
        return Array(repeating: positions.min() ?? 0, count: Int(map.workers))
    }

    func write(_ positions: [UInt64]) {
        let contents = state.withLock { state -> Contents? in
            let now = SystemClocks.monotonicNanoseconds()
            guard positions != state.written, now - state.lastNanoseconds > 1_000_000_000 else { return nil }
            state.written = positions
            state.lastNanoseconds = now
            return Contents(partitions: state.map.partitions, workers: state.map.workers, positions: positions)
        }
        guard let contents, let bytes = try? JSONEncoder().encode(contents) else { return }
        try? directory.disk.replace(path, with: Array(bytes))
    }
}

/// The name of a data directory's logs: random, made once.
enum LogIdentity {
    static func readOrMake(in directory: DataDirectory) throws(Failure) -> String {
        let path = directory.path + "/identity"
        if let bytes = try? directory.disk.contents(path, limit: 256), !bytes.isEmpty {
            return String(decoding: bytes, as: UTF8.self)
        }
        let identity = UUID().uuidString.lowercased()
        try directory.disk.replace(path, with: Array(identity.utf8))
        return identity
    }
}
