/// Reads targets from texts and maps. Every message hides secrets.
///
/// Texts: `file:PATH`, `stdout`, `dataway:URL`, `otlp:URL`, `none`. Maps: `{dataway: URL, token: …, gzip: true}`,
/// `{file: PATH}`, `{otlp: URL, headers: {…}, compression: none|gzip|zstd, fields: none|link|all}`, `{stdout: true}`.
struct TargetReader {
    /// `target_gzip`: what a Dataway target uses unless its map says otherwise.
    var gzip: Bool

    /// All targets of a value; `none` alone gives an empty list.
    func targets(_ value: RawValue) throws(Failure) -> [TargetSpec] {
        let values = flattened(value)
        if values == [.text("none")] { return [] }
        var targets: [TargetSpec] = []
        for value in values { targets.append(try target(value)) }
        return targets
    }

    private func flattened(_ value: RawValue) -> [RawValue] {
        if case .list(let values) = value { return values }
        return [value]
    }

    private func target(_ value: RawValue) throws(Failure) -> TargetSpec {
        switch value {
        case .text(let text): return try target(text: text)
        case .map(let pairs): return try target(map: pairs)
        case .list: throw wrong("a target is one text or one map, not a list within the list")
        }
    }

    private func target(text: String) throws(Failure) -> TargetSpec {
        if text == "stdout" { return .standardOutput }
        if text == "none" { throw wrong("none cannot stand beside other targets") }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let rest = parts.count == 2 ? parts[1] : ""
        switch parts[0] {
        case "file": return try file(rest)
        case "dataway": return .dataway(try dataway(rest, token: nil, gzip: gzip))
        case "otlp": return .otlp(OTLPSpec(url: Secret(try checkedURL(rest))))
        default: throw wrong("\"\(Secret.hidden(in: text))\" names no kind of target")
        }
    }

    private func file(_ path: String) throws(Failure) -> TargetSpec {
        guard !path.isEmpty else { throw wrong("file: needs a path") }
        return .file(path: path)
    }

    private func target(map pairs: [RawValue.Pair]) throws(Failure) -> TargetSpec {
        let kinds = pairs.map(\.name).filter(Self.keysOfKind.keys.contains)
        guard kinds.count == 1, let kind = kinds.first, let known = Self.keysOfKind[kind] else {
            throw wrong("a target map holds exactly one of dataway, file, otlp, stdout")
        }
        if let unknown = pairs.first(where: { !known.contains($0.name) }) {
            let nearest = NearestWord.of(unknown.name, in: known) ?? kind
            throw wrong("a \(kind) target has no \"\(unknown.name)\"; the nearest known key is \"\(nearest)\"")
        }
        let main = try text(kind, in: pairs)
        switch kind {
        case "file": return try file(main)
        case "stdout": return .standardOutput
        case "otlp": return .otlp(try otlp(main, in: pairs))
        default:
            let hasToken = pairs.contains { $0.name == "token" }
            return .dataway(
                try dataway(main, token: hasToken ? text("token", in: pairs) : nil, gzip: try gzip(in: pairs)))
        }
    }

    private static let keysOfKind = [
        "dataway": ["dataway", "token", "gzip"], "file": ["file"], "stdout": ["stdout"],
        "otlp": ["otlp", "headers", "compression", "fields"],
    ]

    private func text(_ name: String, in pairs: [RawValue.Pair]) throws(Failure) -> String {
        guard case .text(let text)? = pairs.first(where: { $0.name == name })?.value else {
            throw wrong("\"\(name)\" of a target must be one text")
        }
        return text
    }

    private func gzip(in pairs: [RawValue.Pair]) throws(Failure) -> Bool {
        guard pairs.contains(where: { $0.name == "gzip" }) else { return gzip }
        guard let gzip = BooleanText.parse(try text("gzip", in: pairs)) else {
            throw wrong("\"gzip\" of a target must be true or false")
        }
        return gzip
    }

    private func otlp(_ url: String, in pairs: [RawValue.Pair]) throws(Failure) -> OTLPSpec {
        OTLPSpec(
            url: Secret(try checkedURL(url)), headers: try headers(in: pairs),
            compression: try choice("compression", of: TargetCompression.self, in: pairs) ?? .none,
            fields: try choice("fields", of: OTLPFields.self, in: pairs) ?? .none)
    }

    /// One of an enumeration's words; nil when the key is not there.
    private func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, of _: Choice.Type, in pairs: [RawValue.Pair]
    ) throws(Failure) -> Choice? {
        guard pairs.contains(where: { $0.name == name }) else { return nil }
        guard let choice = Choice(rawValue: try text(name, in: pairs)) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw wrong("\"\(name)\" of a target must be one of \(words)")
        }
        return choice
    }

    private func headers(in pairs: [RawValue.Pair]) throws(Failure) -> [OTLPSpec.Header] {
        guard let value = pairs.first(where: { $0.name == "headers" })?.value else { return [] }
        guard case .map(let entries) = value else { throw wrong("\"headers\" of a target must be a map") }
        var headers: [OTLPSpec.Header] = []
        for entry in entries {
            let value = try text(entry.name, in: entries)
            try checkHeader(entry.name, value)
            headers.append(OTLPSpec.Header(name: entry.name, value: Secret(value)))
        }
        return headers
    }

    /// The HTTP client refuses every request with a header that HTTP cannot carry.
    private func checkHeader(_ name: String, _ value: String) throws(Failure) {
        let marks = Set("!#$%&'*+-.^_`|~".utf8)
        let isToken = name.utf8.allSatisfy { byte in
            (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || marks.contains(byte)
        }
        guard isToken, !name.isEmpty else {
            throw wrong("\"\(name)\" in \"headers\" of a target is no name of an HTTP header")
        }
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw wrong("the value of \"\(name)\" in \"headers\" of a target holds a control character")
        }
    }

    /// A Dataway target of a URL as DataKit writes it, its token in the query.
    func dataway(_ url: String, token: String?, gzip: Bool) throws(Failure) -> DatawaySpec {
        let parts = try checkedURL(url).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var base = parts[0]
        while base.hasSuffix("/") { base = base.dropLast() }
        let items = parts.count == 2 ? parts[1].split(separator: "&").map(String.init) : []
        let tokens = items.filter { $0.hasPrefix("token=") }.map { String($0.dropFirst("token=".count)) }
        let others = items.filter { !$0.hasPrefix("token=") }
        let found = token ?? tokens.first
        return DatawaySpec(
            url: Secret(String(base)), token: found.map { Secret($0) },
            query: others.isEmpty ? nil : Secret(others.joined(separator: "&")), gzip: gzip)
    }

    /// The URL itself when it is http or https with a host.
    func checkedURL(_ url: String) throws(Failure) -> String {
        let scheme = ["http://", "https://"].first { url.lowercased().hasPrefix($0) }
        let host = scheme.map { url.dropFirst($0.count).prefix { !"/?#".contains($0) } } ?? ""
        guard !host.isEmpty, !url.contains(where: \.isWhitespace) else {
            throw wrong("\"\(Secret.hidden(in: url))\" is not an http:// or https:// address")
        }
        return url
    }

    private func wrong(_ reason: String) -> Failure { Failure(.configuration, reason) }
}
