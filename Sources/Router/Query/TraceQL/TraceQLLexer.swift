import Shared

/// Cuts a TraceQL query into tokens. Linear in its length, which the caller bounds (`Limits.queryBytes`).
struct TraceQLLexer {
    enum Token: Equatable {
        /// A bare word: `count`, `status`, `error`.
        case word(String)
        case field(QueryField)
        case string(String)
        case number(String)
        case duration(Int64)
        case symbol(String)
        case end
    }

    struct Placed {
        var token: Token
        /// Characters before it.
        var offset: Int
    }

    private let text: [Character]
    private var position = 0

    private init(_ text: String) { self.text = Array(text) }

    /// The tokens of a query, the last being `.end`.
    /// - Throws: `Failure(.badInput)` naming what cannot be read and where.
    static func tokens(_ query: String) throws(Failure) -> [Placed] {
        var lexer = TraceQLLexer(query)
        var tokens: [Placed] = []
        while true {
            lexer.skipSpace()
            let offset = lexer.position
            let token = try lexer.next()
            tokens.append(Placed(token: token, offset: offset))
            if token == .end { return tokens }
        }
    }

    /// Longest first, so that `>=` is not read as `>`.
    private static let symbols = [
        "!>>", "!<<", "&>>", "&<<", "&&", "||", "!=", "!~", "=~", ">=", "<=", ">>", "<<", "!>", "!<", "&>", "&<", "&~",
        "{", "}", "(", ")", "=", ">", "<", "~", "!", "+", "-", "*", "/", "%", "^", "|", ",",
    ].map(Array.init)

    private mutating func next() throws(Failure) -> Token {
        guard position < text.count else { return .end }
        let first = text[position]
        if first == "\"" || first == "`" { return .string(try quoted()) }
        if first.isDigit || first == "." && position + 1 < text.count && text[position + 1].isDigit {
            return try number()
        }
        if first == "." || first.isWordStart { return try word() }
        for symbol in Self.symbols where starts(with: symbol) {
            position += symbol.count
            return .symbol(String(symbol))
        }
        throw TraceQLParser.failure("cannot read \"\(first)\"", at: position)
    }

    private func starts(with symbol: [Character]) -> Bool {
        text.count - position >= symbol.count && text[position..<(position + symbol.count)].elementsEqual(symbol)
    }

    private mutating func skipSpace() {
        while position < text.count, text[position].isWhitespace { position += 1 }
    }

    private mutating func quoted() throws(Failure) -> String {
        let start = position
        let quote = text[position]
        position += 1
        var result = ""
        while position < text.count {
            let character = text[position]
            position += 1
            if character == quote { return result }
            guard character == "\\", quote == "\"", position < text.count else {
                result.append(character)
                continue
            }
            switch text[position] {
            case "n": result.append("\n")
            case "t": result.append("\t")
            case "r": result.append("\r")
            case let other where other == "\"" || other == "\\": result.append(other)
            case let other: result += "\\" + String(other)
            }
            position += 1
        }
        throw TraceQLParser.failure("the text that begins here has no closing quote", at: start)
    }

    private mutating func number() throws(Failure) -> Token {
        let start = position
        while position < text.count, text[position].isDigit || text[position] == "." { position += 1 }
        // An exponent, as in 1e6; a unit, as in 100ms or 1h30m.
        if position < text.count, text[position] == "e", position + 1 < text.count,
            text[position + 1].isDigit || text[position + 1] == "-" {
            position += 2
            while position < text.count, text[position].isDigit { position += 1 }
        }
        let digits = String(text[start..<position])
        guard position < text.count, text[position].isLetter else { return .number(digits) }
        while position < text.count, text[position].isLetter || text[position].isDigit || text[position] == "." {
            position += 1
        }
        let whole = String(text[start..<position])
        guard let nanoseconds = QueryDuration.nanoseconds(whole) else {
            throw TraceQLParser.failure("\"\(whole)\" is neither a number nor a duration such as 100ms", at: start)
        }
        return .duration(nanoseconds)
    }

    /// A bare word, or a field: `.key`, `resource.key`, `span."a key"`, `span:name`.
    private mutating func word() throws(Failure) -> Token {
        let start = position
        var scope = ""
        while position < text.count, text[position].isWordPart { scope.append(text[position]); position += 1 }
        guard position < text.count, text[position] == "." || text[position] == ":" else { return .word(scope) }
        let isIntrinsic = text[position] == ":"
        position += 1
        let key = try self.key(isIntrinsic: isIntrinsic)
        guard !key.isEmpty else {
            throw TraceQLParser.failure("a name is missing after \"\(scope)\(isIntrinsic ? ":" : ".")\"", at: start)
        }
        if isIntrinsic { return .field(try intrinsic(scope + ":" + key, at: start)) }
        guard let known = QueryField.Scope(rawValue: scope) else {
            throw TraceQLParser.failure(
                "the scope \"\(scope).\" is not supported; use resource., span. or . alone", at: start)
        }
        return .field(.attribute(known, key))
    }

    private func intrinsic(_ name: String, at start: Int) throws(Failure) -> QueryField {
        let name = ["trace:rootServiceName": "trace:rootService", "span:parent": "span:parentID"][name] ?? name
        guard let intrinsic = QueryField.Intrinsic(rawValue: name) else {
            let known = QueryField.Intrinsic.allCases.map(\.rawValue).joined(separator: ", ")
            throw TraceQLParser.failure("\"\(name)\" is not supported; there are \(known)", at: start)
        }
        return .intrinsic(intrinsic)
    }

    private mutating func key(isIntrinsic: Bool) throws(Failure) -> String {
        var key = ""
        while position < text.count {
            if text[position] == "\"" {
                key += try quoted()
            } else if text[position].isWordPart || !isIntrinsic && text[position].isKeyPart {
                key.append(text[position])
                position += 1
            } else {
                break
            }
        }
        return key
    }
}

extension Character {
    fileprivate var isDigit: Bool { isASCII && isNumber }
    fileprivate var isWordStart: Bool { isLetter || self == "_" }
    fileprivate var isWordPart: Bool { isLetter || isNumber || self == "_" }
    /// What an attribute's name may hold without quotes.
    fileprivate var isKeyPart: Bool { "._-/:@#$?\\".contains(self) }
}
