import Synchronization

/// A disk in memory, for tests and the simulation: it can lose unsynchronised bytes, tear writes, run full and rot.
///
/// ```
///   names:  live ──synchronizeFolder──▶ durable      (changes of names survive a power cut in their order, or not)
///   bytes:  live ──synchronize────────▶ durable      (each unsynchronised write may survive whole, in part or not)
/// ```
/// A *kill* of a process needs no call but `releaseLocks()`: written bytes stay. A *power cut* keeps the durable state
/// and as much of the rest as its mode says. Files that are open during a power cut must not be used any more.
public final class MemoryDisk: Disk {
    /// What survives a power cut beyond the synchronised bytes.
    public enum PowerCut: Sendable {
        /// Nothing.
        case losesEverythingUnsynchronised
        /// Any sectors (512 bytes) of any write, and any number of name changes in their order.
        case keepsRandomSectors
        /// All writes but the last one of each file, of which a random part survives.
        case tearsLastWrite
    }

    private let state = Mutex(State())

    public init() {}

    /// Lets the disk run full: at most `bytes` in all files together; nil: no limit.
    public func limitSpace(to bytes: Int?) { state.withLock { $0.capacity = bytes } }

    /// Makes writes fail, as on a broken disk, after `bytes` more were written; nil: no failure.
    public func failWrites(after bytes: Int?) { state.withLock { $0.writesLeft = bytes } }

    /// Bytes of all files together.
    public var usedBytes: Int { state.withLock { $0.usedBytes } }

    /// All locks are free, as after the end of the process that held them.
    public func releaseLocks() { state.withLock { $0.locks = [:] } }

    /// Flips bits of one byte, synchronised or not; nothing when there is no such byte.
    public func corrupt(_ path: String, at offset: Int, flipping bits: UInt8) {
        state.withLock { state in
            guard let node = state.names[path], offset < state.nodes[node, default: Node()].live.count else { return }
            state.nodes[node]?.live[offset] ^= bits
            let durable = state.nodes[node]?.durable.count ?? 0
            if offset < durable { state.nodes[node]?.durable[offset] ^= bits }
        }
    }

    /// The paths of all files.
    public var paths: [String] { state.withLock { $0.names.keys.sorted() } }

    /// The power fails and comes back.
    public func cutPower(_ mode: PowerCut, using random: inout some RandomNumberGenerator) {
        var dice = random
        state.withLock { $0.cutPower(mode, using: &dice) }
        random = dice
    }

    // MARK: Disk

    public func open(_ path: String, _ mode: DiskOpenMode) throws(Failure) -> any DiskFile {
        let node: Int? = state.withLock { state in
            if let node = state.names[path] { return node }
            return mode == .create ? state.create(path) : nil
        }
        guard let node else { throw diskFailure("open", path, 2) }
        return MemoryFile(path: path, node: node, disk: self)
    }

    public func rename(_ path: String, to newPath: String) throws(Failure) {
        let found = state.withLock { $0.names[path] != nil && $0.apply(.rename(path, newPath)) }
        if !found { throw diskFailure("rename", path, 2) }
    }

    public func unlink(_ path: String) throws(Failure) {
        let found = state.withLock { $0.names[path] != nil && $0.apply(.unlink(path)) }
        if !found { throw diskFailure("remove", path, 2) }
    }

    public func list(_ folder: String) throws(Failure) -> [String] {
        let names: [String]? = state.withLock { state in
            guard state.folders.contains(folder) else { return nil }
            return state.names.keys.filter { $0.hasPrefix(folder + "/") }
                .map { String($0.dropFirst(folder.count + 1)) }.filter { !$0.contains("/") }
        }
        guard let names else { throw diskFailure("list", folder, 2) }
        return names
    }

    public func makeFolder(_ path: String) throws(Failure) {
        state.withLock { state in
            var rest = path[...]
            while !rest.isEmpty {
                state.folders.insert(String(rest))
                rest = rest.lastIndex(of: "/").map { rest[..<$0] } ?? ""
            }
        }
    }

