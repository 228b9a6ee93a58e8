import Shared

// Conditions over one span, and numbers over a set of spans.

extension TraceQLParser {
    typealias Condition = TraceQLQuery.Condition

    /// `&&` and `||`: one level, from the left.
    mutating func condition() throws(Failure) -> Condition {
        var left = try comparison()
        while true {
            if take("&&") {
                left = .both(try logical(left), try logical(comparison()))
            } else if take("||") {
                left = .either(try logical(left), try logical(comparison()))
            } else {
                return left
            }
            try countOperator()
        }
    }

    private func logical(_ condition: Condition) throws(Failure) -> Condition {
        guard condition.isCondition else {
            throw problem("&& and || join conditions, such as status = error; one side is a value")
        }
        return condition
    }

    private mutating func comparison() throws(Failure) -> Condition {
        let left = try sum()
        guard let symbol else { return left }
        if symbol == "=~" || symbol == "!~" {
            advance()
            guard case .string(let text) = token else { throw unexpected("a regular expression in quotes") }
            let pattern: Pattern
            do throws(Failure) { pattern = try Pattern(text) } catch { throw problem(error.message) }
            advance()
            try countOperator()
            return .match(left, pattern, isWanted: symbol == "=~")
        }
        guard let comparison = TraceQLQuery.Comparison(rawValue: symbol) else { return left }
        advance()
        try countOperator()
        let right = try sum()
        if let problem = Condition.mismatch(left, right) { throw self.problem(problem) }
        return .comparison(comparison, left, right)
    }

    private mutating func sum() throws(Failure) -> Condition {
        var left = try product()
        while let symbol, symbol == "+" || symbol == "-", let sign = TraceQLQuery.Arithmetic(rawValue: symbol) {
            advance()
            try countOperator()
            left = .arithmetic(sign, left, try product())
        }
        return left
    }

    private mutating func product() throws(Failure) -> Condition {
        var left = try power()
        while let symbol, symbol == "*" || symbol == "/" || symbol == "%",
            let sign = TraceQLQuery.Arithmetic(rawValue: symbol) {
            advance()
            try countOperator()
            left = .arithmetic(sign, left, try power())
        }
        return left
    }

    private mutating func power() throws(Failure) -> Condition {
        let left = try operand()
        guard take("^") else { return left }
        try countOperator()
        return .arithmetic(.power, left, try nested { (parser) throws(Failure) in try parser.power() })
    }

    private mutating func operand() throws(Failure) -> Condition {
        if take("!") {
            let inner = try nested { (parser) throws(Failure) in try parser.operand() }
            return .not(try logical(inner))
        }
        if take("-") { return Self.negative(try nested { (parser) throws(Failure) in try parser.operand() }) }
        if take("(") {
            let inner = try nested { (parser) throws(Failure) in try parser.condition() }
            try expect(")")
            return inner
        }
        if let value = try literal() { return .value(value) }
        if let field = try field() { return .field(field) }
        if case .word(let word) = token {
            throw problem("\"\(word)\" is not supported; attributes begin with a dot or a scope, as in .\(word)")
        }
        throw unexpected("a field or a value")
    }

    /// A negative number is a value, which the store can look up.
    private static func negative(_ operand: Condition) -> Condition {
        switch operand {
        case .value(.int(let number)): .value(.int(0 &- number))
        case .value(.duration(let number)): .value(.duration(0 &- number))
        case .value(.double(let number)): .value(.double(-number))
        default: .negative(operand)
        }
    }

    /// Takes a field, if one stands here, and notes it.
    mutating func field() throws(Failure) -> QueryField? {
        var found: QueryField?
        if case .field(let field) = token { found = field }
        if case .word(let word) = token, let intrinsic = QueryField.Intrinsic.short[word] {
            found = .intrinsic(intrinsic)
        }
        guard let found else { return nil }
        advance()
        note(found)
        return found
    }

