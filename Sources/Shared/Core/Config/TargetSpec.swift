/// Where finished traces go.
public enum TargetSpec: Hashable, Sendable, CustomStringConvertible {
    /// JSON lines in a directory or file.
    case file(path: String)
    /// JSON lines on standard output.
    case standardOutput
    case dataway(DatawaySpec)
    case otlp(OTLPSpec)

    /// The target without secrets.
    public var description: String {
        switch self {
        case .file(let path): "file:\(path)"
        case .standardOutput: "stdout"
        case .dataway(let target): "dataway:\(target)"
        case .otlp(let target): "otlp:\(target)"
        }
    }
}

/// A Dataway or a DataKit that takes points at `/v1/write/tracing`.
public struct DatawaySpec: Hashable, Sendable, CustomStringConvertible {
    /// Scheme, host, port and path, without a slash at the end; may hold a user and a password.
    public var url: Secret
    public var token: Secret?
    /// Query items of the given URL other than the token, as written (`name=value&…`); may be secret.
    public var query: Secret?
    public var gzip: Bool

    /// The full address of a request, token included: for the sender only, never for a log.
    public func address(path: String) -> String {
        let items = [token.map { "token=" + $0.revealed }, query?.revealed].compactMap { $0 }
        return url.revealed + path + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
    }

    public var description: String {
        let items = [token.map { "token=\($0)" }, query.map { "\($0)" }].compactMap { $0 }
        return Secret.hidden(in: url.revealed) + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
            + (gzip ? "" : " (no gzip)")
    }
}

/// How request bodies are compressed.
public enum TargetCompression: String, Hashable, Sendable, CaseIterable {
    case none
    case gzip
    case zstd
}

/// An OpenTelemetry receiver of OTLP over HTTP.
public struct OTLPSpec: Hashable, Sendable, CustomStringConvertible {
    /// As given; its query may be secret.
    public var url: Secret
    /// Request headers; their values may be secret.
    public var headers: [Header]
    public var compression: TargetCompression
    /// Which of a point's own fields its span keeps.
    public var fields: OTLPFields

    /// One request header.
    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: Secret

        public init(name: String, value: Secret) {
            self.name = name
            self.value = value
        }
    }

    public init(
        url: Secret, headers: [Header] = [], compression: TargetCompression = .none, fields: OTLPFields = .none
    ) {
        self.url = url
        self.headers = headers
        self.compression = compression
        self.fields = fields
    }

    public var description: String {
        let options =
            (compression == .none ? "" : " (\(compression.rawValue))")
            + (fields == .none ? "" : " (fields: \(fields.rawValue))")
        return Secret.hidden(in: url.revealed) + headers.map { " \($0.name): \($0.value)" }.joined(separator: ",")
            + options
    }
}
