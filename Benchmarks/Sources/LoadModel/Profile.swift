/// How wide a point is.
public enum Profile: String, CaseIterable, Sendable {
    /// What an agent outside Kubernetes sends: about 630 bytes a point as protobuf.
    case plain
    /// With the container and Kubernetes fields of a cluster: about 1030 bytes a point.
    case cluster
}

/// What the generator makes.
public struct LoadSettings: Sendable {
    public var seed: UInt64 = 1
    public var profile = Profile.plain
    /// Spans made; the last trace is made whole.
    public var spanCount = 1_000_000
    /// Points of one request body; agents send at most 256.
    public var pointsPerBody = 256
    /// Wall clock of the first request, nanoseconds since 1970.
    public var firstWallTime: Int64 = 1_760_000_000_000_000_000
    /// Spans a second of modelled time: how closely requests follow each other.
    public var modelledRate = 60_000.0
    /// Share of the called services that are reached through a cluster address, so that the two ends of the
    /// connection carry different 4-tuples.
    public var translatedShare = 0.25
    /// Share of the traces whose first client is recorded too.
    public var recordedClientShare = 0.25

    public init() {}
}
