#if canImport(Glibc)
    import Glibc
#endif

/// A sliding view of one segment file, through which records are checked and handed out.
///
/// Reads ahead in steps that double while records are found (4 KiB to 256 KiB), so that a reader at the end of a log
/// that waits for more costs little. Nothing beyond a limit is read: the kernel would fill those preallocated pages.
final class SegmentWindow {
    /// What lies at a log position.
    enum Content {
        /// A good record, its body, and the memory the body lies in: valid while someone holds it.
        case record(RecordHeader, UnsafeRawBufferPointer, RawBytes)
        /// Zeros, or the end of the file: nothing was written here so far.
        case nothing
        /// Something else: a torn or damaged record, or one that is being written now.
        case damaged
    }

    let base: UInt64
    let file: any DiskFile
    private var memory = RawBytes(capacity: 4096)
    /// File offset of the first byte in memory.
    private var start: UInt64 = 0
    private var step = 4096

    init(base: UInt64, file: any DiskFile) {
        self.base = base
        self.file = file
    }

    /// Forgets what was read, as the file may have changed since.
    func forget() {
        memory.count = 0
        step = 4096
    }

    /// What lies at `position`; a record must end at or before `limit`.
    ///
    /// - Parameter readsAhead: false for a lone record: no bytes behind it are read.
    func content(
        at position: UInt64, limit: UInt64 = .max, readsAhead: Bool = true
    ) throws(Failure) -> Content {
        guard position >= base, position < limit else { return .nothing }
        let most = min(limit - position, readsAhead ? UInt64(step) : 0)
        guard let head = try bytes(at: position, RecordHeader.bytes, ahead: most) else { return .nothing }
        guard let header = RecordHeader(at: head, position: position) else {
            let isZero = (head.little(0, as: UInt64.self) | head.little(8) | head.little(16)) == 0
            return isZero ? .nothing : .damaged
        }
        guard header.length <= 1 << 31, header.next <= limit,
            let record = try bytes(at: position, RecordHeader.bytes + header.length, ahead: most),
            header.isIntact(at: record)
        else { return .damaged }
        let body = UnsafeRawBufferPointer(start: record + RecordHeader.bytes, count: header.length)
        return .record(header, body, memory)
    }

    /// What a search found.
    struct Search {
        /// Position of the next good record; nil: none.
        var record: UInt64?
        /// Behind the last byte before it that is not zero.
        var usedEnd: UInt64
    }

    /// Looks for the next good record behind `position`, where none can be read.
    ///
    /// Nothing that the bad record says is believed: every multiple of 8 is a candidate, and counts when all of it is
    /// as it was written, its own position included. O(bytes searched): bytes that look like headers of long records
    /// are checked up to four times as many in all, and passed over beyond.
    ///
    /// - Parameter limit: the record must end at or before it.
    func search(behind position: UInt64, limit: UInt64 = .max) throws(Failure) -> Search {
        let headerBytes = UInt64(SegmentHeader.bytes)
        let stop = min(limit, base + max(headerBytes, try file.size()) - headerBytes)
        var search = Search(usedEnd: position)
        guard position >= base, position < stop else { return search }
        var budget = 4 * (stop - position)
        let chunk = RawBytes(capacity: Self.searchStep + RecordHeader.bytes)
        var at = position
        while at < stop {
            // The header of a candidate may lie across the border: its rest is read along, and again with the next.
            let most = min(Int(min(stop - at, UInt64(Int.max))), Self.searchStep + RecordHeader.bytes)
            let target = UnsafeMutableRawBufferPointer(start: chunk.start, count: most)
            let count = try file.read(into: target, at: headerBytes + at - base)
            let here = min(count, Self.searchStep)
            var offset = 0
            while offset < here {
                let place = at + UInt64(offset)
                guard offset + 8 <= count else {
                    if target[offset..<count].contains(where: { $0 != 0 }) { search.usedEnd = place + 8 }
                    break
                }
                if UnsafeRawPointer(chunk.start).little(offset, as: UInt64.self) == 0 {
                    offset += Self.zeroBytes(chunk.start + offset, here - offset)
                    continue
                }
                if place > position, offset + RecordHeader.bytes <= count,
                    let header = RecordHeader(at: chunk.start + offset, position: place), header.next <= stop,
                    header.recordBytes <= budget
                {
                    budget -= UInt64(header.recordBytes)
                    if case .record = try content(at: place, limit: limit) {
                        search.record = place
                        return search
                    }
                }
                search.usedEnd = place + 8
                offset += 8
            }
            if count < most { break }
            at += UInt64(here)
        }
        return search
    }

    private static let searchStep = 256 << 10

    /// How many bytes to pass over at `start`, where eight are zero: 4096 if all of them are, else 8.
    ///
    /// A fresh segment is 128 MiB of zeros, which are searched whenever its log is opened.
    private static func zeroBytes(_ start: UnsafeRawPointer, _ count: Int) -> Int {
        count >= 4096 && memcmp(start, start + 8, 4096 - 8) == 0 ? 4096 : 8
    }

    /// `count` bytes of the file at a log position; nil when the file ends before.
    ///
    /// Bytes that are there already are kept, unless someone holds a record in them.
    private func bytes(at position: UInt64, _ count: Int, ahead: UInt64) throws(Failure) -> UnsafeRawPointer? {
        let offset = UInt64(SegmentHeader.bytes) + (position - base)
        let end = start + UInt64(memory.count)
        if offset < start || offset + UInt64(count) > end {
            // The file's size bounds what a damaged length can make us allocate.
            guard offset + UInt64(count) <= (try file.size()) else { return nil }
            let kept = offset >= start && offset < end ? Int(end - offset) : 0
            let wanted = max(count, Int(ahead))
            let isFree = isKnownUniquelyReferenced(&memory) && memory.capacity >= wanted
            let target = isFree ? memory : RawBytes(capacity: wanted)
            if kept > 0 { target.start.copyMemory(from: memory.start + Int(offset - start), byteCount: kept) }
            target.count = kept
            memory = target
            start = offset
            let rest = UnsafeMutableRawBufferPointer(start: target.start + kept, count: wanted - kept)
            target.count += try file.read(into: rest, at: offset + UInt64(kept))
            step = min(step * 2, 256 << 10)
            guard target.count >= count else { return nil }
        }
        return UnsafeRawPointer(memory.start) + Int(offset - start)
    }
}
