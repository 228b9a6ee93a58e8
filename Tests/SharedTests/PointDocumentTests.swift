import Foundation
import Linking
import Testing

@testable import Shared

/// docs/wire-format.md says the truth.
@Suite struct PointDocumentTests {
    private static func rows() throws -> [(words: [UInt64], id: UInt64)] {
        let document = Fixtures.directory.deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/wire-format.md")
        let text = try String(contentsOf: document, encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "`").map(String.init)
            guard line.hasPrefix("| `"), cells.count == 5, cells[3].count == 16 else { return nil }
            let words = cells[1].split(separator: " ").compactMap { UInt64($0, radix: 16) }
            return UInt64(cells[3], radix: 16).flatMap { [9, 12].contains(words.count) ? (words, $0) : nil }
        }
    }

    @Test func `the test vectors of the span id`() throws {
        let rows = try Self.rows()
        #expect(rows.count >= 3)
        for row in rows {
            var facts = SpanFacts()
            facts.requestSequence = row.words[0]
            facts.responseSequence = row.words[1]
            facts.threadKey = row.words[2]
            facts.processID = row.words[3]
            facts.threadID = row.words[4]
            facts.kernelTime = Int64(bitPattern: row.words[5])
            facts.start = Int64(bitPattern: row.words[6])
            facts.flow = UInt32(truncatingIfNeeded: row.words[7])
            facts.initiator = UInt32(truncatingIfNeeded: row.words[7] >> 32)
            facts.flags = SpanFlags(rawValue: UInt16(row.words[8]))
            if row.words.count == 12 {
                facts.flags.insert(.hasApplication)
                facts.application = ApplicationIDs(
                    traceLow: row.words[9], traceHigh: row.words[10], parent: row.words[11])
            }
            #expect(facts.computedID.bits == row.id)
        }
    }

    @Test func `the points behind the second and third vector`() throws {
        let rows = try Self.rows()
        #expect(try facts().id.bits == rows[1].id)
        let third = try facts([
            ("direction", .s("incoming")), ("ebpf_span_type", .s("entry")), ("req_seq", .i(7)), ("resp_seq", nil),
            ("thread_trace_id", .i(-1)), ("tid_usr", .i(967)), ("start", .i(-1)), ("src_ip", .s("2001:db8::7")),
            ("src_port", .s("8080")), ("dst_ip", .s("2001:db8::9")), ("dst_port", .i(40_000)),
            ("app_trace_id_l", .u(0x834c18e9982f793c)), ("app_trace_id_h", .u(0xa49143666d7cb052)),
            ("app_parent_id_l", .u(0x928cd525a586fbe6)),
        ])
        #expect(third.id.bits == rows[2].id)
    }
}
