import Linking

/// One point as slots: where the values of the known fields lie. Reused from point to point, so nothing is allocated.
struct OTLPPoint: ~Copyable {
    /// A value: its kind, the number or the offset of the text, and the length of the text.
    struct Value {
        var bits: UInt64
        var length: Int
        /// `FieldKind`, or 0: no value.
        var kind: UInt8

        @inline(__always) var start: Int { Int(truncatingIfNeeded: bits) }
        @inline(__always) var isText: Bool { kind == FieldKind.text.rawValue || kind == FieldKind.bytes.rawValue }
    }

    private let values: UnsafeMutablePointer<Value>
    private let table: UnsafeMutablePointer<OTLPKeyTable.Entry>
    /// The point's bytes while it is encoded.
    private(set) var bytes: UnsafeRawBufferPointer
    /// Start of `bytes`; before the first point, some valid address.
    private(set) var base: UnsafeRawPointer
    /// Bit n: slot n holds a value.
    private(set) var present: UInt64 = 0
    /// The point's own time, nanoseconds since 1970.
    private(set) var time: Int64 = 0

    init() {
        values = .allocate(capacity: 64)
        values.initialize(repeating: Value(bits: 0, length: 0, kind: 0), count: 64)
        table = .allocate(capacity: OTLPKeyTable.size)
        table.initialize(repeating: OTLPKeyTable.Entry(), count: OTLPKeyTable.size)
        for (place, entry) in OTLPKeyTable.shared.enumerated() { table[place] = entry }
        base = UnsafeRawPointer(values)
        bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    deinit {
        values.deallocate()
        table.deallocate()
    }

    /// Reads a `PBPoint` message; false when it does not parse. O(bytes).
    ///
    /// Values of unknown fields are not looked at: a point was checked when it was taken.
    mutating func read(_ point: UnsafeRawBufferPointer) -> Bool {
        guard let start = point.baseAddress else { return false }
        bytes = point
        base = start
        present = 0
        time = 0
        var position = 0
        var field = RawField()
        while position < point.count {
            guard let head = FieldHead(start, at: position, limit: point.count) else {
                guard readOther(&position, &field) else { return false }
                continue
            }
            position = head.end
            guard let slot = OTLPKeyTable.slot(table, start, head.keyStart, head.keyLength) else { continue }
            if field.read(start, head) {
                set(slot, field)
            } else if !readUnusual(from: head.keyStart &- 2, to: head.end, &field) {
                return false
            }
        }
        return true
    }

    /// A field whose value is no plain text or int64.
    @inline(never) private mutating func readUnusual(from start: Int, to end: Int, _ field: inout RawField) -> Bool {
        guard field.readAny(base, from: start, to: end) else { return false }
        if let slot = OTLPKeyTable.slot(table, base, field.keyStart, field.keyLength) { set(slot, field) }
        return true
    }

    /// Name, time, fields in an unusual form and unknown parts.
    @inline(never) private mutating func readOther(_ position: inout Int, _ field: inout RawField) -> Bool {
        var reader = WireReader(base, from: position, to: bytes.count)
        defer { position = reader.position }
        guard let tag = reader.varint() else { return false }
        if tag == UInt64(Wire.time) {
            guard let value = reader.varint() else { return false }
            time = Int64(bitPattern: value)
            return true
        }
        guard tag == UInt64(Wire.field) else { return reader.skip(tag: tag) }
        guard let range = reader.lengthDelimited() else { return false }
        return readUnusual(from: range.lowerBound, to: range.upperBound, &field)
    }

    @inline(__always) private mutating func set(_ slot: Int, _ field: RawField) {
        values[slot] = Value(bits: field.bits, length: field.length, kind: field.kind)
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: slot)
        present = field.kind == 0 ? present & ~bit : present | bit
    }

    @inline(__always) func has(_ field: OTLPField) -> Bool { present &>> UInt64(field.rawValue) & 1 != 0 }

    /// The value of a slot that `has` says is there.
    @inline(__always) subscript(_ field: OTLPField) -> Value { values[Int(field.rawValue)] }

    /// Whether a field is this text.
    @inline(__always) func isText(_ field: OTLPField, _ text: StaticString) -> Bool {
        guard has(field) else { return false }
        let value = self[field]
        return value.isText && PointText.equals(base, value.start, value.length, text)
    }

    /// Whether a field is a text that begins so.
    @inline(__always) func begins(_ field: OTLPField, _ text: StaticString) -> Bool {
        guard has(field) else { return false }
        let value = self[field]
        return value.isText && value.length >= text.utf8CodeUnitCount
            && PointText.equals(base, value.start, text.utf8CodeUnitCount, text)
    }

    /// The bytes of a text that is not empty.
    @inline(__always) func text(_ field: OTLPField) -> Value? {
        guard has(field) else { return nil }
        let value = self[field]
        return value.isText && value.length > 0 ? value : nil
    }

    /// An integer, as the walker of the router reads it.
    @inline(__always) func integer(_ field: OTLPField) -> UInt64? {
        guard has(field) else { return nil }
        let value = self[field]
        if value.kind == FieldKind.signed.rawValue { return value.bits }
        return otherInteger(value)
    }

    private func otherInteger(_ value: Value) -> UInt64? {
        switch FieldKind(rawValue: value.kind) {
        case .signed, .unsigned: value.bits
        case .text, .bytes: PointText.decimal(base, value.start, value.length)
        case .double: Int64(exactly: Double(bitPattern: value.bits)).map { UInt64(bitPattern: $0) }
        case .bool, .any, nil: nil
        }
    }

    /// An integer of int64, as the splicer reads ids under `compat`.
    func signed(_ field: OTLPField) -> UInt64? {
        has(field) && self[field].kind == FieldKind.signed.rawValue ? self[field].bits : nil
    }
}
