import Linking

/// Makes facts blocks; its memory is used again for each.
struct FactsEncoder {
    private let memory = RawBytes(capacity: 64 << 10)
    /// By partition: first the count of its rows, then the index of its next row.
    private var counts: [UInt32] = []

    /// The body of the commit record; valid until the next call. O(rows + partitions).
    mutating func encode(_ commit: SpanCommit, epoch: Epoch, payloadPosition: UInt64) -> UnsafeRawBufferPointer {
        let applicationCount = countRows(commit)
        let entries = counts.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }
        let bytes = FactsLayout.bytes(rows: commit.rowCount, entries: entries, applications: applicationCount)
        memory.reserveAnew(bytes)
        memory.count = bytes
        let start = memory.start
        start.put(epoch.number, at: 0)
        start.put(commit.time, at: 8)
        start.put(payloadPosition, at: 16)
        start.put(UInt32(commit.payloadBytes), at: 24)
        start.put(UInt32(commit.rowCount), at: 28)
        start.put(UInt32(entries), at: 32)
        start.put(UInt32(applicationCount), at: 36)
        let rows = start + FactsLayout.header + entries * FactsLayout.entry
        encodeDirectory(into: start + FactsLayout.header)
        encodeRows(commit, into: rows, applications: rows + commit.rowCount * FactsLayout.row)
        return memory.bytes
    }

    /// Counts the rows by partition; returns how many have application ids.
    private mutating func countRows(_ commit: SpanCommit) -> Int {
        for index in counts.indices { counts[index] = 0 }
        var applications = 0
        for body in commit.bodies {
            for row in body.rows {
                let partition = Int(row.partition.number)
                if partition >= counts.count {
                    counts.append(contentsOf: repeatElement(0, count: max(256, partition + 1) - counts.count))
                }
                counts[partition] += 1
                if row.hasApplicationIDs { applications += 1 }
                precondition(
                    Int(row.payloadOffset) + Int(row.payloadLength) <= body.payload.count, "a row lies in its payload")
            }
        }
        return applications
    }

    /// Writes the directory and turns the counts into the index of each partition's first row.
    private mutating func encodeDirectory(into start: UnsafeMutableRawPointer) {
        var entry = start
        var next: UInt32 = 0
        for partition in counts.indices where counts[partition] != 0 {
            entry.put(UInt32(partition), at: 0)
            entry.put(next, at: 4)
            entry.put(counts[partition], at: 8)
            entry += FactsLayout.entry
            let count = counts[partition]
            counts[partition] = next
            next += count
        }
    }

    /// Puts each row at the next place of its partition, which keeps the order within a partition.
    private mutating func encodeRows(
        _ commit: SpanCommit, into rows: UnsafeMutableRawPointer, applications: UnsafeMutableRawPointer
    ) {
        var application: UInt32 = 0
        for body in commit.bodies {
            for row in body.rows {
                let partition = Int(row.partition.number)
                let place = rows + Int(counts[partition]) * FactsLayout.row
                counts[partition] += 1
                var index: UInt32 = 0
                if row.hasApplicationIDs {
                    let entry = applications + Int(application) * FactsLayout.application
                    entry.put(row.facts.application.traceLow, at: 0)
                    entry.put(row.facts.application.traceHigh, at: 8)
                    entry.put(row.facts.application.parent, at: 16)
                    application += 1
                    index = application
                }
                FactsLayout.encode(row, shift: body.offset, application: index, into: place)
            }
        }
    }
}

extension FactsRow {
    @inline(__always) fileprivate var hasApplicationIDs: Bool {
        facts.application.traceLow | facts.application.traceHigh | facts.application.parent != 0
    }
}
