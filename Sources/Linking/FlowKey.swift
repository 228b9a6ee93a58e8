/// One end of a connection: an address and a port, reduced to a hash.
///
/// IPv4 addresses hash as their IPv6-mapped form, so `10.0.0.1` and `::ffff:10.0.0.1` are the same end.
public struct FlowEnd: Hashable, Sendable {
    public var hash: UInt64

    /// - Parameters:
    ///   - addressHigh: the first 8 bytes of the 16-byte address, big-endian as a number.
    ///   - addressLow: the last 8 bytes.
    @inlinable public init(addressHigh: UInt64, addressLow: UInt64, port: UInt16) {
        hash = StableHash.of(addressHigh, addressLow, UInt64(port))
    }

    /// The end of an IPv4 connection; `address` has the first octet in its highest byte.
    @inlinable public init(ipv4 address: UInt32, port: UInt16) {
        self.init(addressHigh: 0, addressLow: 0xffff_0000_0000 | UInt64(address), port: port)
    }

    /// The end named by a text that is no IP address.
    @inlinable public init(name: UnsafeRawBufferPointer, port: UInt16) {
        hash = StableHash.of(StableHash.of(name), UInt64(port))
    }
}

/// A connection as the linker sees it: the unordered pair of its ends, and the end that asks.
public struct FlowKey: Hashable, Sendable {
    /// Equal for the two ends of one connection, whoever reports it.
    public var pair: UInt64
    /// Hash of the end that opened the request: the source of an outgoing, the destination of an incoming span.
    public var initiator: UInt64

    @inlinable public init(source: FlowEnd, destination: FlowEnd, incoming: Bool) {
        let low = min(source.hash, destination.hash)
        let high = max(source.hash, destination.hash)
        pair = StableHash.of(low, high)
        initiator = incoming ? destination.hash : source.hash
    }

    /// What travels of the pair. It is only compared between spans whose `req_seq` is equal, so 32 bits are enough.
    @inlinable public var pairFingerprint: UInt32 { UInt32(truncatingIfNeeded: pair) }
    @inlinable public var initiatorFingerprint: UInt32 { UInt32(truncatingIfNeeded: initiator) }
}

/// What a connection is hashed by to find its partition (`flow_key`). The result of linking does not depend on it.
public enum PartitionKey: String, Sendable, CaseIterable {
    /// The canonical 4-tuple: both ends meet unless a NAT lies between them.
    case tuple
    /// The end that asks: survives a NAT of the destination (a Kubernetes Service).
    case initiator
    /// `req_seq`: survives every NAT.
    case seq

    /// The partition of a span. A span without addresses goes by its `req_seq`, whatever the key.
    @inlinable public func partition(
        flow: FlowKey?, requestSequence: UInt64, partitionCount: UInt16
    ) -> PartitionID {
        let hash: UInt64
        switch (self, flow) {
        case (.tuple, let flow?): hash = flow.pair
        case (.initiator, let flow?): hash = StableHash.of(flow.initiator)
        case (.seq, _), (_, nil): hash = StableHash.of(requestSequence)
        }
        // The high bits of hash × count / 2^64: even for any count, without a division.
        let place = hash.multipliedFullWidth(by: UInt64(max(1, partitionCount))).high
        return PartitionID(UInt16(truncatingIfNeeded: place))
    }
}
