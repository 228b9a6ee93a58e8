/// The fields of a point that linking reads, in the order of their slots.
enum FieldKey: UInt8, CaseIterable {
    /// `direction`
    case direction = 0
    /// `ebpf_span_type`
    case spanType
    /// `req_seq`
    case requestSequence
    /// `resp_seq`
    case responseSequence
    /// `thread_trace_id`
    case threadTraceID
    /// `src_ip`
    case sourceAddress
    /// `src_port`
    case sourcePort
    /// `dst_ip`
    case destinationAddress
    /// `dst_port`
    case destinationPort
    /// `dst_nat_ip`
    case natAddress
    /// `dst_nat_port`
    case natPort
    /// `pid`
    case processID
    /// `tid`
    case threadID
    /// `tid_usr`
    case userThreadID
    /// `ktime`
    case kernelTime
    /// `start`
    case start
    /// `duration`
    case duration
    /// `app_trace_id_l`
    case traceLow
    /// `app_trace_id_h`
    case traceHigh
    /// `app_parent_id_l`
    case parentLow
    /// `app_span_sampled`
    case sampled
    /// `app_trace_encode`
    case encoding
    /// `app_trace_id`
    case traceText
    /// `status`
    case status
    /// `host`
    case host
    /// `span_id`
    case spanID

    /// How many keys there are.
    static let count = 26

    /// The key's text on the wire; the words in `match` are checked against it by a test.
    var name: StaticString {
        switch self {
        case .direction: "direction"
        case .spanType: "ebpf_span_type"
        case .requestSequence: "req_seq"
        case .responseSequence: "resp_seq"
        case .threadTraceID: "thread_trace_id"
        case .sourceAddress: "src_ip"
        case .sourcePort: "src_port"
        case .destinationAddress: "dst_ip"
        case .destinationPort: "dst_port"
        case .natAddress: "dst_nat_ip"
        case .natPort: "dst_nat_port"
        case .processID: "pid"
        case .threadID: "tid"
        case .userThreadID: "tid_usr"
        case .kernelTime: "ktime"
        case .start: "start"
        case .duration: "duration"
        case .traceLow: "app_trace_id_l"
        case .traceHigh: "app_trace_id_h"
        case .parentLow: "app_parent_id_l"
        case .sampled: "app_span_sampled"
        case .encoding: "app_trace_encode"
        case .traceText: "app_trace_id"
        case .status: "status"
        case .host: "host"
        case .spanID: "span_id"
        }
    }

    /// The field with this key, or nil. About a dozen instructions.
    @inline(__always) static func match(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> FieldKey? {
        // Up to eight bytes: one word tells.
        switch length {
        case 3:
            let word = KeyBytes.three(base, start)
            if word == 0x0000_0000_0064_6970 { return .processID }
            if word == 0x0000_0000_0064_6974 { return .threadID }
            return nil
        case 4:
            let word = KeyBytes.halves(base, start, 4)
            if word == 0x7473_6f68_7473_6f68 { return .host }
            return nil
        case 5:
            let word = KeyBytes.halves(base, start, 5)
            if word == 0x656d_6974_6d69_746b { return .kernelTime }
            if word == 0x7472_6174_7261_7473 { return .start }
            return nil
        case 6:
            let word = KeyBytes.halves(base, start, 6)
            if word == 0x7069_5f63_5f63_7273 { return .sourceAddress }
            if word == 0x7069_5f74_5f74_7364 { return .destinationAddress }
            if word == 0x7375_7461_7461_7473 { return .status }
            return nil
        case 7:
            let word = KeyBytes.halves(base, start, 7)
            if word == 0x7165_735f_5f71_6572 { return .requestSequence }
            if word == 0x7273_755f_5f64_6974 { return .userThreadID }
            if word == 0x6469_5f6e_6e61_7073 { return .spanID }
            return nil
        case 8:
            let word = KeyBytes.eight(base, start)
            if word == 0x7165_735f_7073_6572 { return .responseSequence }
            if word == 0x7472_6f70_5f63_7273 { return .sourcePort }
            if word == 0x7472_6f70_5f74_7364 { return .destinationPort }
            if word == 0x6e6f_6974_6172_7564 { return .duration }
            return nil
        default: return longMatch(base, start, length)
        }
    }

    /// A key of nine to sixteen bytes: two words that overlap.
    @inline(__always) private static func longMatch(
        _ base: UnsafeRawPointer, _ start: Int, _ length: Int
    ) -> FieldKey? {
        switch length {
        case 9:
            let word = KeyBytes.eight(base, start)
            if word == 0x6f69_7463_6572_6964, KeyBytes.eight(base, start &+ 1) == 0x6e6f_6974_6365_7269 {
                return .direction
            }
            return nil
        case 10:
            let word = KeyBytes.eight(base, start)
            if word == 0x5f74_616e_5f74_7364, KeyBytes.eight(base, start &+ 2) == 0x7069_5f74_616e_5f74 {
                return .natAddress
            }
            return nil
        case 12:
            let word = KeyBytes.eight(base, start)
            if word == 0x5f74_616e_5f74_7364, KeyBytes.eight(base, start &+ 4) == 0x7472_6f70_5f74_616e {
                return .natPort
            }
            if word == 0x6361_7274_5f70_7061, KeyBytes.eight(base, start &+ 4) == 0x6469_5f65_6361_7274 {
                return .traceText
            }
            return nil
        case 14:
            let word = KeyBytes.eight(base, start)
            if word == 0x6170_735f_6670_6265, KeyBytes.eight(base, start &+ 6) == 0x6570_7974_5f6e_6170 {
                return .spanType
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
            if word == 0x745f_6461_6572_6874, KeyBytes.eight(base, start &+ 7) == 0x6469_5f65_6361_7274 {
                return .threadTraceID
            }
            if word == 0x6572_6170_5f70_7061, KeyBytes.eight(base, start &+ 7) == 0x6c5f_6469_5f74_6e65 {
                return .parentLow
            }
            return nil
        case 16:
            let word = KeyBytes.eight(base, start)
            if word == 0x6e61_7073_5f70_7061, KeyBytes.eight(base, start &+ 8) == 0x6465_6c70_6d61_735f {
                return .sampled
            }
            if word == 0x6361_7274_5f70_7061, KeyBytes.eight(base, start &+ 8) == 0x6564_6f63_6e65_5f65 {
                return .encoding
            }
            return nil
        default: return nil
        }
    }
}

/// Loads that tell keys apart by words, without a `String`; every load lies within the key.
///
/// 3 bytes: the first two, then the third. 4 to 7: the first four, then the last four.
/// 8 to 16: the first eight and, apart, the last eight (overlapping).
enum KeyBytes {
    @inline(__always) static func eight(_ base: UnsafeRawPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    @inline(__always) static func halves(_ base: UnsafeRawPointer, _ at: Int, _ length: Int) -> UInt64 {
        let low = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        let high = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: at &+ length &- 4, as: UInt32.self))
        return UInt64(low) | UInt64(high) &<< 32
    }

    @inline(__always) static func three(_ base: UnsafeRawPointer, _ at: Int) -> UInt64 {
        let low = UInt16(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt16.self))
        return UInt64(low) | UInt64(base.load(fromByteOffset: at &+ 2, as: UInt8.self)) &<< 16
    }
}
