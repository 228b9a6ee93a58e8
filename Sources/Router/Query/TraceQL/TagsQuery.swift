import Linking
import Shared

/// The older way to search: `tags=service.name=gw http.request.method="GET"` with `minDuration` and `maxDuration`.
///
/// Words in logfmt; each value is looked for as a part of the attribute's value, whatever the case, as Tempo does.
enum TagsQuery {
    /// Tempo's old names of what is an intrinsic today.
    private static let intrinsics: [String: QueryField.Intrinsic] = [
        "name": .name, "status.code": .status, "status": .status, "root.service.name": .rootService,
        "root.name": .rootName,
    ]

    static func intrinsic(_ name: String) -> QueryField.Intrinsic? {
        intrinsics[name] ?? QueryField.Intrinsic.short[name] ?? QueryField.Intrinsic(rawValue: name)
    }

    /// The same as TraceQL.
    /// - Throws: `Failure(.badInput)` for text that is not logfmt, a tag given twice, or too many tags.
    static func query(_ tags: String, limits: Limits) throws(Failure) -> TraceQLQuery {
        let pairs = try self.pairs(tags, limits)
        var condition: TraceQLQuery.Condition?
        var fields: [QueryField] = []
        for pair in pairs {
            let field = intrinsics[pair.key].map { QueryField.intrinsic($0) } ?? .attribute(.any, pair.key)
            let next = try self.condition(field, pair)
            fields.append(field)
            condition = condition.map { .both($0, next) } ?? next
        }
        return TraceQLQuery(spansets: .filter(condition ?? .value(.bool(true))), stages: [], fields: fields)
    }

    private static func condition(
        _ field: QueryField, _ pair: (key: String, value: String)
    ) throws(Failure) -> TraceQLQuery.Condition {
        if pair.key == "error", pair.value.isEmpty || pair.value == "true" {
            return .comparison(.equal, .field(.intrinsic(.status)), .value(.status(2)))
        }
        if case .intrinsic(.status) = field {
            guard let code = QueryValue.statusNames.firstIndex(of: pair.value.lowercased()) else {
                throw Failure(.badInput, "tags: \(pair.key) is ok, error or unset, not \"\(pair.value)\"")
            }
            return .comparison(.equal, .field(field), .value(.status(code)))
        }
        let pattern = try Pattern("(?i)[\\d\\D]*" + Pattern.escaped(pair.value) + "[\\d\\D]*")
        let text = TraceQLQuery.Condition.match(.field(field), pattern, isWanted: true)
        // Numbers and booleans have no parts.
        if let number = Int64(pair.value) {
            return .either(text, .comparison(.equal, .field(field), .value(.int(number))))
        }
        if let number = Double(pair.value) {
            return .either(text, .comparison(.equal, .field(field), .value(.double(number))))
        }
        if pair.value == "true" || pair.value == "false" {
            return .either(text, .comparison(.equal, .field(field), .value(.bool(pair.value == "true"))))
        }
        return text
    }

    private static func pairs(_ text: String, _ limits: Limits) throws(Failure) -> [(key: String, value: String)] {
        guard text.utf8.count <= limits.queryBytes else {
            throw Failure(.badInput, "tags have \(text.utf8.count) bytes; at most \(limits.queryBytes) are allowed")
        }
        var pairs: [(key: String, value: String)] = []
        var rest = text[...]
        while let first = rest.first(where: { !$0.isWhitespace }) {
            rest = rest.drop { $0.isWhitespace }
            guard first != "=", first != "\"" else {
                throw Failure(.badInput, "tags: a name is missing before \(first); write name=value")
            }
            let key = String(rest.prefix { $0 != "=" && !$0.isWhitespace })
            rest = rest.dropFirst(key.count)
            var value = ""
            if rest.first == "=" {
                rest.removeFirst()
                value = try self.value(&rest)
            }
            guard !pairs.contains(where: { $0.key == key }) else {
                throw Failure(.badInput, "tags: \(key) is given twice; give each tag once")
            }
            pairs.append((key, value))
            guard pairs.count <= limits.queryDepth else {
                throw Failure(.badInput, "tags: at most \(limits.queryDepth) are allowed")
            }
        }
        return pairs
    }

    private static func value(_ rest: inout Substring) throws(Failure) -> String {
        guard rest.first == "\"" else {
            let value = rest.prefix { !$0.isWhitespace }
            rest = rest[value.endIndex...]
            return String(value)
        }
        rest.removeFirst()
        var value = ""
        while let character = rest.popFirst() {
            if character == "\"" { return value }
            if character == "\\", let escaped = rest.popFirst() {
                value.append(escaped == "n" ? "\n" : escaped == "t" ? "\t" : escaped)
            } else {
                value.append(character)
            }
        }
        throw Failure(.badInput, "tags: a text has no closing quote")
    }
}