    /// Takes a value, if one stands here.
    mutating func literal() throws(Failure) -> QueryValue? {
        let value: QueryValue
        switch token {
        case .string(let text): value = .string(text)
        case .duration(let nanoseconds): value = .duration(nanoseconds)
        case .number(let digits):
            if let number = Int64(digits) {
                value = .int(number)
            } else if let number = Double(digits) {
                value = .double(number)
            } else {
                throw problem("\"\(digits)\" is no number")
            }
        case .word(let word):
            guard let named = Self.named(word) else { return nil }
            value = named
        default: return nil
        }
        advance()
        return value
    }

    private static func named(_ word: String) -> QueryValue? {
        switch word {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "nil": return QueryValue.none
        default: break
        }
        if let status = QueryValue.statusNames.firstIndex(of: word) { return .status(status) }
        if let kind = QueryValue.kindNames.firstIndex(of: word) { return .kind(kind) }
        return nil
    }

    // MARK: Scalars

    mutating func scalarStage() throws(Failure) -> TraceQLQuery.Stage {
        let left = try scalar()
        guard let symbol, let comparison = TraceQLQuery.Comparison(rawValue: symbol) else {
            throw unexpected("a comparison, as in count() > 1")
        }
        advance()
        return .scalar(left, comparison, try scalar())
    }

    private mutating func scalar() throws(Failure) -> TraceQLQuery.Scalar {
        var left = try scalarOperand()
        while let symbol, let sign = TraceQLQuery.Arithmetic(rawValue: symbol) {
            advance()
            try countOperator()
            left = .arithmetic(sign, left, try scalarOperand())
        }
        return left
    }

    private mutating func scalarOperand() throws(Failure) -> TraceQLQuery.Scalar {
        if let value = try literal() { return .value(value) }
        guard case .word(let word) = token, Self.scalars.contains(word) else {
            throw unexpected("count(), avg(…), max(…), min(…), sum(…) or a number")
        }
        advance()
        try expect("(")
        if word == "count" {
            try expect(")")
            return .count
        }
        let inner = try nested { (parser) throws(Failure) in try parser.condition() }
        try expect(")")
        switch word {
        case "avg": return .average(inner)
        case "max": return .maximum(inner)
        case "min": return .minimum(inner)
        default: return .sum(inner)
        }
    }
}

extension TraceQLQuery.Condition {
    /// True for what can be true or false: a comparison, or an attribute that may hold a boolean.
    var isCondition: Bool {
        switch self {
        case .value(.bool), .not, .both, .either, .comparison, .match, .field(.attribute): true
        case .value, .negative, .arithmetic, .field(.intrinsic): false
        }
    }

    /// Why two sides can never be compared, for intrinsics and values whose types are known; nil when they can.
    static func mismatch(_ left: Self, _ right: Self) -> String? {
        guard let one = left.knownType, let other = right.knownType, one != other,
            one != .nothing, other != .nothing
        else { return nil }
        return "the two sides can never be equal or in order: \(one.rawValue) and \(other.rawValue)"
    }

    private enum KnownType: String {
        case text = "a text"
        case number = "a number or duration"
        case flag = "true or false"
        case status = "a status (ok, error, unset)"
        case kind = "a kind (server, client, …)"
        case nothing = "nil"
    }

    private var knownType: KnownType? {
        switch self {
        case .value(let value):
            switch value {
            case .none: .nothing
            case .string: .text
            case .int, .double, .duration: .number
            case .bool: .flag
            case .status: .status
            case .kind: .kind
            }
        case .field(.attribute): nil
        case .field(.intrinsic(let intrinsic)):
            switch intrinsic {
            case .status: .status
            case .kind: .kind
            case .duration, .traceDuration, .childCount, .nestedSetParent: .number
            case .name, .statusMessage, .id, .parent, .rootName, .rootService, .traceID, .instrumentation: .text
            }
        case .negative, .arithmetic: .number
        case .not, .both, .either, .comparison, .match: .flag
        }
    }
}
