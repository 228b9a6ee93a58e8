// What a segment file looks like. All numbers are little-endian.
//
//   <base, 16 hex digits>.seg             base: log position of the first record
//   ┌────────────────────────────┐
//   │ segment header, 32 bytes   │   0  8  magic "EBTSEG1\n"
//   ├────────────────────────────┤   8  8  base
//   │ record                     │  16  8  synchronised: all below was on the disk when the segment was begun
//   ├────────────────────────────┤  24  4  CRC32C of bytes 0 ..< 24
//   │ record                     │  28  4  0
//   ├────────────────────────────┤
//   │ zeros (preallocated)       │  A record with log position p lies at byte 32 + p - base of its file.
//   └────────────────────────────┘
//
//   record     0  4  magic "ELR1"
//              4  4  CRC32C of bytes 8 ..< 24 + length
//              8  4  length of the body
//             12  2  kind           what the body is, a matter of the log's owner
//             14  2  version        of the body's layout
//             16  8  position       its own log position: old bytes of a reused file can never pass for a record
//             24     body, then zeros up to a multiple of 8
//
// Written by one process (it holds the lock of the data directory), read by any. A record never spans two segments.
// Rolled when the next record does not fit; a rolled file is cut to what it holds. Removed by the writer once all its
// records are below the trim position. A bad record in the middle stays where it is: readers pass over it, to the next
// place where a whole record names its own position and has the right checksum.

/// The header of one record.
struct RecordHeader {
    static let bytes = 24
    static let magic: UInt32 = 0x3152_4c45  // "ELR1"

    var kind: UInt16
    var version: UInt16
    /// Length of the body.
    var length: Int
    var position: UInt64
    var checksum: UInt32 = 0

    /// Bytes of the whole record, padding included.
    var recordBytes: Int { Self.recordBytes(length) }
    /// Where the next record begins.
    var next: UInt64 { position + UInt64(recordBytes) }

    static func recordBytes(_ length: Int) -> Int { (bytes + length + 7) & ~7 }

    init(kind: UInt16, version: UInt16, length: Int, position: UInt64) {
        self.kind = kind
        self.version = version
        self.length = length
        self.position = position
    }

    /// Reads the header at `start`, which has 24 bytes; nil when it is none, or not one of `position`.
    init?(at start: UnsafeRawPointer, position: UInt64) {
        guard start.little(0) == Self.magic, start.little(16) == position else { return nil }
        checksum = start.little(4)
        length = Int(start.little(8, as: UInt32.self))
        kind = start.little(12)
        version = start.little(14)
        self.position = position
    }

    /// Writes the header in front of its body, and its checksum over both.
    func encode(into start: UnsafeMutableRawPointer, body parts: [UnsafeRawBufferPointer]) {
        start.put(Self.magic, at: 0)
        start.put(UInt32(length), at: 8)
        start.put(kind, at: 12)
        start.put(version, at: 14)
        start.put(position, at: 16)
        var crc = Checksum.of(UnsafeRawBufferPointer(start: start + 8, count: 16))
        for part in parts { crc = Checksum.of(part, from: crc) }
        start.put(crc, at: 4)
    }

    /// Whether the record at `start`, of which all bytes are there, is as it was written.
    func isIntact(at start: UnsafeRawPointer) -> Bool {
        Checksum.of(UnsafeRawBufferPointer(start: start + 8, count: 16 + length)) == checksum
    }
}

/// The header of a segment file, and its name.
struct SegmentHeader {
    static let bytes = 32
    static let magic: UInt64 = 0x0a31_4745_5354_4245  // "EBTSEG1\n"
    /// Positions stay far from where sums would overflow.
    static let largestBase: UInt64 = 1 << 62

    var base: UInt64
    /// All records below this position were on the disk when the segment was begun.
    var synchronized: UInt64

    init(base: UInt64, synchronized: UInt64) {
        self.base = base
        self.synchronized = synchronized
    }

    /// Reads the header at `start`, which has 32 bytes; nil when it is none of this base.
    init?(at start: UnsafeRawPointer, base: UInt64) {
        let crc = Checksum.of(UnsafeRawBufferPointer(start: start, count: 24))
        guard start.little(0) == Self.magic, start.little(8) == base, start.little(24) == crc else { return nil }
        self.base = base
        synchronized = start.little(16)
    }

    func encode(into start: UnsafeMutableRawPointer) {
        start.put(Self.magic, at: 0)
        start.put(base, at: 8)
        start.put(synchronized, at: 16)
        start.put(Checksum.of(UnsafeRawBufferPointer(start: start, count: 24)), at: 24)
        start.put(UInt32(0), at: 28)
    }

    static func name(_ base: UInt64, _ ending: String = "seg") -> String {
        let digits = String(base, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + "." + ending
    }

    /// The base that a file name tells; nil when it is no name of ours with this ending.
    static func base(ofName name: String, _ ending: String = "seg") -> UInt64? {
        guard let base = UInt64(name.prefix(16), radix: 16), base <= largestBase, Self.name(base, ending) == name
        else { return nil }
        return base
    }

    /// The bases of the segments in a folder, ascending.
    static func bases(in folder: String, on disk: any Disk, _ ending: String = "seg") throws(Failure) -> [UInt64] {
        try disk.list(folder).compactMap { base(ofName: $0, ending) }.sorted()
    }
}
