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
