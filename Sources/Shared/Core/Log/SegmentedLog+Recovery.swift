import Linking

// What opening a log does after a crash: it finds the end, cuts a torn tail off, and notes what cannot be read.

extension SegmentedLog {
    func recover(_ verify: LogVerification, _ visit: (LogRecordView) -> Void) throws(Failure) {
        try disk.makeFolder(folder)
        var bases = try SegmentHeader.bases(in: folder, on: disk)
        for base in bases {
            let file = try disk.open(path(SegmentHeader.name(base)), .read)
            segments.append(Segment(base: base, fileBytes: try file.size()))
        }
        if let last = bases.last {
            let safe = verify == .everything ? 0 : try header(of: last)?.synchronized ?? 0
            // All segments that end above the safe position, and always the last one.
            let first = bases.dropFirst().firstIndex { $0 > safe }.map { $0 - 1 } ?? bases.count - 1
            bases.append(.max)
            for index in first..<bases.count - 1 { try recoverSegment(bases[index], next: bases[index + 1], visit) }
            try truncateTail()
            repairHeader(last)
            try openActive().synchronize()
        } else {
            mustRoll = true
        }
        try disk.synchronizeFolder(folder)
        synchronizedEnd = end
        prepare()
    }

    /// Makes the room for the next records now, if the disk has it; else the next append tries again.
    private func prepare() {
        if mustRoll { try? roll() } else { try? clearTail() }
    }

    /// The header of a segment file; nil when a power cut took it.
    private func header(of base: UInt64) throws(Failure) -> SegmentHeader? {
        let file = try disk.open(path(SegmentHeader.name(base)), .read)
        let bytes = RawBytes(capacity: SegmentHeader.bytes)
        let target = UnsafeMutableRawBufferPointer(start: bytes.start, count: SegmentHeader.bytes)
        guard try file.read(into: target, at: 0) == SegmentHeader.bytes else { return nil }
        return SegmentHeader(at: bytes.start, base: base)
    }

    /// Writes a lost header again. It only saves work at the next opening, so it may fail.
    private func repairHeader(_ base: UInt64) {
        guard segments.last?.base == base, (try? header(of: base)) == nil else { return }
        let bytes = RawBytes(capacity: SegmentHeader.bytes)
        SegmentHeader(base: base, synchronized: 0).encode(into: bytes.start)
        try? openActive().write([UnsafeRawBufferPointer(start: bytes.start, count: SegmentHeader.bytes)], at: 0)
    }

    /// Reads the records of a segment and stops at its end: behind the last good record of the last segment.
    ///
    /// A record that cannot be read stays where it is, as a gap; so do the good ones behind it.
    private func recoverSegment(
        _ base: UInt64, next: UInt64, _ visit: (LogRecordView) -> Void
    ) throws(Failure) {
        let file = try disk.open(path(SegmentHeader.name(base)), .read)
        // A process that was killed may have left bytes that only the kernel has.
        try file.synchronize()
        let window = SegmentWindow(base: base, file: file)
        end = base
        while end < next {
            if case .record(let header, let body, let memory) = try window.content(at: end, limit: next) {
                visit(LogRecordView(header, body, in: memory))
                recovery.checkedRecords += 1
                end = header.next
                continue
            }
            let search = try window.search(behind: end, limit: next)
            if search.record == nil, next == .max {
                recovery.cutBytes += search.usedEnd - end
                return
            }
            let gapEnd = search.record ?? next
            recovery.gaps.append(.init(from: end, to: gapEnd))
            end = gapEnd
        }
    }
}
