/// A sliding view of one segment file, through which records are checked and handed out.
///
/// Reads ahead in steps that double while records are found (4 KiB to 256 KiB), so that a reader at the end of a log
/// that waits for more costs little.
final class SegmentWindow {
    /// What lies at a log position.
    enum Content {
        /// A good record; the bytes are its body, valid until the next call.
        case record(RecordHeader, UnsafeRawBufferPointer)
        /// Zeros, or the end of the file: nothing was written here so far.
        case nothing
        /// Something else: a torn or damaged record, or one that is being written now.
        case damaged
    }

    let base: UInt64
    let file: any DiskFile
    private let memory = RawBytes(capacity: 4096)
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
    func content(at position: UInt64, limit: UInt64 = .max) throws(Failure) -> Content {
        guard position >= base, let head = try bytes(at: position, RecordHeader.bytes) else { return .nothing }
        guard let header = RecordHeader(at: head, position: position) else {
            let isZero = (head.little(0, as: UInt64.self) | head.little(8) | head.little(16)) == 0
            return isZero ? .nothing : .damaged
        }
        guard header.length <= 1 << 31, header.next <= limit,
            let record = try bytes(at: position, RecordHeader.bytes + header.length), header.isIntact(at: record)
        else { return .damaged }
        return .record(header, UnsafeRawBufferPointer(start: record + RecordHeader.bytes, count: header.length))
    }

    /// `count` bytes of the file at a log position; nil when the file ends before.
    private func bytes(at position: UInt64, _ count: Int) throws(Failure) -> UnsafeRawPointer? {
        let offset = UInt64(SegmentHeader.bytes) + (position - base)
        if offset < start || offset + UInt64(count) > start + UInt64(memory.count) {
            // The file's size bounds what a damaged length can make us allocate.
            guard offset + UInt64(count) <= (try file.size()) else { return nil }
            memory.reserveAnew(max(count, step))
            start = offset
            let target = UnsafeMutableRawBufferPointer(start: memory.start, count: max(count, step))
            memory.count = try file.read(into: target, at: offset)
            step = min(step * 2, 256 << 10)
            guard memory.count >= count else { return nil }
        }
        return UnsafeRawPointer(memory.start) + Int(offset - start)
    }
}
