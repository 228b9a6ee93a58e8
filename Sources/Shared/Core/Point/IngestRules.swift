import Linking

/// Where the scope of a process key comes from (`agent_scope`); a `host` field of the point wins over all.
public enum ScopeSource: String, Sendable, CaseIterable {
    /// The peer address of the request.
    case address
    /// The header `X-Ebpftrace-Agent`.
    case forwarded
    /// Only the point itself: `host`, else `src_ip`.
    case field
}

/// How bodies are read: routing, strictness, deny list, bounds.
public struct IngestRules: Hashable, Sendable {
    public var partitionKey = PartitionKey.tuple
    /// Number of partitions, 1...65535.
    public var partitionCount: UInt16 = 256
    /// `compat = datakit`: points that today's collector drops are dropped (counted), not passed through.
    public var strict = false
    /// Names of fields that are removed before anything is stored; compared without regard to ASCII case.
    public var denyFields = ["authorization", "cookie"]
    /// Which scope the listener passes to the decoder; the decoder itself only uses what it is given.
    public var scopeSource = ScopeSource.address
    public var limits = Limits()

    public init() {}
}
