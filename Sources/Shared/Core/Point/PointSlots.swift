import Linking

/// Where the value of one field lies: from its tag to its end, in a body smaller than 4 GiB.
struct FieldSlot {
    private var word: UInt64

    @inline(__always) init(tag: Int, end: Int) {
        word = UInt64(truncatingIfNeeded: tag) | UInt64(truncatingIfNeeded: end) &<< 32
    }

    /// Offset of the value's tag.
    @inline(__always) var tag: Int { Int(truncatingIfNeeded: word & 0xffff_ffff) }
    /// Offset of the byte after the value.
    @inline(__always) var end: Int { Int(truncatingIfNeeded: word &>> 32) }
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
        slots[Int(key.rawValue)] = FieldSlot(tag: field.valueTag, end: field.valueEnd)
    }

    /// Takes the fields in the usual form that follow each other from `position` on, and stops before anything else.
    ///
    /// Values are checked whether or not linking reads them: a point that is stored can be exported.
    /// A function of its own, so that the loop keeps its state in registers.
    ///
    /// - Returns: true when a key may be on the deny list.
    @inline(never) mutating func takeFields(_ position: inout Int, _ end: Int, _ denyList: FieldDenyHints) -> Bool {
        let base = base
        let slots = slots
        var present = present
        var at = position
        var mayHoldDenied = denyList.holdsLinkField
        while let head = FieldHead(base, at: at, limit: end) {
            let tag = base.load(fromByteOffset: head.value, as: UInt8.self)
            if tag == FieldKind.text.rawValue {
                guard head.isPlainText(base) else { break }
            } else {
                guard tag == FieldKind.signed.rawValue, VarintField.isWhole(base, head.value &+ 1, head.end) else {
                    break
                }
            }
            at = head.end
            if let key = FieldKey.match(base, head.keyStart, head.keyLength) {
                present |= 1 &<< UInt32(key.rawValue)
                slots[Int(key.rawValue)] = FieldSlot(tag: head.value, end: head.end)
            } else if denyList.mayHold(base, head.keyStart, head.keyLength) {
                mayHoldDenied = true
            }
        }
        self.present = present
        position = at
        return mayHoldDenied
    }

    @inline(__always) func has(_ key: FieldKey) -> Bool { present & (1 &<< UInt32(key.rawValue)) != 0 }

    @inline(__always) private func slot(_ key: FieldKey) -> FieldSlot { slots[Int(key.rawValue)] }

    /// The protobuf tag of a field that is there.
    @inline(__always) func tag(_ key: FieldKey) -> UInt8 {
        base.load(fromByteOffset: slots[Int(key.rawValue)].tag, as: UInt8.self)
    }

    /// True when the field is an int64 on the wire.
    @inline(__always) func isSigned(_ key: FieldKey) -> Bool { has(key) && tag(key) == FieldKind.signed.rawValue }

    /// True when the field is a text on the wire (not bytes).
    @inline(__always) func isText(_ key: FieldKey) -> Bool { has(key) && tag(key) == FieldKind.text.rawValue }

    /// A text that is not empty, as offset and length.
    @inline(__always) func text(_ key: FieldKey) -> (start: Int, length: Int)? {
        guard has(key), tag(key) == FieldKind.text.rawValue || tag(key) == FieldKind.bytes.rawValue else {
            return nil
        }
        let text = content(slot(key))
        return text.length != 0 ? text : nil
    }

    /// What follows the length of a text, bytes or Any.
    @inline(__always) private func content(_ slot: FieldSlot) -> (start: Int, length: Int) {
        if base.load(fromByteOffset: slot.tag &+ 1, as: UInt8.self) < 0x80 {
            return (slot.tag &+ 2, slot.end &- slot.tag &- 2)
        }
        var reader = WireReader(base, from: slot.tag &+ 1, to: slot.end)
        _ = reader.varint()
        return (reader.position, slot.end &- reader.position)
    }

    /// An integer sent as i, u, decimal text, or a double that is whole; under `strict` only as i. Nil: none.
    @inline(__always) func integer(_ key: FieldKey, strict: Bool = false) -> UInt64? {
        guard has(key) else { return nil }
        let slot = slot(key)
        if tag(key) == FieldKind.signed.rawValue { return VarintField.number(base, slot.tag &+ 1, slot.end) }
        return strict ? nil : otherInteger(slot)
    }

    private func otherInteger(_ slot: FieldSlot) -> UInt64? {
        switch FieldKind(rawValue: base.load(fromByteOffset: slot.tag, as: UInt8.self)) {
        case .text, .bytes:
            let text = content(slot)
            return PointText.decimal(base, text.start, text.length)
        case .signed, .unsigned: return VarintField.number(base, slot.tag &+ 1, slot.end)
        case .double:
            let bits = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: slot.tag &+ 1, as: UInt64.self))
            return Int64(exactly: Double(bitPattern: bits)).map { UInt64(bitPattern: $0) }
        case .bool, .any, nil: return nil
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
