/// The answer of an OTLP receiver.
///
///     ExportTraceServiceResponse   0a LEN partial_success
///     ExportTracePartialSuccess    08 VARINT rejected_spans   12 LEN error_message
public enum OTLPAnswer {
    /// What a receiver did not take.
    public struct PartialSuccess: Hashable, Sendable {
        /// Spans it will never take; 0 with a message is a warning alone.
        public var rejected: Int
        public var message: String
    }

    /// The partial success in an answer; nil when there is none, when it says nothing, or when the bytes are no such
    /// message. O(bytes).
    public static func partialSuccess(_ body: [UInt8]) -> PartialSuccess? {
        body.withRawBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var found: PartialSuccess?
            var reader = WireReader(base, from: 0, to: bytes.count)
            while !reader.isAtEnd {
                guard let tag = reader.varint() else { return nil }
                guard tag == 0x0a else {
                    guard reader.skip(tag: tag) else { return nil }
                    continue
                }
                guard let range = reader.lengthDelimited(), let partial = read(base, range) else { return nil }
                found = partial
            }
            return found.flatMap { $0.rejected > 0 || !$0.message.isEmpty ? $0 : nil }
        }
    }

    private static func read(_ base: UnsafeRawPointer, _ range: Range<Int>) -> PartialSuccess? {
        var partial = PartialSuccess(rejected: 0, message: "")
        var reader = WireReader(base, from: range.lowerBound, to: range.upperBound)
        while !reader.isAtEnd {
            guard let tag = reader.varint() else { return nil }
            if tag == 0x08 {
                guard let count = reader.varint() else { return nil }
                partial.rejected = Int(max(0, Int64(bitPattern: count)))
            } else if tag == 0x12 {
                guard let text = reader.lengthDelimited() else { return nil }
                let bytes = UnsafeRawBufferPointer(start: base + text.lowerBound, count: text.count)
                partial.message = String(decoding: bytes, as: UTF8.self)
            } else if !reader.skip(tag: tag) {
                return nil
            }
        }
        return partial
    }
}
