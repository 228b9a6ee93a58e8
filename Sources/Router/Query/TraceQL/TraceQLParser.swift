import Linking
import Shared

/// Reads TraceQL, the part that docs/query-api.md lists; what is not supported is refused by name.
///
///     query     = spansets { "|" stage }
///     spansets  = set { ( && || > >> < << ~ … ) set }          one level, from the left, as Tempo has it
///     set       = "{" [ condition ] "}"  |  "(" query ")"
///     condition = or/and (one level) → comparison → + - → * / % → ^ → ! - → value, field, "(" condition ")"
///
/// Descends at most `Limits.queryDepth` levels. The query's length is checked here, too.
struct TraceQLParser {
    private let tokens: [TraceQLLexer.Placed]
    private var position = 0
    private var depth = 0
    private let limits: Limits
    private(set) var fields: [QueryField] = []

    private init(_ tokens: [TraceQLLexer.Placed], _ limits: Limits) {
        self.tokens = tokens
        self.limits = limits
    }

    /// - Throws: `Failure(.badInput)` saying what cannot be read, or is not supported, and where.
    static func parse(_ text: String, limits: Limits = Limits()) throws(Failure) -> TraceQLQuery {
        guard text.utf8.count <= limits.queryBytes else {
            throw Failure(
                .badInput, "the query has \(text.utf8.count) bytes; at most \(limits.queryBytes) are allowed")
        }
        var parser = TraceQLParser(try TraceQLLexer.tokens(text), limits)
        let (spansets, stages) = try parser.pipeline()
        if parser.word == "with" { try parser.hints() }
        guard parser.token == .end else { throw parser.unexpected("the end of the query") }
        return TraceQLQuery(spansets: spansets, stages: stages, fields: parser.fields)
    }

    static func failure(_ problem: String, at offset: Int) -> Failure {
        Failure(.badInput, "TraceQL, at character \(offset + 1): \(problem)")
    }

    // MARK: Tokens

    var token: TraceQLLexer.Token { tokens[position].token }

    var word: String? { if case .word(let word) = token { word } else { nil } }

    var symbol: String? { if case .symbol(let symbol) = token { symbol } else { nil } }

    mutating func advance() { if position < tokens.count - 1 { position += 1 } }

    mutating func take(_ wanted: String) -> Bool {
        guard symbol == wanted else { return false }
        advance()
        return true
    }

    mutating func expect(_ wanted: String) throws(Failure) {
        guard take(wanted) else { throw unexpected("\"\(wanted)\"") }
    }

    func unexpected(_ wanted: String) -> Failure { problem("expected \(wanted), found \(Self.name(token))") }

    func problem(_ text: String) -> Failure { Self.failure(text, at: tokens[position].offset) }

    private static func name(_ token: TraceQLLexer.Token) -> String {
        switch token {
        case .word(let word): "\"\(word)\""
        case .field(let field): "\"\(field.text)\""
        case .string(let text): "the text \"\(text)\""
        case .number(let number): number
        case .duration(let nanoseconds): QueryDuration.text(nanoseconds)
        case .symbol(let symbol): "\"\(symbol)\""
        case .end: "the end of the query"
        }
    }

    mutating func note(_ field: QueryField) { if !fields.contains(field) { fields.append(field) } }

    /// One level down; refuses what is nested too deeply.
    mutating func nested<Result>(_ body: (inout Self) throws(Failure) -> Result) throws(Failure) -> Result {
        guard depth < limits.queryDepth else { throw problem("more than \(limits.queryDepth) levels of nesting") }
        depth += 1
        defer { depth -= 1 }
        return try body(&self)
    }

    // MARK: Spansets

    private static let operators: [String: TraceQLQuery.SpansetOperator] = {
        var operators: [String: TraceQLQuery.SpansetOperator] = [
            "&&": .init(relation: .and), "||": .init(relation: .or), "!~": .init(relation: .sibling, isNegated: true),
            "&~": .init(relation: .sibling, isUnion: true), "~": .init(relation: .sibling),
        ]
        let relations: [(String, TraceQLQuery.SpansetOperator.Relation)] = [
            (">", .child), ("<", .parent), (">>", .descendant), ("<<", .ancestor),
        ]
        for (symbol, relation) in relations {
            operators[symbol] = .init(relation: relation)
            operators["!" + symbol] = .init(relation: relation, isNegated: true)
            operators["&" + symbol] = .init(relation: relation, isUnion: true)
        }
        return operators
    }()

