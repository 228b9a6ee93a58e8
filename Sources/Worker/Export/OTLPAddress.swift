import Shared

/// Where OTLP requests are posted, made from the URL of an `otlp:` target.
///
///     http://host:4318            http://host:4318/v1/traces     no path: the default path of OTLP
///     http://host:4318/?key=k     http://host:4318/v1/traces?key=k
///     https://host/otlp/traces    as given                       a path: the user knows better
struct OTLPAddress: Equatable, Sendable {
    static let path = "/v1/traces"

    /// The whole URL, with its secrets.
    let url: String

    /// Throws `Failure(.configuration)` for anything that is not an http or https URL with a host.
    init(_ text: String) throws {
        let mistake = Failure(
            .configuration, "an otlp target needs a URL such as otlp:http://host:4318; check its spelling")
        guard let parts = TargetURL(text) else { throw mistake }
        url = "\(parts.origin)\(parts.path.count > 1 ? String(parts.path) : Self.path)\(parts.query)"
    }
}
