/// Finds the other end of a request within one piece of a partial graph: equal strong net key on the same flow.
///
/// Only the first span of each kind is offered as a partner, and only once, so a pair is always one outgoing and one
/// incoming span. Which spans of a crowd become partners does not matter: a partner only saves repeating facts.
struct FlowPairing: ~Copyable {
    /// A span that waits for its other end.
    struct Half {
        var requestSequence: UInt64
        var responseSequence: UInt64
        var flow: UInt32
        var initiator: UInt32
        var ordinal: UInt32
        var isIncoming: Bool
        var isTaken: Bool
    }

    private var halves = Column<Half>(capacity: 1024)
    private var table = KeyTable(minimumCapacity: 1024)

    init() {}

    /// Forgets all spans and keeps the memory.
    mutating func removeAll() {
        halves.removeAll()
        table.removeAll()
    }

    @inline(__always) private static func hash(_ requestSequence: UInt64, _ responseSequence: UInt64) -> UInt32 {
        KeyTable.hash(requestSequence ^ responseSequence &* 0x9E37_79B9_7F4A_7C15)
    }

    /// Brings the place where a span's other end would stand into the cache.
    @inline(__always) func prefetch(_ requestSequence: UInt64, _ responseSequence: UInt64) {
        table.prefetch(Self.hash(requestSequence, responseSequence))
    }

    /// The ordinal of the earlier span that shares net key, flow and initiator with `facts`, if there is one; else
    /// `facts` itself waits for its partner. Expected O(1).
    mutating func partner(of facts: SpanFacts, ordinal: UInt32) -> UInt32? {
        guard facts.hasStrongNetKey, facts.flags.contains(.hasFlow) else { return nil }
        let hash = Self.hash(facts.requestSequence, facts.responseSequence)
        let waiting = halves.base
        let slot = table.probe(hash) { index in
            let half = waiting[Int(index)]
            return half.requestSequence == facts.requestSequence && half.responseSequence == facts.responseSequence
                && half.flow == facts.flow && half.initiator == facts.initiator
        }
        guard let found = slot.pointee.index else {
            table.occupy(slot, hash, UInt32(halves.count))
            halves.append(
                Half(
                    requestSequence: facts.requestSequence, responseSequence: facts.responseSequence, flow: facts.flow,
                    initiator: facts.initiator, ordinal: ordinal, isIncoming: facts.isIncoming, isTaken: false))
            return nil
        }
        let half = halves[Int(found)]
        guard !half.isTaken, half.isIncoming != facts.isIncoming else { return nil }
        halves[Int(found)].isTaken = true
        return half.ordinal
    }
}
