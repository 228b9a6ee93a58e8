import CIntrinsics
import Linking

/// Remembers which spans a worker has read within `late_window`, to collapse repeats.
///
/// Two tables of 8-byte slots, 56 bits of the span's hash and 8 of its epoch: one for the current stretch of
/// `late_window` epochs, one for the stretch before. Two different spans count as one with a probability of about
/// 10⁻¹¹ a span at two million remembered. Expected O(1) a span; about 24 bytes a span remembered.
struct DuplicateFilter: ~Copyable {
    private var current = FingerprintTable()
    private var previous = FingerprintTable()
    private var stretch: UInt64 = 0
    private let lateWindow: UInt64?
    /// Epochs that count as one, so that `late_window` fits into the 8 bits of a slot.
    private let epochsPerStep: UInt64

    /// - Parameter lateWindowEpochs: nil: nothing is ever forgotten. Beyond 250 the border is blurred by up to a 250th.
    init(lateWindowEpochs: UInt64?) {
        let epochs = max(1, lateWindowEpochs ?? 1)
        let step = (epochs + 249) / 250
        epochsPerStep = step
        lateWindow = lateWindowEpochs.map { _ in (epochs + step - 1) / step }
    }

    /// Forgets all spans, and gives the memory back.
    mutating func removeAll() {
        current = FingerprintTable()
        previous = FingerprintTable()
    }

    /// True when an equal span was seen within `late_window` before; else the span is remembered.
    mutating func isDuplicate(_ facts: SpanFacts, epoch: Epoch) -> Bool {
        let step = epoch.number / epochsPerStep
        if let lateWindow {
            let now = step / lateWindow
            if now != stretch {
                let isNext = now == stretch &+ 1
                swap(&previous, &current)
                current = FingerprintTable(minimumCapacity: previous.count * 5 / 4)
                if !isNext { previous = FingerprintTable() }
                stretch = now
            }
        }
        let hash = Self.identity(of: facts)
        let age = UInt8(truncatingIfNeeded: lateWindow == nil ? 0 : step)
        let slot = current.slot(of: hash)
        if slot.pointee != 0, isRecent(UInt8(truncatingIfNeeded: slot.pointee), age) { return true }
        if previous.count > 0, let seen = previous.epoch(of: hash), isRecent(seen, age) { return true }
        current.put(hash, epoch: age, in: slot)
        return false
    }

    /// Brings the places where a span would stand into the cache.
    @inline(__always) func prefetch(_ id: SpanID) {
        current.prefetch(id.bits)
        if previous.count > 0 { previous.prefetch(id.bits) }
    }

    /// A repeat has an equal id and equal facts; the id of a point without a given one is made of its facts.
    private static func identity(of facts: SpanFacts) -> UInt64 {
        facts.flags.contains(.givenID) ? StableHash.of(facts.computedID.bits, facts.id.bits) : facts.id.bits
    }

    private func isRecent(_ seen: UInt8, _ now: UInt8) -> Bool {
        guard let lateWindow else { return true }
        return UInt64(now &- seen) <= lateWindow
    }
}

/// Open addressing over 56-bit fingerprints with an 8-bit epoch each; linear probing, no deletion.
private struct FingerprintTable: ~Copyable {
    private var slots: UnsafeMutablePointer<UInt64>
    private var bits: UInt64
    private(set) var count = 0

    init(minimumCapacity: Int = 0) {
        bits = 10
        while (1 << bits) * 3 < minimumCapacity * 4 { bits += 1 }
        slots = .allocate(capacity: 1 << Int(bits))
        slots.initialize(repeating: 0, count: 1 << Int(bits))
    }

    deinit { slots.deallocate() }

    /// 0 stands for a free slot, so no fingerprint is 0.
    @inline(__always) private static func fingerprint(_ hash: UInt64) -> UInt64 {
        let high = hash & ~0xff
        return high == 0 ? 0x100 : high
    }

    /// The place where the search begins: the high bits, which all slots keep.
    @inline(__always) private func home(_ fingerprint: UInt64) -> Int { Int(fingerprint >> (64 - bits)) }

    @inline(__always) func prefetch(_ hash: UInt64) { ebpftrace_prefetch(slots + home(Self.fingerprint(hash))) }

    func epoch(of hash: UInt64) -> UInt8? {
        let wanted = Self.fingerprint(hash)
        let mask = (1 << Int(bits)) - 1
        var place = home(wanted)
        while slots[place] != 0 {
            if slots[place] & ~0xff == wanted { return UInt8(truncatingIfNeeded: slots[place]) }
            place = (place + 1) & mask
        }
        return nil
    }

    /// The slot of a hash, or the free one where it belongs; valid until the next call.
    mutating func slot(of hash: UInt64) -> UnsafeMutablePointer<UInt64> {
        if (count + 1) * 4 > (1 << Int(bits)) * 3 { grow() }
        let wanted = Self.fingerprint(hash)
        let mask = (1 << Int(bits)) - 1
        var place = home(wanted)
        while slots[place] != 0, slots[place] & ~0xff != wanted { place = (place + 1) & mask }
        return slots + place
    }

    /// Remembers a hash in its slot, or gives the one remembered a newer epoch.
    mutating func put(_ hash: UInt64, epoch: UInt8, in slot: UnsafeMutablePointer<UInt64>) {
        if slot.pointee == 0 { count += 1 }
        slot.pointee = Self.fingerprint(hash) | UInt64(epoch)
    }

    private mutating func grow() {
        let old = slots
        let oldCapacity = 1 << Int(bits)
        bits += 1
        slots = .allocate(capacity: 1 << Int(bits))
        slots.initialize(repeating: 0, count: 1 << Int(bits))
        let mask = (1 << Int(bits)) - 1
        for place in 0..<oldCapacity where old[place] != 0 {
            var free = home(old[place] & ~0xff)
            while slots[free] != 0 { free = (free + 1) & mask }
            slots[free] = old[place]
        }
        old.deallocate()
    }
}
