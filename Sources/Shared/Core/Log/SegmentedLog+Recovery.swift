import Linking

// What opening a log does after a crash. Crash order of the quarantine, each step on its own harmless:
//   1. the good beginning is written to <base>.tmp and synchronised
//   2. <base>.seg is renamed to <base>.quarantine
//   3. <base>.tmp is renamed to <base>.seg           (done at the next opening when a crash came before)

extension SegmentedLog {
    func recover(_ verify: LogVerification, _ visit: (LogRecordView) -> Void) throws(Failure) {
        try disk.makeFolder(folder)
        try finishQuarantine()
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

    private func finishQuarantine() throws(Failure) {
        let names = Set(try disk.list(folder))
        for base in try SegmentHeader.bases(in: folder, on: disk, "tmp") {
            let draft = path(SegmentHeader.name(base, "tmp"))
            let wasSetAside = names.contains(SegmentHeader.name(base, "quarantine"))
            if wasSetAside && !names.contains(SegmentHeader.name(base)) {
                try disk.rename(draft, to: path(SegmentHeader.name(base)))
            } else {
                try disk.unlink(draft)
            }
        }
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

    private func recoverSegment(
        _ base: UInt64, next: UInt64, _ visit: (LogRecordView) -> Void
    ) throws(Failure) {
        let isLast = next == .max
        let file = try disk.open(path(SegmentHeader.name(base)), .read)
        // A process that was killed may have left bytes that only the kernel has.
        try file.synchronize()
        let window = SegmentWindow(base: base, file: file)
        end = base
        while end < next, case .record(let header, let body, let memory) = try window.content(at: end, limit: next) {
            visit(LogRecordView(header, body, in: memory))
            recovery.checkedRecords += 1
            end = header.next
        }
        if end == next { return }
        let rest = try examineRest(of: window, from: end)
        if !isLast {
            recovery.gaps.append(.init(from: end, to: next))
            if rest.usedEnd > end { try quarantine(base, goodEnd: end, rest) }
        } else if let lastRecordEnd = rest.lastRecordEnd {
            recovery.gaps.append(.init(from: end, to: lastRecordEnd))
            try quarantine(base, goodEnd: end, rest)
            end = lastRecordEnd
            mustRoll = true
        } else {
            recovery.cutBytes += rest.usedEnd - end
        }
    }

    /// What lies behind the last good record.
    private struct Rest {
        /// Behind the last byte that is not zero.
        var usedEnd: UInt64
        /// Behind the last good record that was found further on; nil: none, so the tail is torn.
        var lastRecordEnd: UInt64?
        var records = 0
    }

    /// Looks for good records behind a bad one. O(bytes of the rest).
    private func examineRest(of window: SegmentWindow, from start: UInt64) throws(Failure) -> Rest {
        var rest = Rest(usedEnd: start)
        let headerBytes = UInt64(SegmentHeader.bytes)
        let fileEnd = window.base + max(headerBytes, try window.file.size()) - headerBytes
        let chunk = RawBytes(capacity: 64 << 10)
        var position = start
        while position < fileEnd {
            let target = UnsafeMutableRawBufferPointer(start: chunk.start, count: 64 << 10)
            let count = try window.file.read(into: target, at: headerBytes + position - window.base)
            if count == 0 { break }
            var offset = 0
            while offset + 8 <= count {
                let word: UInt64 = UnsafeRawPointer(chunk.start).little(offset)
                let at = position + UInt64(offset)
                if word != 0 {
                    rest.usedEnd = max(rest.usedEnd, at + 8)
                    if UInt32(truncatingIfNeeded: word) == RecordHeader.magic, at >= rest.lastRecordEnd ?? start,
                        case .record(let header, _, _) = try window.content(at: at)
                    {
                        rest.lastRecordEnd = header.next
                        rest.records += 1
                    }
                }
                offset += 8
            }
            if offset < count, target[offset..<count].contains(where: { $0 != 0 }) { rest.usedEnd = fileEnd }
            position += UInt64(count)
        }
        return rest
    }

    private func quarantine(_ base: UInt64, goodEnd: UInt64, _ rest: Rest) throws(Failure) {
        recovery.quarantinedRecords += rest.records
        let segment = path(SegmentHeader.name(base))
        let aside = path(SegmentHeader.name(base, "quarantine"))
        let draft = path(SegmentHeader.name(base, "tmp"))
        let goodBytes = UInt64(SegmentHeader.bytes) + goodEnd - base
        active = nil
        do throws(Failure) {
            try copy(segment, to: draft, bytes: goodBytes)
            try disk.rename(segment, to: aside)
            try disk.rename(draft, to: segment)
            recovery.quarantined.append(aside)
        } catch {
            // A full disk has no room for a copy. Going on without the bad rest is better than not at all.
            try? disk.unlink(draft)
            try disk.open(segment, .write).truncate(to: goodBytes)
        }
        if let index = segments.firstIndex(where: { $0.base == base }) { segments[index].fileBytes = goodBytes }
        try removeOldQuarantine()
    }

    private func removeOldQuarantine() throws(Failure) {
        let bases = try SegmentHeader.bases(in: folder, on: disk, "quarantine")
        for base in bases.dropLast(Limits().quarantinedFiles) {
            try disk.unlink(path(SegmentHeader.name(base, "quarantine")))
        }
    }

    private func copy(_ path: String, to newPath: String, bytes: UInt64) throws(Failure) {
        let source = try disk.open(path, .read)
        let target = try disk.open(newPath, .create)
        try target.truncate(to: 0)
        let chunk = RawBytes(capacity: 256 << 10)
        var offset: UInt64 = 0
        while offset < bytes {
            let most = Int(min(bytes - offset, 256 << 10))
            let room = UnsafeMutableRawBufferPointer(start: chunk.start, count: most)
            let count = try source.read(into: room, at: offset)
            if count == 0 { break }
            try target.write([UnsafeRawBufferPointer(start: chunk.start, count: count)], at: offset)
            offset += UInt64(count)
        }
        try target.synchronize()
    }
}
