/// Where finished traces go.
public enum TargetSpec: Hashable, Sendable, CustomStringConvertible {
    /// JSON lines in a directory or file.
    case file(path: String)
    /// JSON lines on standard output.
    case standardOutput
    case dataway(DatawaySpec)
    case otlp(OTLPTarget)

    /// The target without secrets.
    public var description: String {
        switch self {
        case .file(let path): "file:\(path)"
        case .standardOutput: "stdout"
        case .dataway(let target): "dataway:\(target)"
        case .otlp(let target): "otlp:\(target)"
        }
    }

    /// Why this version cannot serve the target, with the remedy; nil when it can.
    public var unavailable: Failure? {
        guard case .otlp = self else { return nil }
        return Failure(
            .configuration,
            "target \(self) is not available in this version; use dataway:URL or file:PATH instead")
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

/// An OpenTelemetry receiver.
public struct OTLPTarget: Hashable, Sendable, CustomStringConvertible {
    /// As given; its query may be secret.
    public var url: Secret
    /// Request headers; their values may be secret.
    public var headers: [Header]

    /// One request header.
    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: Secret
    }

    public var description: String {
        Secret.hidden(in: url.revealed) + headers.map { " \($0.name): \($0.value)" }.joined(separator: ",")
    }
}
