import Linking
import Shared

/// Finds the scope of a body: whose process ids its spans carry.
///
/// | first that applies | scope |
/// |---|---|
/// | header `X-Ebpftrace-Agent` | its text (`replay` sends it; it is nothing but a name, no right goes with it) |
/// | `agent_scope = field` | none: the decoder goes by `host`, else `src_ip` |
/// | `agent_scope = forwarded` and `X-Forwarded-For` | its first address |
/// | the sender is on this machine | none, as with `field`: every pod and every test posts from 127.0.0.1 |
/// | otherwise | the sender's address |
enum AgentScope {
    /// The hash of the scope; 0: none.
    static func of(_ request: IngestRequest, source: ScopeSource) -> UInt64 {
        if let agent = request.agent, !agent.isEmpty { return hash(agent[...]) }
        switch source {
        case .field: return 0
        case .forwarded:
            if let first = request.forwardedFor?.split(separator: ",").first {
                let address = first.drop { $0 == " " }.prefix { $0 != " " }
                if !address.isEmpty { return hash(address) }
            }
            return ofPeer(request.peerAddress)
        case .address: return ofPeer(request.peerAddress)
        }
    }

    private static func ofPeer(_ address: String) -> UInt64 {
        isLoopback(address) ? 0 : hash(address[...])
    }

    static func isLoopback(_ address: String) -> Bool {
        address.isEmpty || address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
    }

    /// IPv4 addresses mean the same written as mapped IPv6.
    static func hash(_ text: Substring) -> UInt64 {
        let text = text.hasPrefix("::ffff:") ? text.dropFirst(7) : text
        var copy = String(text)
        let hash = copy.withUTF8 { StableHash.of(UnsafeRawBufferPointer($0)) }
        return hash == 0 ? 1 : hash
    }
}
