import Shared

/// Where spans are posted: `{url}/v1/write/tracing?token=…`, made from the URL of a `dataway:` target.
///
/// A path before `/v1/…` and all items of the query are kept, wherever the token is among them. The query is secret:
/// `description` leaves it out.
struct DatawayAddress: Equatable, Sendable, CustomStringConvertible {
    static let path = "/v1/write/tracing"

    /// The whole URL, with its secrets.
    let url: String
    /// Scheme, host and path: for logs and metric labels.
    let description: String

    /// Throws `Failure(.configuration)` for anything that is not an http or https URL with a host.
    init(_ text: String) throws {
        let mistake = Failure(
            .configuration, "a dataway target needs a URL such as dataway:https://host?token=tkn_…; check its spelling")
        guard let parts = TargetURL(text) else { throw mistake }
        var prefix = parts.path
        while prefix.hasSuffix("/") { prefix = prefix.dropLast() }
        if prefix.hasSuffix(Self.path) { prefix = prefix.dropLast(Self.path.count) }
        url = "\(parts.origin)\(prefix)\(Self.path)\(parts.query)"
        description = "\(parts.scheme)://\(parts.host)\(prefix)"
    }
}
