import Foundation
import GRDB
import Linking
import Shared

/// The SQLite file of the trace store, `DATA_DIR/store/traces.sqlite`, in WAL mode.
///
///     segment(id, written, first, last, longest, spans, traces, errors, bytes, indexed)   one row a segment, small
///     piece(segment, chunks, directory, operations)        packed, see SegmentDirectory, SegmentOperation
///     lookup(segment, traces)                              packed, see SegmentLookup
///     packed_column(id = column << 40 | segment, data)     packed, see SegmentColumn: a column's segments together
///     chunk(id = segment << 20 | number, data)             zstd of rows, see SpanRow
///     word(id, is_key, text), resource(id, last, message)  names that rows hold by number
///
/// A segment is written in one transaction and only ever deleted as a whole. `synchronous = NORMAL` in WAL mode: a
/// killed process loses nothing that was committed, a power cut may lose the last commits and breaks nothing.
final class StoreDatabase: Sendable {
    static let schemaVersion = 2
    static let fileName = "traces.sqlite"
    /// Segment numbers take 40 bits of a column's id and 43 of a chunk's.
    static let segmentMax = 1 << 39

    let pool: DatabasePool

    /// Opens or makes the database. Fails with `.corrupt` when the file is no usable store of this version.
    init(path: String) throws(Failure) {
        var configuration = Configuration()
        configuration.label = "store"
        configuration.maximumReaderCount = 3
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA page_size = 8192; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096")
            try db.execute(sql: "PRAGMA journal_size_limit = 33554432; PRAGMA wal_autocheckpoint = 1000")
            try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.write { db in
                let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                if version == 0 { try Self.makeSchema(db) }
                guard version == 0 || version == Self.schemaVersion else {
                    throw Failure(
                        .storeDamaged, "the trace store \(path) has version \(version), not \(Self.schemaVersion)")
                }
                for table in ["segment", "piece", "lookup", "packed_column", "chunk", "word", "resource"] {
                    _ = try Row.fetchOne(db, sql: "SELECT * FROM \(table) LIMIT 1")
                }
            }
        } catch {
            throw Self.failure(error, path)
        }
    }

    private static func makeSchema(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE segment(id INTEGER PRIMARY KEY, written INTEGER NOT NULL, first INTEGER NOT NULL,
                    last INTEGER NOT NULL, longest INTEGER NOT NULL, spans INTEGER NOT NULL, traces INTEGER NOT NULL,
                    errors INTEGER NOT NULL, bytes INTEGER NOT NULL, indexed INTEGER NOT NULL) STRICT;
                CREATE TABLE piece(segment INTEGER PRIMARY KEY, chunks BLOB NOT NULL, directory BLOB NOT NULL,
                    operations BLOB NOT NULL) STRICT;
                CREATE TABLE lookup(segment INTEGER PRIMARY KEY, traces BLOB NOT NULL) STRICT;
                CREATE TABLE packed_column(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
                CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
                CREATE TABLE word(id INTEGER PRIMARY KEY, is_key INTEGER NOT NULL, text BLOB NOT NULL) STRICT;
                CREATE TABLE resource(id INTEGER PRIMARY KEY, last INTEGER NOT NULL, message BLOB NOT NULL) STRICT;
                PRAGMA user_version = \(schemaVersion);
                """)
    }

    static func columnID(_ column: UInt32, _ segment: Int) -> Int64 { Int64(column) << 40 | Int64(segment) }
    static func chunkID(_ segment: Int, _ number: Int) -> Int64 { Int64(segment) << 20 | Int64(number) }

    // MARK: Names

    /// What rows hold by number, and the number of the next segment.
    func readNames() throws(Failure) -> (names: StoreNames, nextSegment: Int) {
        do {
            return try pool.read { db in
                var names = StoreNames()
                for row in try Row.fetchAll(db, sql: "SELECT is_key, text FROM word ORDER BY id") {
                    names.restore(word: row.bytes(1), isKey: row.integer(0) != 0)
                }
                for row in try Row.fetchAll(db, sql: "SELECT id, last, message FROM resource") {
                    names.restore(
                        resource: row.bytes(2), id: UInt32(clamping: row.integer(0)), last: Int(row.integer(1)))
                }
                let newest = try Int.fetchOne(db, sql: "SELECT max(id) FROM segment") ?? 0
                guard newest < Self.segmentMax else { throw Failure(.storeDamaged, "a segment number is too large") }
                return (names, newest + 1)
            }
        } catch {
            throw Self.failure(error, pool.path)
        }
    }

    // MARK: Writing

    /// Rows of names that are to be written with a segment.
    struct NewNames {
        var words: [(id: UInt32, isKey: Bool, text: [UInt8])] = []
        var resources: [(id: UInt32, last: Int, message: [UInt8])] = []
        /// Where `StoreNames` keeps each of `resources`.
        var resourceKeys: [UInt64] = []
    }

    /// Writes a segment and the names it needs, removing the segments it replaces, in one transaction.
    func write(
        _ image: SegmentImage, id: Int, written: Int64, names: NewNames, replacing: [StoredSegment] = []
    ) throws(Failure) {
        do {
            try pool.write { db in
                try Self.insert(names, db)
                for segment in replacing { try Self.delete(segment.id, db) }
                try Self.insert(image, id, written, db)
            }
        } catch {
            throw Self.failure(error, pool.path)
        }
    }

    private static func insert(_ names: NewNames, _ db: Database) throws {
        for word in names.words {
            try db.execute(
                sql: "INSERT OR REPLACE INTO word VALUES (?, ?, ?)",
                arguments: [Int64(word.id), word.isKey, Data(word.text)])
        }
        for resource in names.resources {
            try db.execute(
                sql: "INSERT OR REPLACE INTO resource VALUES (?, ?, ?)",
                arguments: [Int64(resource.id), resource.last, Data(resource.message)])
        }
    }

    private static func insert(_ image: SegmentImage, _ id: Int, _ written: Int64, _ db: Database) throws {
        try db.cachedStatement(sql: "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").execute(arguments: [
            id, written, Int64(clamping: image.first), Int64(clamping: image.last), Int64(image.longest), image.spans,
            image.traces, image.errors, image.bytes, image.isFullyIndexed,
        ])
        var chunkStarts: [UInt8] = []
        for start in image.chunkStarts { PackedWriter.fixed(UInt32(start), to: &chunkStarts) }
        try db.cachedStatement(sql: "INSERT INTO piece VALUES (?, ?, ?, ?)").execute(arguments: [
            id, Data(chunkStarts), Data(image.directory), Data(image.operations),
        ])
        try db.cachedStatement(sql: "INSERT INTO lookup VALUES (?, ?)").execute(arguments: [id, Data(image.lookup)])
        let column = try db.cachedStatement(sql: "INSERT INTO packed_column VALUES (?, ?)")
        for (key, data) in image.columns { try column.execute(arguments: [columnID(key, id), Data(data)]) }
        let chunk = try db.cachedStatement(sql: "INSERT INTO chunk VALUES (?, ?)")
        for (number, data) in image.chunks.enumerated() {
            try chunk.execute(arguments: [chunkID(id, number), Data(data)])
        }
    }

    private static func delete(_ id: Int, _ db: Database) throws {
        for table in ["piece", "lookup"] {
            try db.cachedStatement(sql: "DELETE FROM \(table) WHERE segment = ?").execute(arguments: [id])
        }
        try db.cachedStatement(sql: "DELETE FROM segment WHERE id = ?").execute(arguments: [id])
        try db.cachedStatement(sql: "DELETE FROM chunk WHERE id BETWEEN ? AND ?")
            .execute(arguments: [chunkID(id, 0), chunkID(id + 1, 0) - 1])
        let words = try Int64.fetchOne(db, sql: "SELECT max(id) FROM word") ?? 0
        let column = try db.cachedStatement(sql: "DELETE FROM packed_column WHERE id = ?")
        for key in 0...max(words, Int64(ColumnID.duration)) {
            try column.execute(arguments: [columnID(UInt32(clamping: key), id)])
        }
    }

    /// Removes segments, and the resources that only they named.
    func remove(_ ids: [Int], resources: [UInt32]) throws(Failure) {
        do {
            try pool.write { db in
                for id in ids { try Self.delete(id, db) }
                let statement = try db.cachedStatement(sql: "DELETE FROM resource WHERE id = ?")
                for resource in resources { try statement.execute(arguments: [Int64(resource)]) }
            }
        } catch {
            throw Self.failure(error, pool.path)
        }
    }

    /// Bytes of the file that hold something.
    func liveBytes() throws(Failure) -> Int {
        do {
            return try pool.read { db in
                let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
                let free = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
                return (pages - free) * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
            }
        } catch {
            throw Self.failure(error, pool.path)
        }
    }

    /// All segments, oldest first.
    func segments() throws(Failure) -> [StoredSegment] {
        try read { db in try StoredSegment.all(db) }
    }

    /// Reads in one snapshot. Errors become `Failure`s.
    func read<Value>(_ body: (Database) throws -> Value) throws(Failure) -> Value {
        do { return try pool.read(body) } catch { throw Self.failure(error, pool.path) }
    }

    // MARK: Errors

    static func failure(_ error: any Error, _ path: String) -> Failure {
        if let failure = error as? Failure { return failure }
        guard let error = error as? DatabaseError else {
            return Failure(.disk, "the trace store \(path) cannot be used", cause: error)
        }
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT, .SQLITE_MISMATCH, .SQLITE_CONSTRAINT:
            return Failure(.storeDamaged, "the trace store \(path) is damaged", cause: error)
        case .SQLITE_FULL:
            return Failure(.disk, "the disk of the trace store \(path) is full; free some space", cause: error)
        default:
            return Failure(.disk, "the trace store \(path) cannot be read or written", cause: error)
        }
    }
}

/// A row of the table `segment`.
struct StoredSegment: Sendable {
    var id: Int
    /// When it was written, nanoseconds since 1970.
    var written: UInt64
    var first: UInt64
    var last: UInt64
    /// Longest span, microseconds.
    var longest: UInt32
    var spans: Int
    var traces: Int
    var bytes: Int
    var isFullyIndexed: Bool

    init(
        id: Int, written: UInt64, first: UInt64, last: UInt64, longest: UInt32, spans: Int, traces: Int, bytes: Int,
        isFullyIndexed: Bool
    ) {
        self.id = id
        self.written = written
        self.first = first
        self.last = last
        self.longest = longest
        self.spans = spans
        self.traces = traces
        self.bytes = bytes
        self.isFullyIndexed = isFullyIndexed
    }

    init(_ image: SegmentImage, id: Int, written: UInt64) {
        self.init(
            id: id, written: written, first: image.first, last: image.last, longest: image.longest, spans: image.spans,
            traces: image.traces, bytes: image.bytes, isFullyIndexed: image.isFullyIndexed)
    }

    static func all(_ db: Database) throws -> [StoredSegment] {
        let cursor = try Row.fetchCursor(
            db, sql: "SELECT id, written, first, last, longest, spans, traces, bytes, indexed FROM segment ORDER BY id")
        var segments: [StoredSegment] = []
        while let row = try cursor.next() {
            let spans = Int(row.integer(5))
            guard spans >= 0, spans <= StoreLimits.spansPerSegmentMax else { continue }
            segments.append(
                StoredSegment(
                    id: Int(row.integer(0)), written: UInt64(clamping: row.integer(1)),
                    first: UInt64(clamping: row.integer(2)), last: UInt64(clamping: row.integer(3)),
                    longest: UInt32(clamping: row.integer(4)), spans: spans, traces: Int(row.integer(6)),
                    bytes: Int(row.integer(7)), isFullyIndexed: row.integer(8) != 0))
        }
        return segments
    }
}

extension Row {
    /// A number, whatever a damaged file holds in its place.
    func integer(_ index: Int) -> Int64 { Int64.fromDatabaseValue(self[index] as DatabaseValue) ?? 0 }

    /// Bytes; empty where a damaged file holds something else.
    func bytes(_ index: Int) -> [UInt8] {
        Data.fromDatabaseValue(self[index] as DatabaseValue).map { [UInt8]($0) } ?? []
    }
}

extension Failure.Code {
    /// The database of the trace store is damaged as a whole and is to be put aside.
    static let storeDamaged = Failure.Code("store_damaged")
}
