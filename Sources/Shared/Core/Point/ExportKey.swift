/// The fields of a point that exporting sets, removes, reads or renames.
enum ExportKey: UInt8, CaseIterable {
    /// `span_id`
    case spanID = 0
    /// `parent_id`
    case parentID
    /// `trace_id`
    case traceID
    /// `ebpf_trace_id`
    case ebpfTraceID
    /// `ebpf_parent_id`
    case ebpfParentID
    /// `app_trace_id_l`
    case traceLow
    /// `app_trace_id_h`
    case traceHigh
    /// `app_parent_id_l`
    case parentLow
    /// `link_evidence`
    case linkEvidence
    /// `late`
    case late
    /// `root_missing`
    case rootMissing
    /// `truncated`
    case truncated
    /// `app_parent_id`
    case parentText
    /// `app_trace_encode`
    case encoding
    /// `time`
    case time
    /// `measurement`
    case measurement

    /// How many keys there are.
    static let count = 16

    /// The key's text on the wire; the words in `match` are checked against it by a test.
    var name: StaticString {
        switch self {
        case .spanID: "span_id"
        case .parentID: "parent_id"
        case .traceID: "trace_id"
        case .ebpfTraceID: "ebpf_trace_id"
        case .ebpfParentID: "ebpf_parent_id"
        case .traceLow: "app_trace_id_l"
        case .traceHigh: "app_trace_id_h"
        case .parentLow: "app_parent_id_l"
        case .linkEvidence: "link_evidence"
        case .late: "late"
        case .rootMissing: "root_missing"
        case .truncated: "truncated"
        case .parentText: "app_parent_id"
        case .encoding: "app_trace_encode"
        case .time: "time"
        case .measurement: "measurement"
        }
    }

    /// True for what the verdict sets, and for the application ids it was made of: never copied.
    @inline(__always) var isReplaced: Bool { rawValue <= ExportKey.parentLow.rawValue }

    /// Bit n: a key has n bytes.
    static var lengths: UInt64 { 0b1_1111_1011_1001_0000 }

    /// True for the marks, which are ours outside `compat`.
    @inline(__always) var isMark: Bool {
        rawValue >= ExportKey.linkEvidence.rawValue && rawValue <= ExportKey.truncated.rawValue
    }

    /// The field with this key, or nil. About a dozen instructions.
    @inline(__always) static func match(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> ExportKey? {
        // Up to eight bytes: one word tells.
        switch length {
        case 4:
            let word = KeyBytes.halves(base, start, 4)
            if word == 0x6574_616c_6574_616c { return .late }
            if word == 0x656d_6974_656d_6974 { return .time }
            return nil
        case 7:
            let word = KeyBytes.halves(base, start, 7)
            if word == 0x6469_5f6e_6e61_7073 { return .spanID }
            return nil
        case 8:
            let word = KeyBytes.eight(base, start)
            if word == 0x6469_5f65_6361_7274 { return .traceID }
            return nil
        default: return longMatch(base, start, length)
        }
    }

    /// A key of nine to sixteen bytes: two words that overlap.
    @inline(__always) private static func longMatch(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int
    ) -> ExportKey? {
        switch length {
        case 9:
            let word = KeyBytes.eight(base, start)
            if word == 0x695f_746e_6572_6170, KeyBytes.eight(base, start &+ 1) == 0x6469_5f74_6e65_7261 {
                return .parentID
            }
            if word == 0x6574_6163_6e75_7274, KeyBytes.eight(base, start &+ 1) == 0x6465_7461_636e_7572 {
                return .truncated
            }
            return nil
        case 11:
            let word = KeyBytes.eight(base, start)
            if word == 0x6d65_7275_7361_656d, KeyBytes.eight(base, start &+ 3) == 0x746e_656d_6572_7573 {
                return .measurement
            }
            return nil
        case 12:
            let word = KeyBytes.eight(base, start)
            if word == 0x7369_6d5f_746f_6f72, KeyBytes.eight(base, start &+ 4) == 0x676e_6973_7369_6d5f {
                return .rootMissing
            }
            return nil
        case 13:
            let word = KeyBytes.eight(base, start)
            if word == 0x6172_745f_6670_6265, KeyBytes.eight(base, start &+ 5) == 0x6469_5f65_6361_7274 {
                return .ebpfTraceID
            }
            if word == 0x6976_655f_6b6e_696c, KeyBytes.eight(base, start &+ 5) == 0x6563_6e65_6469_7665 {
                return .linkEvidence
            }
            if word == 0x6572_6170_5f70_7061, KeyBytes.eight(base, start &+ 5) == 0x6469_5f74_6e65_7261 {
                return .parentText
            }
            return nil
        case 14:
            let word = KeyBytes.eight(base, start)
            if word == 0x7261_705f_6670_6265, KeyBytes.eight(base, start &+ 6) == 0x6469_5f74_6e65_7261 {
                return .ebpfParentID
            }
            if word == 0x6361_7274_5f70_7061, KeyBytes.eight(base, start &+ 6) == 0x6c5f_6469_5f65_6361 {
                return .traceLow
            }
            if word == 0x6361_7274_5f70_7061, KeyBytes.eight(base, start &+ 6) == 0x685f_6469_5f65_6361 {
                return .traceHigh
            }
            return nil
        case 15:
            let word = KeyBytes.eight(base, start)
            if word == 0x6572_6170_5f70_7061, KeyBytes.eight(base, start &+ 7) == 0x6c5f_6469_5f74_6e65 {
                return .parentLow
            }
            return nil
        case 16:
            let word = KeyBytes.eight(base, start)
            if word == 0x6361_7274_5f70_7061, KeyBytes.eight(base, start &+ 8) == 0x6564_6f63_6e65_5f65 {
                return .encoding
            }
            return nil
        default: return nil
        }
    }
}
