import Linking
import Shared

/// Turns the spans of a request into rows while they are walked.
struct RowEncoder: OTLPVisitor {
    var names: StoreNames
    let rows: RowBuffer
    private(set) var places: [RowPlace] = []
    private(set) var result = InsertResult()
    /// Told of each span that becomes a row; nil when nobody wants to know.
    private var graph: GraphVisitor?
    private var resource: UInt32?
    private var scope: UInt32 = 0

    /// Latest time that is kept as it is; what lies behind (the year 2116) is taken as this.
    static let timeMax: UInt64 = 1 << 62

    init(names: StoreNames, capacity: Int, readsCalls: Bool) {
        self.names = names
        graph = readsCalls ? GraphVisitor() : nil
        rows = RowBuffer(capacity: capacity)
    }

    /// What the service graph takes of the rows.
    var calls: [GraphSpan] { graph?.spans ?? [] }

    mutating func resource(_ message: UnsafeRawBufferPointer) throws(Failure) {
        resource = names.resource(message)
        try graph?.resource(message)
    }

    mutating func scope(_ name: UnsafeRawBufferPointer) throws(Failure) {
        scope = names.word(name, isKey: false)
        try graph?.scope(name)
    }

    mutating func unreadableSpan() throws(Failure) { result.reject("a span's bytes are malformed") }

    mutating func span(_ span: borrowing OTLPSpanBytes) throws(Failure) {
        guard let resource else { return result.reject("the store has no room for another resource") }
        guard !span.traceID.isNone else { return result.reject("a span's trace_id is not 16 bytes, or all zero") }
        guard span.id != .none else { return result.reject("a span's span_id is not 8 bytes, or all zero") }
        guard span.bytes.count <= StoreLimits.spanBytes else {
            return result.reject("a span is larger than \(StoreLimits.spanBytes) bytes")
        }
        places.append(RowPlace(trace: span.traceID, offset: rows.count))
        // Every attribute grows by less than the ten bytes of its two numbers; fixed fields by less than 128.
        rows.reserve(span.bytes.count &+ span.attributeCount &* 12 &+ 160)
        write(span, resource)
        result.accepted &+= 1
    }

    private mutating func write(_ span: borrowing OTLPSpanBytes, _ resource: UInt32) {
        let base = rows.base + rows.count
        let start = min(span.start, Self.timeMax)
        let end = min(max(span.end, start), Self.timeMax)
        base.storeBytes(of: span.id.bits.littleEndian, toByteOffset: 4, as: UInt64.self)
        base.storeBytes(of: span.parent.bits.littleEndian, toByteOffset: 12, as: UInt64.self)
        base.storeBytes(of: start.littleEndian, toByteOffset: 20, as: UInt64.self)
        let kind = UInt8(truncatingIfNeeded: min(span.kind, 15))
        let status = UInt8(truncatingIfNeeded: min(span.statusCode, 15))
        base.storeBytes(of: kind | status << 4, toByteOffset: 28, as: UInt8.self)
        var writer = RowWriter(base: base, count: 29)
        writer.varint(UInt64(resource))
        writer.varint(UInt64(scope))
        writer.varint(end &- start)
        writer.counted(span.name)
        writer.counted(span.statusMessage)
        writeAttributes(span, &writer)
        writeRest(span, &writer)
        base.storeBytes(of: UInt32(writer.count - 4).littleEndian, as: UInt32.self)
        rows.setCount(rows.count + writer.count)
    }

    private mutating func writeAttributes(_ span: borrowing OTLPSpanBytes, _ writer: inout RowWriter) {
        names.beginSpan()
        var written = 0
        // The count stands before the attributes; attributes that cannot be read are not counted.
        let place = writer.count
        let places = span.attributeCount < 128 ? 1 : 5
        writer.count &+= places
        let isCall = graph?.begin(span) ?? false
        span.forEachAttribute { key, value in
            if isCall { graph?.take(key, value) }
            let word = names.key(key)
            writer.varint(UInt64(word))
            if word == 0 { writer.counted(key) }
            writer.counted(value)
            written &+= 1
        }
        if isCall { graph?.end(span) }
        writer.put(UInt64(written), at: place, places: places)
    }

    private func writeRest(_ span: borrowing OTLPSpanBytes, _ writer: inout RowWriter) {
        var length = 0
        if span.hasOtherFields { span.forEachOtherField { length &+= $0.count } }
        writer.varint(UInt64(length))
        guard length > 0 else { return }
        span.forEachOtherField { writer.raw($0) }
    }
}

/// Writes into room that was reserved before.
struct RowWriter {
    let base: UnsafeMutableRawPointer
    var count: Int

    @inline(__always) mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            base.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest &>>= 7
            count &+= 1
        }
        base.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always) mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        if let from = bytes.baseAddress { (base + count).copyMemory(from: from, byteCount: bytes.count) }
        count &+= bytes.count
    }

    @inline(__always) mutating func counted(_ bytes: UnsafeRawBufferPointer) {
        varint(UInt64(bytes.count))
        raw(bytes)
    }

    /// A varint of exactly so many bytes (longer than it needs to be, maybe), at a place left free for it.
    func put(_ value: UInt64, at place: Int, places: Int) {
        var rest = value
        for index in 0..<places {
            let isLast = index == places - 1
            let byte = UInt8(truncatingIfNeeded: rest & 0x7f) | (isLast ? 0 : 0x80)
            base.storeBytes(of: byte, toByteOffset: place + index, as: UInt8.self)
            rest &>>= 7
        }
    }
}
