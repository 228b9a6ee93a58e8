import Linking

// The body of a facts record (kind 1, commit) in a router's facts log. All numbers are little-endian.
//
//   ┌──────────────────────────┐   0  8  epoch
//   │ header, 40 bytes         │   8  8  append time, ns since 1970
//   ├──────────────────────────┤  16  8  payload position: the record in the payload log
//   │ directory, 12 bytes each │  24  4  payload length
//   ├──────────────────────────┤  28  4  row count (n)
//   │ rows, 104 bytes each     │  32  4  directory count (d)
//   ├──────────────────────────┤  36  4  application count (a)
//   │ applications, 24 each    │  40     d entries, n rows, a applications; nothing behind
//   └──────────────────────────┘
//
//   directory entry    0  4  partition      ascending
//                      4  4  first row      the sum of the counts before
//                      8  4  count          not 0
//
//   row     0  8  req_seq       40  8  tid            80  8  span id
//           8  8  resp_seq      48  8  ktime          88  4  payload offset
//          16  8  thread key    56  8  start          92  4  payload length
//          24  8  scope         64  8  duration       96  2  flags
//          32  8  pid           72  4  flow           98  2  partition
//                               76  4  initiator     100  4  application: 0 none, else 1-based
//
//   application     0  8  trace low      8  8  trace high     16  8  parent
//
// A mark (kind 2) has a body of 16 bytes: 8 epoch, 8 append time. It says: no later commit has an epoch ≤ this one.
// A payload record (kind 3, payload log) has the bodies as received, one behind the other.
//
// Crash order: the payload record is written first, then the facts record. A facts record at the end of the log whose
// payload is not there is cut off when the log is opened.

/// What the records of a span log are.
enum SpanRecordKind {
    static let commit: UInt16 = 1
    static let mark: UInt16 = 2
    static let payload: UInt16 = 3
}

/// Sizes of the parts of a facts block, bytes.
enum FactsLayout {
    static let version: UInt16 = 1
    static let header = 40
    static let entry = 12
    static let row = 104
    static let application = 24
    static let mark = 16

    static func bytes(rows: Int, entries: Int, applications: Int) -> Int {
        header + entries * entry + rows * row + applications * application
    }

    /// Decodes the row at `start`; `applications` is the table, whose bounds were checked.
    @inline(__always) static func row(at start: UnsafeRawPointer, applications: UnsafeRawPointer) -> FactsRow {
        var facts = SpanFacts()
        facts.requestSequence = start.little(0)
        facts.responseSequence = start.little(8)
        facts.threadKey = start.little(16)
        facts.scope = start.little(24)
        facts.processID = start.little(32)
        facts.threadID = start.little(40)
        facts.kernelTime = start.little(48)
        facts.start = start.little(56)
        facts.duration = start.little(64)
        facts.flow = start.little(72)
        facts.initiator = start.little(76)
        facts.id = SpanID(start.little(80))
        facts.flags = SpanFlags(rawValue: start.little(96))
        let index = Int(start.little(100, as: UInt32.self))
        if index != 0 {
            let entry = applications + (index - 1) * application
            facts.application = ApplicationIDs(
                traceLow: entry.little(0), traceHigh: entry.little(8), parent: entry.little(16))
        }
        return FactsRow(
            facts: facts, partition: PartitionID(start.little(98)), payloadOffset: start.little(88),
            payloadLength: start.little(92))
    }

    /// Encodes a row whose payload offset moves by `shift`; `application` is its 1-based index in the table, or 0.
    @inline(__always) static func encode(
        _ row: borrowing FactsRow, shift: UInt32, application: UInt32, into start: UnsafeMutableRawPointer
    ) {
        start.put(row.facts.requestSequence, at: 0)
        start.put(row.facts.responseSequence, at: 8)
        start.put(row.facts.threadKey, at: 16)
        start.put(row.facts.scope, at: 24)
        start.put(row.facts.processID, at: 32)
        start.put(row.facts.threadID, at: 40)
        start.put(row.facts.kernelTime, at: 48)
        start.put(row.facts.start, at: 56)
        start.put(row.facts.duration, at: 64)
        start.put(row.facts.flow, at: 72)
        start.put(row.facts.initiator, at: 76)
        start.put(row.facts.id.bits, at: 80)
        start.put(row.payloadOffset &+ shift, at: 88)
        start.put(row.payloadLength, at: 92)
        start.put(row.facts.flags.rawValue, at: 96)
        start.put(row.partition.number, at: 98)
        start.put(application, at: 100)
    }
}
