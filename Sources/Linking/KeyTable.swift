import CIntrinsics

/// An open-addressing table of (hash, index): the key itself lies in the column the index points to.
///
/// A slot is 8 bytes: the 32-bit hash, by which the slot's home is found again when neighbours move, and an index.
/// Linear probing, deletion by shifting back (no tombstones), load at most 3/4. Expected O(1) for every operation;
/// equal hashes of different keys cost a probe each, which the stable 64-bit mixing of the callers makes rare.
struct KeyTable: ~Copyable {
    struct Slot {
        var hash: UInt32
        /// Index + 1; 0: the slot is free.
        var value: UInt32

        @inline(__always) var index: UInt32? { value == 0 ? nil : value &- 1 }
    }

    private(set) var count = 0
    private var slots: UnsafeMutablePointer<Slot>
    private var shift: UInt32
    private var mask: Int

    init(minimumCapacity: Int = 16) {
        var bits: UInt32 = 4
        while (1 << bits) < minimumCapacity { bits += 1 }
        slots = Self.allocate(1 << bits)
        shift = 32 - bits
        mask = (1 << bits) - 1
    }

    deinit { slots.deallocate() }

    /// Takes all entries out and keeps the slots. O(slots).
    mutating func removeAll() {
        slots.update(repeating: Slot(hash: 0, value: 0), count: mask &+ 1)
        count = 0
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Slot> {
        let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
        slots.initialize(repeating: Slot(hash: 0, value: 0), count: capacity)
        return slots
    }

    /// 32 well mixed bits of a key, the form every operation takes.
    @inline(__always) static func hash(_ key: UInt64) -> UInt32 {
        let mixed = (key ^ (key &>> 32)) &* 0x9E37_79B9_7F4A_7C15
        return UInt32(truncatingIfNeeded: (mixed ^ (mixed &>> 29)) &* 0xBF58_476D_1CE4_E5B9 &>> 32)
    }

    @inline(__always) private func home(_ hash: UInt32) -> Int { shift == 32 ? 0 : Int(hash &>> shift) }

    @inline(__always) func prefetch(_ hash: UInt32) { ebpftrace_prefetch(slots + home(hash)) }

    /// The first index under `hash` for which `matches` is true.
    @inline(__always) func find(_ hash: UInt32, where matches: (UInt32) -> Bool) -> UInt32? {
        var place = home(hash)
        while slots[place].value != 0 {
            if slots[place].hash == hash, matches(slots[place].value &- 1) { return slots[place].value &- 1 }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// The index that `find` will most likely look at first; for prefetching what it names.
    @inline(__always) func peek(_ hash: UInt32) -> UInt32? {
        // A table that is three quarters full keeps most, but by no means all of them at home.
        var place = home(hash)
        for _ in 0..<6 {
            let slot = slots[place]
            if slot.value == 0 { return nil }
            if slot.hash == hash { return slot.value &- 1 }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// The slot of the first index under `hash` for which `matches` is true, else the free one where it belongs, which
    /// `occupy` then fills. Valid until the next change of the table.
    @inline(__always) mutating func probe(
        _ hash: UInt32, where matches: (UInt32) -> Bool
    ) -> UnsafeMutablePointer<Slot> {
        if (count &+ 1) &* 4 > (mask &+ 1) &* 3 { grow() }
        var place = home(hash)
        while slots[place].value != 0 {
            if slots[place].hash == hash, matches(slots[place].value &- 1) { break }
            place = (place &+ 1) & mask
        }
        return slots + place
    }

    @inline(__always) mutating func occupy(_ slot: UnsafeMutablePointer<Slot>, _ hash: UInt32, _ index: UInt32) {
        slot.pointee = Slot(hash: hash, value: index &+ 1)
        count &+= 1
    }

    /// Puts `index` under `hash`, whatever else lies there.
    @inline(__always) mutating func insert(_ hash: UInt32, _ index: UInt32) {
        if (count &+ 1) &* 4 > (mask &+ 1) &* 3 { grow() }
        place(hash, index &+ 1)
        count &+= 1
    }

    @inline(__always) private mutating func place(_ hash: UInt32, _ value: UInt32) {
        var place = home(hash)
        while slots[place].value != 0 { place = (place &+ 1) & mask }
        slots[place] = Slot(hash: hash, value: value)
    }

    /// Gives the entry of `old` the index `new`; false when there is none.
    mutating func replace(_ hash: UInt32, _ old: UInt32, with new: UInt32) -> Bool {
        guard let place = placeOf(hash, old) else { return false }
        slots[place].value = new &+ 1
        return true
    }

    /// Takes `index` out; false when it is not there.
    @discardableResult mutating func remove(_ hash: UInt32, _ index: UInt32) -> Bool {
        guard var hole = placeOf(hash, index) else { return false }
        var next = (hole &+ 1) & mask
        while slots[next].value != 0 {
            // An entry may move back into the hole unless its home lies between the hole and itself.
            let home = home(slots[next].hash)
            if ((next &- home) & mask) >= ((next &- hole) & mask) {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        slots[hole] = Slot(hash: 0, value: 0)
        count &-= 1
        return true
    }

    private func placeOf(_ hash: UInt32, _ index: UInt32) -> Int? {
        var place = home(hash)
        while slots[place].value != 0 {
            if slots[place].value == index &+ 1, slots[place].hash == hash { return place }
            place = (place &+ 1) & mask
        }
        return nil
    }

    @inline(never) private mutating func grow() {
        let old = slots
        let oldCount = mask &+ 1
        slots = Self.allocate(oldCount * 2)
        shift &-= 1
        mask = oldCount &* 2 &- 1
        for place in 0..<oldCount where old[place].value != 0 { self.place(old[place].hash, old[place].value) }
        old.deallocate()
    }
}
