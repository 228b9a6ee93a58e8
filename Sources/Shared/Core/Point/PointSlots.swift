import Linking

/// The value of one field of a point, as read: 16 bytes.
struct FieldSlot {
    /// The number, or the offset of the text.
    var bits: UInt64
    /// Length of the text, and the kind in the highest byte: one store.
    private var meta: UInt64

    @inline(__always) init(bits: UInt64, length: Int, kind: UInt8) {
        self.bits = bits
        meta = UInt64(truncatingIfNeeded: length) | UInt64(kind) &<< 56
    }

    @inline(__always) var length: Int { Int(truncatingIfNeeded: meta & 0x00ff_ffff_ffff_ffff) }
    @inline(__always) var kind: UInt8 { UInt8(truncatingIfNeeded: meta &>> 56) }
}

/// The fields of one point that linking reads, by slot; only slots whose bit in `present` is set are valid.
///
/// The memory belongs to the walker and is reused from point to point, so a point costs one store to forget the last.
struct PointSlots {
    let base: UnsafeRawPointer
    let slots: UnsafeMutablePointer<FieldSlot>
    var present: UInt32 = 0
    /// Nanoseconds since 1970.
    var time: Int64 = 0
    /// The connection, once `fill` found both ends.
    var flow: FlowKey?

    /// `storage` holds `FieldKey.count` slots and outlives this value.
    init(base: UnsafeRawPointer, storage: UnsafeMutablePointer<FieldSlot>) {
        self.base = base
        slots = storage
    }

    @inline(__always) mutating func set(_ key: FieldKey, _ field: RawField) {
        let bit = UInt32(1) &<< UInt32(key.rawValue)
        // A field without a value is as good as none, and takes back an earlier one of the same name.
        present = field.kind == 0 ? present & ~bit : present | bit
        slots[Int(key.rawValue)] = FieldSlot(
            bits: field.bits, length: field.length, kind: field.kind)
    }

    /// Takes the fields in the usual form that follow each other from `position` on, and stops before anything else.
    ///
    /// Values are checked whether or not linking reads them: a point that is stored can be exported.
    /// A function of its own, so that the loop keeps its state in registers; some 60 instructions a field.
    @inline(never) mutating func takeFields(_ position: inout Int, _ end: Int, _ denyList: FieldDenyHints) -> Bool {
        let base = base
        let slots = slots
        var present = present
        var at = position
        var mayHoldDenied = false
        while let head = FieldHead(base, at: at, limit: end) {
            let tag = base.load(fromByteOffset: head.value, as: UInt8.self)
            let bits: UInt64
            if tag == FieldKind.text.rawValue {
                guard head.isPlainText(base) else { break }
                bits = UInt64(truncatingIfNeeded: head.value &+ 2)
            } else {
                guard tag == FieldKind.signed.rawValue, let number = head.number(base) else { break }
                bits = number
            }
            at = head.end
            if denyList.mayHold(base, head.keyStart, head.keyLength) { mayHoldDenied = true }
            guard let key = FieldKey.match(base, head.keyStart, head.keyLength) else { continue }
            present |= 1 &<< UInt32(key.rawValue)
            // The length of a number is not read.
            slots[Int(key.rawValue)] = FieldSlot(bits: bits, length: head.end &- head.value &- 2, kind: tag)
        }
        self.present = present
        position = at
        return mayHoldDenied
    }

    @inline(__always) func has(_ key: FieldKey) -> Bool { present & (1 &<< UInt32(key.rawValue)) != 0 }

    @inline(__always) private func slot(_ key: FieldKey) -> FieldSlot { slots[Int(key.rawValue)] }

    /// True when the field is an int64 on the wire.
    @inline(__always) func isSigned(_ key: FieldKey) -> Bool {
        has(key) && slot(key).kind == FieldKind.signed.rawValue
    }

    /// True when the field is a text on the wire (not bytes).
    @inline(__always) func isText(_ key: FieldKey) -> Bool { has(key) && slot(key).kind == FieldKind.text.rawValue }

    /// A text that is not empty, as offset and length.
    @inline(__always) func text(_ key: FieldKey) -> (start: Int, length: Int)? {
        guard has(key) else { return nil }
        let slot = slot(key)
        guard slot.kind == FieldKind.text.rawValue || slot.kind == FieldKind.bytes.rawValue, slot.length != 0 else {
            return nil
        }
        return (Int(truncatingIfNeeded: slot.bits), slot.length)
    }

    /// An integer sent as i, u, decimal text, or a double that is whole; nil when there is none.
    @inline(__always) func integer(_ key: FieldKey) -> UInt64? {
        guard has(key) else { return nil }
        let slot = slot(key)
        return slot.kind == FieldKind.signed.rawValue ? slot.bits : otherInteger(slot)
    }

    /// An integer; under `strict` one that is an int64 on the wire, else nil.
    @inline(__always) func integer(_ key: FieldKey, strict: Bool) -> UInt64? {
        guard has(key) else { return nil }
        let slot = slot(key)
        if slot.kind == FieldKind.signed.rawValue { return slot.bits }
        return strict ? nil : otherInteger(slot)
    }

    private func otherInteger(_ slot: FieldSlot) -> UInt64? {
        switch FieldKind(rawValue: slot.kind) {
        case .signed, .unsigned: slot.bits
        case .text, .bytes: PointText.decimal(base, Int(truncatingIfNeeded: slot.bits), slot.length)
        case .double: Int64(exactly: Double(bitPattern: slot.bits)).map { UInt64(bitPattern: $0) }
        case .bool, .any, nil: nil
        }
    }

    /// The number of a process or thread: an integer, else the hash of a text; 0 when there is none.
    @inline(__always) func number(_ key: FieldKey) -> UInt64 {
        guard has(key) else { return 0 }
        if let integer = integer(key) { return integer }
        guard let text = text(key) else { return 0 }
        return hash(text)
    }

    /// A port, sent as number or text; nil when it is none.
    @inline(__always) func port(_ key: FieldKey) -> UInt16? {
        guard let number = integer(key) else { return nil }
        return UInt16(exactly: number)
    }

    @inline(__always) func equals(_ key: FieldKey, _ expected: StaticString) -> Bool {
        guard let text = text(key) else { return false }
        return PointText.equals(base, text.start, text.length, expected)
    }

    @inline(__always) func hash(_ text: (start: Int, length: Int)) -> UInt64 {
        StableHash.of(UnsafeRawBufferPointer(start: base + text.start, count: text.length))
    }
}
