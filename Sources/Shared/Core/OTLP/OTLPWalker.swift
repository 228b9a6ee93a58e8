import Linking

/// The protobuf wire of OTLP traces, as far as we read it.
///
///     ExportTraceServiceRequest   0a LEN ResourceSpans …
///     ResourceSpans               0a LEN Resource   12 LEN ScopeSpans …   1a LEN schema_url
///     Resource                    0a LEN KeyValue …
///     ScopeSpans                  0a LEN InstrumentationScope   12 LEN Span …
///     InstrumentationScope        0a LEN name   12 LEN version
///     Span                        0a LEN trace_id (16)   12 LEN span_id (8)   22 LEN parent_span_id (8)
///                                 2a LEN name   30 VARINT kind   39 8 BYTES start   41 8 BYTES end (ns since 1970)
///                                 4a LEN KeyValue …   7a LEN Status; the rest is kept as it is
///     Status                      12 LEN message   18 VARINT code
///     KeyValue                    0a LEN key   12 LEN AnyValue
///     AnyValue                    0a LEN string   10 bool   18 int   21 8 BYTES double
///                                 2a array   32 kvlist   3a bytes
///
/// Unknown fields are stepped over; groups make a message malformed. Fields may come in any order.
enum OTLPWire {
    static let list: UInt64 = 0x0a
    static let second: UInt64 = 0x12
    static let traceID: UInt64 = 0x0a
    static let spanID: UInt64 = 0x12
    static let parentID: UInt64 = 0x22
    static let name: UInt64 = 0x2a
    static let kind: UInt64 = 0x30
    static let start: UInt64 = 0x39
    static let end: UInt64 = 0x41
    static let attribute: UInt64 = 0x4a
    static let status: UInt64 = 0x7a
}

/// Takes what a walk finds: a resource, then its scopes, each with its spans.
public protocol OTLPVisitor {
    /// A `Resource` message; empty when there is none. Everything up to the next call belongs to it.
    mutating func resource(_ message: UnsafeRawBufferPointer) throws(Failure)
    /// The name of an instrumentation scope; empty when there is none.
    mutating func scope(_ name: UnsafeRawBufferPointer) throws(Failure)
    /// A span whose bytes can be read.
    mutating func span(_ span: borrowing OTLPSpanBytes) throws(Failure)
    /// A span whose bytes cannot be read.
    mutating func unreadableSpan() throws(Failure)
}

/// Walks the bytes of an `ExportTraceServiceRequest`: makes no object a span, never traps, needs no memory.
///
/// Depth is fixed by the messages it knows; sizes by the bytes themselves. Time: O(bytes), each read at most thrice.
public enum OTLPWalker {
    /// Calls the visitor for everything in the request, in order.
    ///
    /// Fails with `.corrupt` when the frame around the spans cannot be read (the visitor may have seen a part of it),
    /// and with whatever the visitor throws. A malformed span alone fails nothing.
    public static func walk(
        _ request: UnsafeRawBufferPointer, visitor: inout some OTLPVisitor
    ) throws(Failure) {
        var fields = OTLPMessageFields(request)
        while let field = fields.next() {
            if field.tag == OTLPWire.list { try resourceSpans(field.bytes, &visitor) }
        }
        guard fields.isWhole else { throw malformed("ExportTraceServiceRequest") }
    }

    private static func resourceSpans(
        _ message: UnsafeRawBufferPointer, _ visitor: inout some OTLPVisitor
    ) throws(Failure) {
        try visitor.resource(try last(OTLPWire.list, of: message, "ResourceSpans"))
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            if field.tag == OTLPWire.second { try scopeSpans(field.bytes, &visitor) }
        }
    }

    private static func scopeSpans(
        _ message: UnsafeRawBufferPointer, _ visitor: inout some OTLPVisitor
    ) throws(Failure) {
        let scope = try last(OTLPWire.list, of: message, "ScopeSpans")
        try visitor.scope(try last(OTLPWire.list, of: scope, "InstrumentationScope"))
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            guard field.tag == OTLPWire.second else { continue }
            if let span = OTLPSpanBytes(field.bytes) { try visitor.span(span) } else { try visitor.unreadableSpan() }
        }
    }

    /// The last field with a tag, as protobuf has it; the whole message is checked on the way.
    private static func last(
        _ tag: UInt64, of message: UnsafeRawBufferPointer, _ name: String
    ) throws(Failure) -> UnsafeRawBufferPointer {
        var found = UnsafeRawBufferPointer(start: nil, count: 0)
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            if field.tag == tag { found = field.bytes }
        }
        guard fields.isWhole else { throw malformed(name) }
        return found
    }

    private static func malformed(_ name: String) -> Failure {
        Failure(.corrupt, "the body is no OTLP trace request: \(name) is malformed; send protobuf or OTLP/JSON")
    }
}

/// The fields of one message, one after the other.
public struct OTLPMessageFields {
    /// One field as it lies in the message.
    public struct Field {
        /// Number and wire type as on the wire.
        public let tag: UInt64
        /// Content of a length-delimited field; the value's own bytes of others.
        public let bytes: UnsafeRawBufferPointer
        /// The number of a varint or fixed field.
        public let number: UInt64
        /// Tag, length and content.
        public let whole: UnsafeRawBufferPointer
    }

    private let message: UnsafeRawBufferPointer
    private var reader: WireReader
    /// False once something could not be read; what came before was given out.
    public private(set) var isWhole = true

    @inline(__always) public init(_ message: UnsafeRawBufferPointer) {
        self.message = message
        reader = WireReader(message.baseAddress ?? Self.nothing, from: 0, to: message.count)
    }

    /// Stands for the address of an empty message; never read.
    private nonisolated(unsafe) static let nothing = UnsafeRawPointer(
        UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8))

    /// The next field; nil at the end, or where the message cannot be read.
    @inline(__always) public mutating func next() -> Field? {
        guard !reader.isAtEnd else { return nil }
        let start = reader.position
        guard let tag = reader.varint(), tag &>> 3 != 0, tag &>> 32 == 0 else { return fail() }
        var content: Range<Int>
        var number: UInt64 = 0
        switch tag & 7 {
        case 2:
            guard let range = reader.lengthDelimited() else { return fail() }
            content = range
        case 0:
            let from = reader.position
            guard let value = reader.varint() else { return fail() }
            number = value
            content = Range(uncheckedBounds: (from, reader.position))
        case 1:
            let from = reader.position
            guard reader.advance(8) else { return fail() }
            number = reader.base.little(from)
            content = Range(uncheckedBounds: (from, reader.position))
        case 5:
            let from = reader.position
            guard reader.advance(4) else { return fail() }
            number = UInt64(reader.base.little(from, as: UInt32.self))
            content = Range(uncheckedBounds: (from, reader.position))
        default: return fail()
        }
        return Field(
            tag: tag, bytes: slice(content), number: number,
            whole: slice(Range(uncheckedBounds: (start, reader.position))))
    }

    @inline(__always) private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reader.base + range.lowerBound, count: range.count)
    }

    private mutating func fail() -> Field? {
        isWhole = false
        reader.position = reader.end
        return nil
    }
}
