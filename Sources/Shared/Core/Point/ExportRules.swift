import Linking

/// How trace ids are printed (`id_encoding`).
public enum IDEncoding: String, Sendable, CaseIterable {
    /// In the form that the application itself uses; eBPF traces in hexadecimal.
    case auto
    /// Exactly as today's collector.
    case datakit
}

/// How the points of kept spans are written.
public struct ExportRules: Hashable, Sendable {
    /// `compat = datakit`: no `link_evidence` and no marks.
    public var compat: Bool
    public var idEncoding: IDEncoding
    public var useApplicationTraceID: Bool
    /// Names and values of tags that points get which have no field of that name.
    public let globalTags: [GlobalTag]
    /// Bit n: a global tag has a name of n bytes (63 stands for all longer ones).
    let globalTagLengths: UInt64
    /// Bytes of all global tags as protobuf.
    let globalTagBytes: Int

    /// One global tag, encoded once.
    public struct GlobalTag: Hashable, Sendable {
        public let name: String
        public let value: String
        let key: [UInt8]
        /// The element of `PBPoint.fields`, with its tag and length.
        let protobuf: [UInt8]
        /// `"name":"value"`, without a comma.
        let json: [UInt8]
    }

    /// Most global tags: which of them a point has is kept in one word.
    public static let globalTagLimit = 64

    /// - Throws: `configuration` for more tags than `globalTagLimit`, an empty name or one given twice.
    public init(
        compat: Bool = false, idEncoding: IDEncoding = .auto, useApplicationTraceID: Bool = true,
        globalTags: [(name: String, value: String)] = []
    ) throws(Failure) {
        self.compat = compat
        self.idEncoding = idEncoding
        self.useApplicationTraceID = useApplicationTraceID
        guard globalTags.count <= Self.globalTagLimit else {
            throw Failure(
                .configuration, "There are \(globalTags.count) global tags; give at most \(Self.globalTagLimit).")
        }
        guard Set(globalTags.map(\.name)).count == globalTags.count, !globalTags.contains(where: \.name.isEmpty) else {
            throw Failure(.configuration, "A global tag has no name or stands twice; give each name once.")
        }
        self.globalTags = globalTags.map(Self.encode)
        globalTagLengths = self.globalTags.reduce(0) { $0 | KeyLengths.bit($1.key.count) }
        globalTagBytes = self.globalTags.reduce(0) { $0 + $1.protobuf.count }
    }

    private static func encode(_ tag: (name: String, value: String)) -> GlobalTag {
        let key = Array(tag.name.utf8)
        var field: [UInt8] = [Wire.key]
        Wire.appendVarint(UInt64(key.count), to: &field)
        field += key
        field.append(FieldKind.text.rawValue)
        Wire.appendVarint(UInt64(tag.value.utf8.count), to: &field)
        field += Array(tag.value.utf8)
        field += [Wire.isTag, 1]
        var protobuf: [UInt8] = [Wire.field]
        Wire.appendVarint(UInt64(field.count), to: &protobuf)
        var json: [UInt8] = []
        JSONText.appendKey(key, to: &json)
        Array(tag.value.utf8).withRawBytes { JSONText.appendString($0, to: &json) }
        return GlobalTag(name: tag.name, value: tag.value, key: key, protobuf: protobuf + field, json: json)
    }
}

/// A set of key lengths in one word: the first, cheap test whether a key may be of interest.
enum KeyLengths {
    @inline(__always) static func bit(_ length: Int) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: min(length, 63)) }
}
