/// A reader of one log, in the process that writes it or in any other on the same machine.
///
/// One owner, not thread-safe. Copes with a writer that appends, rolls and trims meanwhile.
public final class SegmentedLogReader {
    /// What lies at a position.
    public enum Step {
        /// A checked record.
        case record(LogRecordView)
        /// Nothing can be read before this position: trimmed, or damaged.
        case gap(to: UInt64)
        /// The end for now.
        case end
    }

    private let disk: any Disk
    private let folder: String
    private var bases: [UInt64] = []
    private var window: SegmentWindow?
    /// Open files of `bytes(at:)`, the one used last at the end.
    private var files: [(base: UInt64, file: any DiskFile)] = []

    /// A reader of the log in a folder, which need not be there yet.
    public init(disk: any Disk, folder: String) {
        self.disk = disk
        self.folder = folder
    }

    /// What lies at `position`, which must be the position of a record, a gap or the end.
    ///
    /// - Parameter end: the end that the writer told, at a border of records; nothing is read beyond it, and what
    ///   cannot be read before it is a gap, up to the next good record. Without it, what cannot be read in the last
    ///   segment counts as being written.
    /// - Parameter readsAhead: false for a lone record, behind which none is asked for.
    public func step(at position: UInt64, end: UInt64? = nil, readsAhead: Bool = true) throws(Failure) -> Step {
        if let end, position >= end { return .end }
        guard position <= SegmentHeader.largestBase else { return .end }
        // A segment may be rolled or trimmed between two looks: each round is a fresh look.
        for round in 0..<4 {
            if round > 0 || bases.isEmpty { try refresh() }
            guard let first = bases.first else { return .end }
            if position < first {
                if round == 0 { continue }
                return .gap(to: min(first, end ?? .max))
            }
            let index = lastIndex(atOrBelow: position)
            guard let window = try window(for: bases[index]) else { continue }
            let next: UInt64? = index + 1 < bases.count ? bases[index + 1] : nil
            let content = try window.content(at: position, limit: end ?? .max, readsAhead: readsAhead)
            if case .record(let header, let body, let memory) = content {
                return .record(LogRecordView(header, body, in: memory))
            }
            window.forget()
            if round == 0 { continue }
            // The list of segments is older than this look: when it has a next one, nothing can appear here any more.
            guard let gapEnd = [next, end].compactMap(\.self).min() else { return .end }
            // A lone record is not there; what comes behind it is not asked for.
            guard readsAhead else { return .gap(to: gapEnd) }
            return .gap(to: try window.search(behind: position, limit: gapEnd).record ?? gapEnd)
        }
        return .end
    }

    /// Reads `target.count` bytes of the file from a log position on, headers of records included, unchecked.
    ///
    /// Fails with `.corrupt` when they are not there any more.
    public func read(into target: UnsafeMutableRawBufferPointer, at position: UInt64) throws(Failure) {
        for round in 0..<2 where position <= SegmentHeader.largestBase {
            if round > 0 || bases.isEmpty { try refresh() }
            guard let first = bases.first, position >= first else { continue }
            let base = bases[lastIndex(atOrBelow: position)]
            guard let file = try file(for: base) else { continue }
            let count = try file.read(into: target, at: UInt64(SegmentHeader.bytes) + position - base)
            if count == target.count { return }
            files.removeAll { $0.base == base }
        }
        throw Failure(.corrupt, "\(folder) has no bytes at \(position) any more; they were trimmed or lost")
    }

    /// Closes the files of segments that were trimmed, so that their room on the disk is free.
    public func closeTrimmed() throws(Failure) {
        if window != nil || !files.isEmpty { try refresh() }
    }

    /// Whether a position was trimmed: nothing of it, or before it, is kept on purpose. O(segments).
    public func isTrimmed(_ position: UInt64) throws(Failure) -> Bool {
        try refresh()
        return bases.first.map { position < $0 } ?? false
    }

    /// Path of the segment file that holds a position, for messages; the folder when there is none.
    public func path(at position: UInt64) -> String {
        guard let first = bases.first, position >= first else { return folder }
        return folder + "/" + SegmentHeader.name(bases[lastIndex(atOrBelow: position)])
    }

    private func refresh() throws(Failure) {
        do throws(Failure) {
            bases = try SegmentHeader.bases(in: folder, on: disk)
        } catch {
            if error.code != .fileMissing { throw error }
            bases = []
        }
        let first = bases.first ?? .max
        files.removeAll { $0.base < first }
        if let window, window.base < first { self.window = nil }
    }

    /// Index of the segment whose range holds `position`; the first base is not above it. O(log segments).
    private func lastIndex(atOrBelow position: UInt64) -> Int {
        var low = 0
        var high = bases.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if bases[middle] <= position { low = middle } else { high = middle }
        }
        return low
    }

    private func window(for base: UInt64) throws(Failure) -> SegmentWindow? {
        if let window, window.base == base { return window }
        guard let file = try open(base) else { return nil }
        let opened = SegmentWindow(base: base, file: file)
        window = opened
        return opened
    }

    private func file(for base: UInt64) throws(Failure) -> (any DiskFile)? {
        if let index = files.lastIndex(where: { $0.base == base }) { return files[index].file }
        guard let file = try open(base) else { return nil }
        if files.count >= 8 { files.removeFirst() }
        files.append((base, file))
        return file
    }

    /// Opens a segment; nil when it was trimmed meanwhile.
    private func open(_ base: UInt64) throws(Failure) -> (any DiskFile)? {
        do throws(Failure) {
            return try disk.open(folder + "/" + SegmentHeader.name(base), .read)
        } catch {
            if error.code == .fileMissing { return nil }
            throw error
        }
    }
}
