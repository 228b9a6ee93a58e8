import Linking

/// The folder of the file target: parts that workers write, and the hour files they are joined into.
///
///     .part-WWWWW-NNNNNNNNNN.open                      being written by worker W; removed at its next start
///     part-WWWWW-NNNNNNNNNN.jsonl                      complete: header line, then one line a span; never changed
///     .part-WWWWW-NNNNNNNNNN.jsonl@HOUR@LENGTH.joining its lines are being appended to HOUR's file, which
///                                                      was LENGTH bytes long before
///     traces-YYYYMMDDTHH.jsonl                         an hour's spans, without headers: what a user reads
///     .joined.jsonl                                    headers of the parts that were joined and removed
///     .join.lock                                       locked by the one process that joins
///
/// Joining a part, and what a crash after each step leaves (`recover` brings every case to step 5):
///
///     1 rename part → .joining with the hour file's length   a .joining file, hour file untouched
///     2 append the lines to the hour file, sync              … hour file longer: cut back to LENGTH, append again
///     3 append the header to .joined.jsonl, sync             … the header may come twice: a set, so harmless
///     4 sync the folder (a new hour file's name is safe)
///     5 remove the .joining file                             done
///
/// So each line is in the hour file exactly once, and a completed part is known as such at every moment.
/// All calls block; they belong on a thread that may wait for the disk.
public struct FileParts: Sendable {
    /// Size of the pieces in which lines are copied, bytes.
    static let copyBytes = 1 << 20
    /// Size of `.joined.jsonl` from which `forget` rewrites it, bytes.
    static let joinedBytesMax: UInt64 = 1 << 20

    public let folder: String
    let disk: any ExportDisk

    /// - Parameter folder: path of the target folder; `start` creates it.
    public init(folder: String, disk: any ExportDisk = SystemDisk()) {
        self.folder = folder
        self.disk = disk
    }

    /// What a worker learns when it begins to write parts.
    public struct Start: Sendable {
        /// Headers of all parts that are complete, joined or not, of any worker and verdict log.
        public var headers: [PartHeader]
        /// The first part number this worker has not used.
        public var nextPart: UInt64
    }

    /// Creates the folder, removes the incomplete parts of this worker, and reads the headers of the complete ones.
    public func start(worker: WorkerOrdinal) throws -> Start {
        try disk.makeFolder(folder)
        return try locked {
            for name in try disk.names(inFolder: folder) where PartName(name)?.isOpen(by: worker) == true {
                try disk.remove(path(name))
            }
            let headers = try completeHeaders()
            let used = headers.filter { $0.worker == worker.number }.map(\.part).max()
            return Start(headers: headers, nextPart: used.map { $0 &+ 1 } ?? 0)
        }
    }

    /// Path of a part while it is written.
    public func openPath(worker: WorkerOrdinal, part: UInt64) -> String {
        path(PartName(worker: worker.number, part: part).open)
    }

    /// Path of a part once it is complete.
    public func completePath(worker: WorkerOrdinal, part: UInt64) -> String {
        path(PartName(worker: worker.number, part: part).complete)
    }

    /// Appends the lines of every complete part to its hour's file; finishes first what a crash left half done.
    ///
    /// Waits for another process that joins in the same folder.
    public func joinHours() throws {
        try locked {
            let names = try disk.names(inFolder: folder).sorted()
            for name in names {
                if let joining = JoiningName(name) { try append(joining) }
            }
            for (name, header) in try completeParts() {
                let hourFile = hourPath(header.hour)
                let length = try withFile(hourFile) { try disk.length($0) }
                let joining = JoiningName(part: name, hour: header.hour, length: length)
                try disk.rename(path(name.complete), to: path(joining.text))
                try disk.syncFolder(folder)
                try append(joining)
            }
        }
    }

    /// Forgets the joined parts of a verdict log up to and including `block`: no worker is given these blocks again.
    public func forget(log: String, through block: UInt64) throws {
        try locked {
            let size = try withFile(joinedPath) { try disk.length($0) }
            guard size > FileParts.joinedBytesMax else { return }
            var kept: [UInt8] = []
            for header in try joinedHeaders() where header.log == log && header.lastBlock > block {
                kept += try header.line()
            }
            let fresh = joinedPath + ".new"
            try withFile(fresh) { file in
                try disk.truncate(file, to: 0)
                try kept.withUnsafeBytes { try disk.write($0, to: file, at: 0) }
                try disk.sync(file)
            }
            try disk.rename(fresh, to: joinedPath)
            try disk.syncFolder(folder)
        }
    }

    /// Copies the lines of all complete parts (not yet joined) to `sink`, ordered by (epoch, worker, part).
    ///
    /// - Returns: the number of spans, by the parts' headers.
    public func join(to sink: (UnsafeRawBufferPointer) throws -> Void) throws -> UInt64 {
        var spans: UInt64 = 0
        for (name, header) in try completeParts() {
            try withFile(path(name.complete)) { try copyLines(of: $0, to: sink) }
            spans &+= header.spans
        }
        return spans
    }