    public func synchronizeFolder(_ path: String) throws(Failure) {
        state.withLock { $0.synchronizeNames() }
    }

    public func lock(_ path: String, holder: String) throws(Failure) -> any DiskLock {
        let (token, other) = state.withLock { state -> (Int, String?) in
            if let held = state.locks[path] { return (0, held.holder) }
            state.nextNode += 1
            state.locks[path] = (state.nextNode, holder)
            return (state.nextNode, nil)
        }
        if let other { throw lockedFailure(path, holder: other) }
        return MemoryLock(path: path, token: token, disk: self)
    }

    public func freeBytes(_ path: String) throws(Failure) -> UInt64 {
        state.withLock { UInt64(max(0, ($0.capacity ?? 1 << 40) - $0.usedBytes)) }
    }

    // MARK: Files

    fileprivate func size(_ node: Int) -> Int { state.withLock { $0.nodes[node]?.live.count ?? 0 } }

    fileprivate func read(_ node: Int, at offset: Int, _ most: Int) -> [UInt8] {
        state.withLock { state in
            let bytes = state.nodes[node]?.live ?? []
            guard offset < bytes.count else { return [] }
            return Array(bytes[offset..<min(bytes.count, offset + most)])
        }
    }

    /// False when the disk is full or broken; a part of the bytes is written then.
    fileprivate func write(_ node: Int, _ bytes: [UInt8], at offset: Int) -> Bool {
        state.withLock { state in
            let held = state.nodes[node]?.live.count ?? 0
            let room = state.capacity.map { max(0, held + $0 - state.usedBytes - offset) } ?? .max
            let count = min(bytes.count, room, state.writesLeft ?? .max)
            state.writesLeft = state.writesLeft.map { $0 - count }
            state.nodes[node]?.apply(.write(offset, Array(bytes[..<count])))
            return count == bytes.count
        }
    }

    fileprivate func resize(_ node: Int, to bytes: Int, onlyGrow: Bool) -> Bool {
        state.withLock { state in
            let held = state.nodes[node]?.live.count ?? 0
            if onlyGrow && bytes <= held { return true }
            if let capacity = state.capacity, state.usedBytes - held + bytes > capacity, bytes > held { return false }
            state.nodes[node]?.apply(.resize(bytes))
            return true
        }
    }

    fileprivate func synchronize(_ node: Int) { state.withLock { $0.nodes[node]?.synchronize() } }

    fileprivate func release(_ path: String, _ token: Int) {
        state.withLock { if $0.locks[path]?.token == token { $0.locks[path] = nil } }
    }
}

extension MemoryDisk {
    fileprivate enum DataChange {
        case write(Int, [UInt8])
        case resize(Int)
    }

    fileprivate enum NameChange {
        case create(String, Int)
        case rename(String, String)
        case unlink(String)
    }

    fileprivate struct Node {
        var live: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [DataChange] = []

        mutating func apply(_ change: DataChange) {
            Self.apply(change, to: &live)
            pending.append(change)
        }

        mutating func synchronize() {
            durable = live
            pending = []
        }

        static func apply(_ change: DataChange, to bytes: inout [UInt8]) {
            switch change {
            case .resize(let size):
                if size < bytes.count { bytes.removeLast(bytes.count - size) }
                bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
            case .write(let offset, let part):
                let end = offset + part.count
                if end > bytes.count { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }
                bytes.replaceSubrange(offset..<end, with: part)
            }
        }

        mutating func cutPower(_ mode: PowerCut, using random: inout some RandomNumberGenerator) {
            let last = pending.lastIndex { if case .write = $0 { true } else { false } }
            for (index, change) in pending.enumerated() where mode != .losesEverythingUnsynchronised {
                if mode == .tearsLastWrite && index != last {
                    Self.apply(change, to: &durable)
                } else if case .write(let offset, let part) = change {
                    Self.applySectors(offset, part, to: &durable, using: &random)
                } else if Bool.random(using: &random) {
                    Self.apply(change, to: &durable)
                }
            }
            live = durable
            pending = []
        }

        private static func applySectors(
            _ offset: Int, _ part: [UInt8], to bytes: inout [UInt8], using random: inout some RandomNumberGenerator
        ) {
            var start = 0
            while start < part.count {
                let end = min(part.count, ((offset + start) / 512 + 1) * 512 - offset)
                if Bool.random(using: &random) { apply(.write(offset + start, Array(part[start..<end])), to: &bytes) }
                start = end
            }
        }
    }

