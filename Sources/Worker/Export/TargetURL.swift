/// The parts of the http or https URL of a target, as they were written; a fragment is left out.
struct TargetURL {
    /// In lower case.
    let scheme: String
    /// Host and port, without user and password.
    let host: Substring
    /// Scheme, user, password, host and port.
    let origin: String
    /// From the first slash on; may be empty.
    let path: Substring
    /// With its question mark; empty without items.
    let query: Substring

    /// Nil for anything that is not an http or https URL with a host, in printable ASCII.
    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let whole = text.prefix { $0 != "#" }
        let question = whole.firstIndex(of: "?") ?? whole.endIndex
        let base = whole[..<question]
        guard let colon = base.firstIndex(of: ":") else { return nil }
        let rest = base[base.index(after: colon)...]
        let place = rest.dropFirst(2)
        let slash = place.firstIndex(of: "/") ?? place.endIndex
        let authority = place[..<slash]
        scheme = base[..<colon].lowercased()
        guard scheme == "http" || scheme == "https", rest.hasPrefix("//") else { return nil }
        host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        guard !host.isEmpty, host.first != ":" else { return nil }
        origin = "\(scheme)://\(authority)"
        path = place[slash...]
        query = whole[question...].count > 1 ? whole[question...] : ""
    }
}
