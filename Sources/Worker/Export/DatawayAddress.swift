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
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw mistake }
        let whole = text.prefix { $0 != "#" }
        let question = whole.firstIndex(of: "?") ?? whole.endIndex
        let query = whole[question...]
        let base = whole[..<question]
        guard let colon = base.firstIndex(of: ":") else { throw mistake }
        let scheme = base[..<colon].lowercased()
        let rest = base[base.index(after: colon)...]
        guard scheme == "http" || scheme == "https", rest.hasPrefix("//") else { throw mistake }
        let place = rest.dropFirst(2)
        let slash = place.firstIndex(of: "/") ?? place.endIndex
        let authority = place[..<slash]
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        guard !host.isEmpty, host.first != ":" else { throw mistake }
        var prefix = place[slash...]
        while prefix.hasSuffix("/") { prefix = prefix.dropLast() }
        if prefix.hasSuffix(Self.path) { prefix = prefix.dropLast(Self.path.count) }
        url = "\(scheme)://\(authority)\(prefix)\(Self.path)\(query.count > 1 ? query : "")"
        description = "\(scheme)://\(host)\(prefix)"
    }
}
