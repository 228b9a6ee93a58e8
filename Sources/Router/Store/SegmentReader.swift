import Foundation
import GRDB
import Linking
import Shared

/// Reads parts of segments within one read of the database; one value a read, since it keeps what it unpacked.
final class SegmentReader {
    /// The index of a segment's traces.
    struct Piece {
        var directory: SegmentDirectory
        var chunkStarts: [Int]
    }

    let zstd: Zstd
    private(set) var bytesRead = 0
    private var pieces: [Int: Piece] = [:]
    private var chunk: (id: Int64, content: [UInt8])?

    init(zstd: Zstd = Zstd()) { self.zstd = zstd }

    private static let damaged = Failure(.corrupt, "a segment of the trace store is damaged")

    /// Directory and chunk borders of a segment; kept. Fails with `.corrupt`.
    func piece(of segment: StoredSegment, _ db: Database) throws -> Piece {
        if let known = pieces[segment.id] { return known }
        let statement = try db.cachedStatement(sql: "SELECT chunks, directory FROM piece WHERE segment = ?")
        guard let row = try Row.fetchOne(statement, arguments: [segment.id]) else { throw Self.damaged }
        let starts = row.bytes(0).withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
        let directory = try row.bytes(1).withUnsafeBytes {
            try SegmentDirectory($0, spans: segment.spans, zstd: zstd)
        }
        let piece = Piece(directory: directory, chunkStarts: starts)
        if pieces.count > 256 { pieces.removeAll() }
        pieces[segment.id] = piece
        return piece
    }

    /// What the services of a segment did; not kept. Fails with `.corrupt`.
    func operations(of segment: StoredSegment, _ db: Database) throws -> [SegmentOperation] {
        let statement = try db.cachedStatement(sql: "SELECT operations FROM piece WHERE segment = ?")
        guard let row = try Row.fetchOne(statement, arguments: [segment.id]) else { throw Self.damaged }
        return try row.bytes(0).withUnsafeBytes { try SegmentOperation.list($0, zstd) }
    }

    /// A column; nil when no span of the segment has the field.
    func column(_ id: UInt32, of segment: StoredSegment, _ db: Database) throws -> SegmentColumn? {
        try blob(id, segment, db) { try SegmentColumn($0, spans: segment.spans, zstd: zstd) }
    }

    func durations(of segment: StoredSegment, _ db: Database) throws -> [UInt32] {
        guard
            let values = try blob(
                ColumnID.duration, segment, db, { try DurationColumn.values($0, spans: segment.spans, zstd: zstd) })
        else { throw Self.damaged }
        return values
    }

    private func blob<Value>(
        _ id: UInt32, _ segment: StoredSegment, _ db: Database, _ body: (UnsafeRawBufferPointer) throws -> Value
    ) throws -> Value? {
        let statement = try db.cachedStatement(sql: "SELECT data FROM packed_column WHERE id = ?")
        let rows = try Row.fetchCursor(statement, arguments: [StoreDatabase.columnID(id, segment.id)])
        guard let row = try rows.next() else { return nil }
        return try row.withUnsafeData(atIndex: 0) { data in
            try (data ?? Data()).withUnsafeBytes { try body($0) }
        }
    }

    /// Calls `body` with the rows of some spans, in order, and their ordinals.
    func rows(
        _ ordinals: Range<Int>, of segment: StoredSegment, _ db: Database, _ body: (Int, SpanRow) throws -> Void
    ) throws {
        let starts = try piece(of: segment, db).chunkStarts
        guard var number = starts.lastIndex(where: { $0 <= ordinals.lowerBound }) else { throw Self.damaged }
        while number < starts.count, starts[number] < ordinals.upperBound {
            let content = try chunk(number, of: segment, db)
            try content.withUnsafeBytes { bytes in
                var cursor = RowCursor(bytes)
                var ordinal = starts[number]
                while !cursor.isAtEnd, ordinal < ordinals.upperBound {
                    if ordinal < ordinals.lowerBound {
                        guard let length = cursor.fixed(UInt32.self), cursor.bytes(Int(length)) != nil else {
                            throw Self.damaged
                        }
                    } else {
                        guard let row = SpanRow(&cursor) else { throw Self.damaged }
                        try body(ordinal, row)
                    }
                    ordinal += 1
                }
            }
            number += 1
        }
    }

    private func chunk(_ number: Int, of segment: StoredSegment, _ db: Database) throws -> [UInt8] {
        let id = StoreDatabase.chunkID(segment.id, number)
        if let chunk, chunk.id == id { return chunk.content }
        let statement = try db.cachedStatement(sql: "SELECT data FROM chunk WHERE id = ?")
        let rows = try Row.fetchCursor(statement, arguments: [id])
        guard let row = try rows.next() else { throw Self.damaged }
        let content = try row.withUnsafeData(atIndex: 0) { data in
            try (data ?? Data()).withUnsafeBytes {
                try zstd.decompress($0, limit: StoreLimits.chunkBytesMax)
            }
        }
        bytesRead += content.count
        chunk = (id, content)
        return content
    }

    /// All rows of a segment, and the traces that go on from earlier segments: for merging.
    func rows(of segment: StoredSegment, _ db: Database) throws -> (RowBatch, Set<TraceID>) {
        let piece = try piece(of: segment, db)
        let buffer = RowBuffer(capacity: segment.bytes)
        var places: [RowPlace] = []
        for number in piece.chunkStarts.indices {
            try chunk(number, of: segment, db).withUnsafeBytes { bytes in
                var cursor = RowCursor(bytes)
                while !cursor.isAtEnd {
                    let from = cursor.position
                    guard SpanRow(&cursor) != nil, places.count < segment.spans else { throw Self.damaged }
                    let entry = piece.directory.entries[piece.directory.index(ofSpan: places.count)]
                    places.append(RowPlace(trace: entry.trace, offset: buffer.count))
                    buffer.append(UnsafeRawBufferPointer(rebasing: bytes[from..<cursor.position]))
                }
            }
        }
        guard places.count == segment.spans else { throw Self.damaged }
        let continued = piece.directory.entries.filter(\.continues).map(\.trace)
        return (RowBatch(rows: buffer, places: places), Set(continued))
    }
}
