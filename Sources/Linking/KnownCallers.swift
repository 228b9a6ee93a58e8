import CIntrinsics

/// Which connection ends made calls that their own agent reported: an entry called from such an end has its caller's
/// exit still to come.
///
/// Two bit sets of 2^23 places, one for the current stretch of `late_window` epochs and one for the stretch before. An
/// end that was never seen counts as known with the share of bits set (3 % after 250,000 connections); then a trace is
/// only decided later. O(1), 2 MB.
struct KnownCallers: ~Copyable {
    private static let bits: UInt32 = 23

    private var current: UnsafeMutablePointer<UInt64>
    private var previous: UnsafeMutablePointer<UInt64>
    private var stretch: UInt64 = 0
    private let length: UInt64

    init(lateWindowEpochs: UInt64) {
        length = max(1, lateWindowEpochs)
        current = Self.allocate()
        previous = Self.allocate()
    }

    deinit {
        current.deallocate()
        previous.deallocate()
    }

    private static var words: Int { 1 << Int(bits - 6) }

    private static func allocate() -> UnsafeMutablePointer<UInt64> {
        let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: words)
        memory.initialize(repeating: 0, count: words)
        return memory
    }

    /// Moves to an epoch; what was noted one to two `late_window`s before is forgotten.
    mutating func advance(to epoch: UInt64) {
        let now = epoch / length
        guard now != stretch else { return }
        swap(&previous, &current)
        current.update(repeating: 0, count: Self.words)
        if now != stretch &+ 1 { previous.update(repeating: 0, count: Self.words) }
        stretch = now
    }

    /// An exit came from this end.
    @inline(__always) func note(_ initiator: UInt32) {
        let place = Int(initiator &>> (32 - Self.bits))
        current[place &>> 6] |= 1 &<< UInt64(place & 63)
    }

    @inline(__always) func prefetch(_ initiator: UInt32) {
        ebpftrace_prefetch(current + Int(initiator &>> (32 - Self.bits + 6)))
    }

    /// Whether an exit came from this end not long ago.
    func contains(_ initiator: UInt32) -> Bool {
        let place = Int(initiator &>> (32 - Self.bits))
        return (current[place &>> 6] | previous[place &>> 6]) & (1 &<< UInt64(place & 63)) != 0
    }
}
