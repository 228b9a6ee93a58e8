import CIntrinsics

/// An open-addressing table of (hash, index): the key itself lies in the column the index points to.
///
/// A slot is 8 bytes: the 32-bit hash, by which the slot's home is found again when neighbours move, and an index.
/// Linear probing, at most 3/4 of the slots in use. A removed index leaves its slot marked unless the next one is free
/// (moving the neighbours back costs a mispredicted branch or two a removal); marked slots are taken again, and swept
/// out in place when they fill the table. Expected O(1) for every operation; equal hashes of different keys cost a
/// probe each, which the stable 64-bit mixing of the callers makes rare.
struct KeyTable: ~Copyable {
    struct Slot {
        var hash: UInt32
        /// Index + 1; 0: the slot is free; `removed`: it was in use.
        var value: UInt32

        static let removed = UInt32.max

        @inline(__always) var index: UInt32? { value &+ 1 <= 1 ? nil : value &- 1 }
    }

    private(set) var count = 0
    /// Slots that are not free: indexes and removed ones.
    private var used = 0
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
            if slots[place].hash == hash, let index = slots[place].index, matches(index) { return index }
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
            if slot.hash == hash, let index = slot.index { return index }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// The slot of the first index under `hash` for which `matches` is true, else the free one where it belongs, which
    /// `occupy` then fills. Valid until the next change of the table.
    @inline(__always) mutating func probe(
        _ hash: UInt32, where matches: (UInt32) -> Bool
    ) -> UnsafeMutablePointer<Slot> {
        if (used &+ 1) &* 4 > (mask &+ 1) &* 3 { makeRoom() }
        var place = home(hash)
        var removed = -1
        while slots[place].value != 0 {
            if slots[place].value == Slot.removed {
                if removed < 0 { removed = place }
            } else if slots[place].hash == hash, matches(slots[place].value &- 1) {
                return slots + place
            }
            place = (place &+ 1) & mask
        }
        return slots + (removed < 0 ? place : removed)
    }

    @inline(__always) mutating func occupy(_ slot: UnsafeMutablePointer<Slot>, _ hash: UInt32, _ index: UInt32) {
        if slot.pointee.value == 0 { used &+= 1 }
        slot.pointee = Slot(hash: hash, value: index &+ 1)
        count &+= 1
    }

    /// Puts `index` under `hash`, whatever else lies there.
    @inline(__always) mutating func insert(_ hash: UInt32, _ index: UInt32) {
        occupy(probe(hash) { _ in false }, hash, index)
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
        guard var place = placeOf(hash, index) else { return false }
        count &-= 1
        guard slots[(place &+ 1) & mask].value == 0 else {
            slots[place].value = Slot.removed
            return true
        }
        repeat {
            slots[place].value = 0
            used &-= 1
            place = (place &- 1) & mask
        } while slots[place].value == Slot.removed
        return true
    }

    private func placeOf(_ hash: UInt32, _ index: UInt32) -> Int? {
        if index &+ 1 == Slot.removed { return nil }
        var place = home(hash)
        while slots[place].value != 0 {
            if slots[place].value == index &+ 1, slots[place].hash == hash { return place }
            place = (place &+ 1) & mask
        }
        return nil
    }

    @inline(never) private mutating func makeRoom() {
        if (count &+ 1) &* 8 > (mask &+ 1) &* 5 { grow() } else { sweep() }
        used = count
    }

    private mutating func grow() {
        let old = slots
        let oldCount = mask &+ 1
        slots = Self.allocate(oldCount * 2)
        shift &-= 1
        mask = oldCount &* 2 &- 1
        for place in 0..<oldCount { if old[place].index != nil { self.place(old[place].hash, old[place].value) } }
        old.deallocate()
    }

    /// Frees the removed slots. From a free slot on, each index moves to the first free one from its home on, which is
    /// not behind the slot that it left.
    private mutating func sweep() {
        var first = 0
        while slots[first].value != 0 { first &+= 1 }
        for step in 1...mask {
            let place = (first &+ step) & mask
            let slot = slots[place]
            if slot.value == 0 { continue }
            slots[place].value = 0
            if slot.value != Slot.removed { self.place(slot.hash, slot.value) }
        }
    }
}