    fileprivate struct State {
        var nodes: [Int: Node] = [:]
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var pendingNames: [NameChange] = []
        var folders: Set<String> = []
        var locks: [String: (token: Int, holder: String)] = [:]
        var nextNode = 0
        var capacity: Int?
        var writesLeft: Int?

        var usedBytes: Int { names.values.reduce(0) { $0 + (nodes[$1]?.live.count ?? 0) } }

        mutating func create(_ path: String) -> Int {
            nextNode += 1
            nodes[nextNode] = Node()
            apply(.create(path, nextNode))
            return nextNode
        }

        @discardableResult mutating func apply(_ change: NameChange) -> Bool {
            Self.apply(change, to: &names)
            pendingNames.append(change)
            return true
        }

        static func apply(_ change: NameChange, to names: inout [String: Int]) {
            switch change {
            case .create(let path, let node): names[path] = node
            case .rename(let path, let newPath): names[newPath] = names.removeValue(forKey: path)
            case .unlink(let path): names[path] = nil
            }
        }

        mutating func synchronizeNames() {
            durableNames = names
            pendingNames = []
        }

        mutating func cutPower(_ mode: PowerCut, using random: inout some RandomNumberGenerator) {
            var kept = mode == .tearsLastWrite ? pendingNames.count : 0
            if mode == .keepsRandomSectors { kept = Int.random(in: 0...pendingNames.count, using: &random) }
            for change in pendingNames[..<kept] { Self.apply(change, to: &durableNames) }
            names = durableNames
            pendingNames = []
            locks = [:]
            let named = Set(names.values)
            nodes = nodes.filter { named.contains($0.key) }
            for node in nodes.keys.sorted() { nodes[node]?.cutPower(mode, using: &random) }
        }
    }
}

private final class MemoryFile: DiskFile {
    let path: String
    private let node: Int
    private let disk: MemoryDisk

    init(path: String, node: Int, disk: MemoryDisk) {
        self.path = path
        self.node = node
        self.disk = disk
    }

    func size() throws(Failure) -> UInt64 { UInt64(disk.size(node)) }

    func read(into target: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int {
        guard offset <= UInt64(Int.max) else { return 0 }
        let bytes = disk.read(node, at: Int(offset), target.count)
        target.copyBytes(from: bytes)
        return bytes.count
    }

    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(Failure) {
        var bytes: [UInt8] = []
        for part in parts { bytes.append(contentsOf: part) }
        guard disk.write(node, bytes, at: Int(offset)) else { throw diskFailure("write", path, 28) }
    }

    func preallocate(_ bytes: UInt64) throws(Failure) {
        guard disk.resize(node, to: Int(bytes), onlyGrow: true) else {
            throw diskFailure("reserve \(bytes) bytes for", path, 28)
        }
    }

    func truncate(to bytes: UInt64) throws(Failure) {
        guard disk.resize(node, to: Int(bytes), onlyGrow: false) else { throw diskFailure("extend", path, 28) }
    }

    func synchronize() throws(Failure) { disk.synchronize(node) }
}

private final class MemoryLock: DiskLock {
    private let path: String
    private let token: Int
    private let disk: MemoryDisk

    init(path: String, token: Int, disk: MemoryDisk) {
        self.path = path
        self.token = token
        self.disk = disk
    }

    deinit { release() }

    func release() { disk.release(path, token) }
}
