import Linking
import NIOCore

/// How the agents' listener behaves: bounds and times.
struct AgentListenerOptions: Sendable {
    /// Largest body, bytes: `Limits.bodyBytes`.
    var bodyBytes: Int
    /// Largest body of `/v1/lasterror`, bytes.
    var errorReportBytes = 64 << 10
    /// Most open connections: `Limits.connections`.
    var connections: Int
    /// Most bytes of bodies that are being received or wait for their answer, over all connections: twice
    /// `Limits.ingestQueueBytes`, so that the queue's own bound (with its wait) is reached first.
    var heldBytes: Int
    /// How long a new connection may take to send its first head.
    var firstHeadTime = TimeAmount.seconds(10)
    /// How long a connection may stay open between an answer and the next head. Agents batch for 10-20 s.
    var idleTime = TimeAmount.seconds(180)
    /// How long a body may take from its head to its end.
    var bodyTime = TimeAmount.seconds(60)
    /// How long the rest of a refused body is read and thrown away, so that the sender gets to see the answer.
    var lingerTime = TimeAmount.seconds(2)

    init(limits: Limits = Limits()) {
        bodyBytes = limits.bodyBytes
        connections = limits.connections
        let (twice, overflow) = limits.ingestQueueBytes.multipliedReportingOverflow(by: 2)
        heldBytes = overflow ? .max : twice
    }
}