    /// Joins all parts of all workers into one file; `-` is the standard output. The parts stay.
    ///
    /// The file appears whole: it is written beside its place and renamed.
    @discardableResult
    public static func join(
        _ folder: String, to output: String, disk: any ExportDisk = SystemDisk(isDurable: false)
    ) throws -> UInt64 {
        let parts = FileParts(folder: folder, disk: disk)
        if output == "-" {
            return try parts.join { try LineWriter.writeAll($0, to: 1) }
        }
        let fresh = output + ".new"
        var offset: UInt64 = 0
        let spans = try parts.withFile(fresh) { file in
            try disk.truncate(file, to: 0)
            return try parts.join { bytes in
                try disk.write(bytes, to: file, at: offset)
                offset += UInt64(bytes.count)
            }
        }
        try disk.rename(fresh, to: output)
        return spans
    }
}

// MARK: - Steps

extension FileParts {
    private var joinedPath: String { path(".joined.jsonl") }
    private func path(_ name: String) -> String { folder + "/" + name }
    private func hourPath(_ hour: String) -> String { path("traces-\(hour).jsonl") }

    func withFile<Result>(_ path: String, _ body: (Int32) throws -> Result) throws -> Result {
        let file = try disk.open(path)
        defer { disk.close(file) }
        return try body(file)
    }

    private func locked<Result>(_ body: () throws -> Result) throws -> Result {
        try withFile(path(".join.lock")) { file in
            try disk.lock(file)
            return try body()
        }
    }

    /// Steps 2 to 5 of joining; does the same again after a crash at any of them.
    private func append(_ joining: JoiningName) throws {
        try withFile(path(joining.text)) { part in
            let header = try readHeader(part).header
            try withFile(hourPath(joining.hour)) { hour in
                // A user may have moved the hour file away meanwhile: then it starts anew.
                var offset = min(joining.length, try disk.length(hour))
                try disk.truncate(hour, to: offset)
                try copyLines(of: part) { bytes in
                    try disk.write(bytes, to: hour, at: offset)
                    offset += UInt64(bytes.count)
                }
                try disk.sync(hour)
            }
            try appendJoined(header)
        }
        try disk.syncFolder(folder)
        try disk.remove(path(joining.text))
    }

    private func appendJoined(_ header: PartHeader) throws {
        let line = try header.line()
        try withFile(joinedPath) { file in
            let end = try lengthOfWholeLines(file)
            try disk.truncate(file, to: end)
            try line.withUnsafeBytes { try disk.write($0, to: file, at: end) }
            try disk.sync(file)
        }
    }

    /// The file's length without a torn last line.
    private func lengthOfWholeLines(_ file: Int32) throws -> UInt64 {
        let length = try disk.length(file)
        var end = length
        var buffer = [UInt8](repeating: 0, count: 4096)
        while end > 0 {
            let from = end > 4096 ? end - 4096 : 0
            let count = try buffer.withUnsafeMutableBytes { bytes in
                try disk.read(into: .init(rebasing: bytes[..<Int(end - from)]), from: file, at: from)
            }
            guard count > 0 else { return 0 }
            if let last = buffer[..<count].lastIndex(of: 0x0A) { return from + UInt64(last) + 1 }
            end = from
        }
        return 0
    }

    private func joinedHeaders() throws -> [PartHeader] {
        try withFile(joinedPath) { file in
            var bytes = [UInt8](repeating: 0, count: Int(clamping: try disk.length(file)))
            let count = try bytes.withUnsafeMutableBytes { try disk.read(into: $0, from: file, at: 0) }
            // A line that cannot be read is a torn one; its part is still there as .joining.
            return bytes[..<count].split(separator: 0x0A).compactMap { try? PartHeader(line: $0) }
        }
    }

    private func completeHeaders() throws -> [PartHeader] {
        var headers = try joinedHeaders()
        for name in try disk.names(inFolder: folder) {
            guard let joining = JoiningName(name) else { continue }
            headers.append(try withFile(path(joining.text)) { try readHeader($0).header })
        }
        return try headers + completeParts().map(\.header)
    }

    /// The complete parts in the order of (epoch, worker, part). One with an unreadable header is set aside (`.bad-…`).
    private func completeParts() throws -> [(name: PartName, header: PartHeader)] {
        var parts: [(name: PartName, header: PartHeader)] = []
        for text in try disk.names(inFolder: folder) {
            guard let name = PartName(text), text == name.complete else { continue }
            do {
                parts.append((name, try withFile(path(text)) { try readHeader($0).header }))
            } catch let failure as Failure where failure.code == .corrupt {
                try disk.rename(path(text), to: path(".bad-" + text))
            }
        }
        return parts.sorted { left, right in
            (left.header.firstEpoch, left.header.worker, left.header.part)
                < (right.header.firstEpoch, right.header.worker, right.header.part)
        }
    }

    /// The header and the offset of the first span's line.
    private func readHeader(_ file: Int32) throws -> (header: PartHeader, end: UInt64) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while line.count <= PartHeader.bytesMax {
            let count = try buffer.withUnsafeMutableBytes { bytes in
                try disk.read(into: bytes, from: file, at: UInt64(line.count))
            }
            guard count > 0 else { break }
            if let end = buffer[..<count].firstIndex(of: 0x0A) {
                line.append(contentsOf: buffer[..<end])
                return (try PartHeader(line: line), UInt64(line.count) + 1)
            }
            line.append(contentsOf: buffer[..<count])
        }
        throw Failure(.corrupt, "an exported part in \(folder) has no header line")
    }

    private func copyLines(of part: Int32, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
        var offset = try readHeader(part).end
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileParts.copyBytes, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try disk.read(into: buffer, from: part, at: offset)
            if count == 0 { return }
            try sink(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }
}
