/// One request body of a replay: points as protobuf, and what was recorded about their delivery.
struct ReplayBody: Sendable, Equatable {
    /// A `PBPoints` message.
    var bytes: [UInt8]
    /// Points in `bytes`; 1 to 256.
    var points: Int
    /// When the body arrived when it was recorded, nanoseconds since 1970; nil when not asked for or not recorded.
    var arrival: Int64?
    /// Name of the agent that sent it (the text of the scope); nil when not recorded.
    var agent: String?
    /// Path of the file the points come from.
    var file: String
    /// Number of the body's first point in that file, from 0.
    var firstPoint: Int

    /// Most points of one body, as agents send them.
    static let mostPoints = 256
}

/// How a replay file is written: the form of its points and its compression, told from the file's name.
struct ReplayForm: Hashable, Sendable {
    /// Form of the points.
    enum Points: String, Sendable {
        /// One or more `PBPoints` messages, one after another.
        case protobuf
        /// InfluxDB line protocol, one point a line.
        case lineProtocol = "line protocol"
        /// An array of objects, or one object a line.
        case json = "JSON"
    }

    /// Compression of the whole file.
    enum Packing: Sendable { case plain, gzip, zstd }

    var points: Points
    var packing: Packing

    /// Every ending a replay file may have, for messages.
    static let endings = ".pb, .lp, .json or .jsonl, each also with .gz or .zst"

    /// Reads the form off a file name; nil when the name does not tell.
    init?(fileName: String) {
        var name = fileName[...]
        packing = .plain
        for (ending, kind) in [(".gz", Packing.gzip), (".zst", .zstd)] where name.hasSuffix(ending) {
            packing = kind
            name = name.dropLast(ending.count)
        }
        if name.hasSuffix(".pb") {
            points = .protobuf
        } else if name.hasSuffix(".lp") {
            points = .lineProtocol
        } else if name.hasSuffix(".json") || name.hasSuffix(".jsonl") {
            points = .json
        } else {
            return nil
        }
    }
}
