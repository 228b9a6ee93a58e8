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
        let given = place[slash...]
        url = "\(scheme)://\(authority)\(given.count > 1 ? String(given) : Self.path)\(query.count > 1 ? query : "")"
    }
}