    private mutating func pipeline() throws(Failure) -> (TraceQLQuery.Spansets, [TraceQLQuery.Stage]) {
        if let word, Self.scalars.contains(word) {
            throw problem("\"\(word)(…)\" needs spans to count: begin with a filter, such as { } | \(word)(…) > 1")
        }
        let spansets = try self.spansets()
        var stages: [TraceQLQuery.Stage] = []
        while take("|") {
            guard stages.count < limits.queryDepth else { throw problem("more than \(limits.queryDepth) stages") }
            stages.append(try stage())
        }
        return (spansets, stages)
    }

    /// `&&` and `||` bind less than the structural operators, and equally among themselves, from the left.
    private mutating func spansets() throws(Failure) -> TraceQLQuery.Spansets {
        var left = try relatedSpansets()
        while let symbol, symbol == "&&" || symbol == "||", let found = Self.operators[symbol] {
            advance()
            left = .combined(found, left, try relatedSpansets())
            try countOperator()
        }
        return left
    }

    private mutating func relatedSpansets() throws(Failure) -> TraceQLQuery.Spansets {
        var left = try spanset()
        while let symbol, symbol != "&&", symbol != "||", let found = Self.operators[symbol] {
            advance()
            left = .combined(found, left, try spanset())
            try countOperator()
        }
        return left
    }

    /// Chains from the left nest as deeply as they are long: they are bounded, too.
    private var operatorCount = 0
    mutating func countOperator() throws(Failure) {
        operatorCount += 1
        guard operatorCount <= limits.queryOperators else {
            throw problem("more than \(limits.queryOperators) operators in one query")
        }
    }

    private mutating func spanset() throws(Failure) -> TraceQLQuery.Spansets {
        if take("(") {
            let (inner, stages) = try nested { (parser) throws(Failure) in try parser.pipeline() }
            try expect(")")
            return stages.isEmpty ? inner : .pipeline(inner, stages)
        }
        guard symbol == "{" else { throw unexpected("a filter \"{ … }\"") }
        return .filter(try filter())
    }

    private mutating func filter() throws(Failure) -> TraceQLQuery.Condition {
        try expect("{")
        if take("}") { return .value(.bool(true)) }
        let start = self
        let condition = try nested { (parser) throws(Failure) in try parser.condition() }
        try expect("}")
        guard condition.isCondition else { throw start.problem("a filter needs a condition, such as status = error") }
        return condition
    }

    // MARK: Stages

    static let scalars: Set = ["count", "avg", "max", "min", "sum"]
    private static let metrics: Set = [
        "rate", "count_over_time", "min_over_time", "max_over_time", "avg_over_time", "sum_over_time",
        "quantile_over_time", "histogram_over_time", "compare", "topk", "bottomk",
    ]

    private mutating func stage() throws(Failure) -> TraceQLQuery.Stage {
        if symbol == "{" { return .filter(try filter()) }
        guard let word else {
            if case .number = token { return try scalarStage() }
            throw unexpected("a stage such as select(…) or count() > 1")
        }
        if Self.metrics.contains(word) {
            throw problem("TraceQL metrics (\"\(word)\") are not supported; this store answers searches only")
        }
        switch word {
        case "select":
            advance()
            return .select(try fieldList())
        case "by":
            advance()
            try expect("(")
            let start = position
            let condition = try nested { (parser) throws(Failure) in try parser.condition() }
            let name = tokens[start..<position].map { Self.plain($0.token) }.joined(separator: " ")
            try expect(")")
            return .group(condition, name: "by(\(name))")
        case "coalesce":
            advance()
            try expect("(")
            try expect(")")
            return .coalesce
        case let word where Self.scalars.contains(word):
            return try scalarStage()
        default:
            throw problem(
                "the stage \"\(word)\" is not supported; there are select, by, coalesce, count, avg, max, min and sum")
        }
    }

    private static func plain(_ token: TraceQLLexer.Token) -> String {
        switch token {
        case .word(let text), .number(let text), .symbol(let text), .string(let text): text
        case .field(let field): field.text
        case .duration(let nanoseconds): QueryDuration.text(nanoseconds)
        case .end: ""
        }
    }

    private mutating func fieldList() throws(Failure) -> [QueryField] {
        try expect("(")
        var list: [QueryField] = []
        repeat {
            guard let field = try field() else { throw unexpected("a field such as resource.service.name") }
            list.append(field)
        } while take(",")
        try expect(")")
        return list
    }

    /// `with (most_recent=true)` and other hints: newest traces come first anyway.
    private mutating func hints() throws(Failure) {
        advance()
        try expect("(")
        while symbol != ")" {
            guard token != .end else { throw unexpected("\")\"") }
            advance()
        }
        advance()
    }
}
