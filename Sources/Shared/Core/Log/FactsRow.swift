import Linking

/// One span as the router took it: its link facts, its partition, and where its point lies in the commit's payload.
public struct FactsRow: Hashable, Sendable {
    public var facts: SpanFacts
    public var partition: PartitionID
    /// Byte offset of the point (a `PBPoint` message without tag and length) in the commit's payload.
    public var payloadOffset: UInt32
    public var payloadLength: UInt32

    public init(facts: SpanFacts, partition: PartitionID, payloadOffset: UInt32, payloadLength: UInt32) {
        self.facts = facts
        self.partition = partition
        self.payloadOffset = payloadOffset
        self.payloadLength = payloadLength
    }
}
