import Shared

/// A regular expression that a whole text must match, as TraceQL and RE2 have it: linear time on any input.
///
/// Literals, `.`, classes `[a-z]`, `\d \w \s` and their opposites, groups, `|`, `* + ? {m,n}` (lazy forms too, which
/// match the same), `^ $`, and `(?i)` at the start. No back-references, no look-around, no `\b`: they are refused.
///
/// Compiled to a program for a machine that is in many states at once (Pike, Thompson): time O(text × program), the
/// program bounded by `sizeLimit`.
struct Pattern: Sendable {
    fileprivate enum Step: Sendable {
        case one(ScalarSet)
        case split(Int, Int)
        case jump(Int)
        case atStart
        case atEnd
        case matched
    }

    /// Longest program; a repetition counts as often as it may repeat.
    static let sizeLimit = 4_000

    /// As it was written.
    let text: String
    private let program: [Step]
    /// Of a pattern such as `gw|orders`: all that it matches.
    private let literals: Set<String>?

    /// - Throws: `Failure(.badInput)` saying what is not supported or wrong.
    init(_ text: String) throws(Failure) {
        self.text = text
        let isPlain = !text.contains { "\\.+*?()[]{}^$".contains($0) }
        literals = isPlain ? Set(text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)) : nil
        var compiler = PatternCompiler(text)
        program = try compiler.compile()
    }

    /// Text that matches itself, with all that has a meaning escaped.
    static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\.+*?()|[]{}^$".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }

    /// Whether the whole text matches.
    func matches(_ text: String) -> Bool {
        if let literals { return literals.contains(text) }
        var states = StateList(count: program.count)
        var next = StateList(count: program.count)
        add(0, to: &states, atStart: true, atEnd: text.isEmpty)
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            next.removeAll()
            for state in states.list {
                if case .one(let set) = program[state], set.contains(scalar) {
                    add(state + 1, to: &next, atStart: false, atEnd: scalars.isEmpty)
                }
            }
            swap(&states, &next)
            if states.list.isEmpty { return false }
        }
        return states.list.contains { if case .matched = program[$0] { true } else { false } }
    }

    /// Adds a state and all that follow it without reading; with a stack of its own.
    private func add(_ state: Int, to states: inout StateList, atStart: Bool, atEnd: Bool) {
        var stack = [state]
        while let state = stack.popLast() {
            guard states.insert(state) else { continue }
            switch program[state] {
            case .jump(let target): stack.append(target)
            case .split(let one, let other):
                stack.append(other)
                stack.append(one)
            case .atStart: if atStart { stack.append(state + 1) }
            case .atEnd: if atEnd { stack.append(state + 1) }
            case .one, .matched: break
            }
        }
    }

    private struct StateList {
        var list: [Int] = []
        private var isIn: [Bool]
        init(count: Int) { isIn = [Bool](repeating: false, count: count) }
        mutating func insert(_ state: Int) -> Bool {
            if isIn[state] { return false }
            isIn[state] = true
            list.append(state)
            return true
        }
        mutating func removeAll() {
            for state in list { isIn[state] = false }
            list.removeAll(keepingCapacity: true)
        }
    }
}

/// A set of characters: ranges, maybe all but them, maybe in either case.
private struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isInverted = false
    var ignoresCase = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        var isIn = holds(scalar.value)
        if !isIn, ignoresCase {
            isIn = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping].contains { mapped in
                mapped.unicodeScalars.count == 1 && holds(mapped.unicodeScalars.first?.value ?? 0)
            }
        }
        return isIn != isInverted
    }

    private func holds(_ value: UInt32) -> Bool { ranges.contains { $0.contains(value) } }

    mutating func add(_ scalar: Unicode.Scalar) { ranges.append(scalar.value...scalar.value) }

    static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]
    static let spaces: [ClosedRange<UInt32>] = [0x09...0x0a, 0x0c...0x0d, 0x20...0x20]

    static func inverse(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        var from: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > from { result.append(from...(range.lowerBound - 1)) }
            from = max(from, range.upperBound + 1)
        }
        result.append(from...0x10ffff)
        return result
    }
}

/// Turns the text of a pattern into its program. Groups nest at most 32 deep.
private struct PatternCompiler {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private var ignoresCase = false

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func compile() throws(Failure) -> [Pattern.Step] {
        if scalars.starts(with: Array("(?i)".unicodeScalars)) {
            ignoresCase = true
            position = 4
        }
        let program = try alternatives() + [.matched]
        guard position == scalars.count else { throw failure("a ) without its (") }
        return program
    }

    private func failure(_ problem: String) -> Failure {
        Failure(.badInput, "the regular expression cannot be used: \(problem), at its character \(position + 1)")
    }

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    private mutating func alternatives() throws(Failure) -> [Pattern.Step] {
        var program = try sequence()
        while take("|") {
            let other = try sequence()
            let joined: [Pattern.Step] = [.split(1, program.count + 2)]
            program = joined + shifted(program, 1) + [.jump(program.count + other.count + 2)]
                + shifted(other, program.count + 2)
            try check(program.count)
        }
        return program
    }

    private mutating func sequence() throws(Failure) -> [Pattern.Step] {
        var program: [Pattern.Step] = []
        while let scalar = current, scalar != "|", scalar != ")" {
            program += shifted(try repeated(), program.count)
            try check(program.count)
        }
        return program
    }

    private func check(_ count: Int) throws(Failure) {
        guard count <= Pattern.sizeLimit else { throw failure("it is too large when its repetitions are written out") }
    }

    private func shifted(_ program: [Pattern.Step], _ by: Int) -> [Pattern.Step] {
        if by == 0 { return program }
        return program.map { step in
            switch step {
            case .split(let one, let other): .split(one + by, other + by)
            case .jump(let target): .jump(target + by)
            default: step
            }
        }
    }

    // MARK: Repetition

    private mutating func repeated() throws(Failure) -> [Pattern.Step] {
        var program = try atom()
        while let scalar = current {
            let bounds: (Int, Int?)
            switch scalar {
            case "*": bounds = (0, nil)
            case "+": bounds = (1, nil)
            case "?": bounds = (0, 1)
            case "{":
                guard let counted = try counts() else { return program }
                bounds = counted
            default: return program
            }
            position += 1
            _ = take("?")
            program = try repeating(program, bounds.0, bounds.1)
        }
        return program
    }

    /// Reads `{m}`, `{m,}` or `{m,n}` up to before its `}`; nil when the brace stands for itself.
    private mutating func counts() throws(Failure) -> (Int, Int?)? {
        guard let close = scalars[position...].firstIndex(of: "}") else { throw failure("a { without its }") }
        var inner = ""
        inner.unicodeScalars.append(contentsOf: scalars[(position + 1)..<close])
        let parts = inner.split(separator: ",", omittingEmptySubsequences: false)
        guard let low = parts.first.flatMap({ Int($0) }), parts.count <= 2, low >= 0, low <= 1_000 else {
            throw failure("\"{\(inner)}\" is no repetition such as {1,3}")
        }
        var high: Int? = low
        if parts.count == 2 { high = parts[1].isEmpty ? nil : Int(parts[1]) }
        if parts.count == 2, !parts[1].isEmpty, high == nil || (high ?? 0) < low || (high ?? 0) > 1_000 {
            throw failure("\"{\(inner)}\" is no repetition such as {1,3}")
        }
        position = close
        return (low, high)
    }

    private func repeating(_ program: [Pattern.Step], _ low: Int, _ high: Int?) throws(Failure) -> [Pattern.Step] {
        try check(program.count * max(1, high ?? low) )
        var result: [Pattern.Step] = []
        for _ in 0..<low { result += shifted(program, result.count) }
        if let high {
            for _ in low..<max(low, high) {
                let optional = [Pattern.Step.split(1, program.count + 1)] + shifted(program, 1)
                result += shifted(optional, result.count)
            }
        } else {
            let loop = [Pattern.Step.split(1, program.count + 2)] + shifted(program, 1) + [.jump(0)]
            result += shifted(loop, result.count)
        }
        try check(result.count)
        return result
    }

    // MARK: Atoms

    private mutating func atom() throws(Failure) -> [Pattern.Step] {
        guard let scalar = current else { return [] }
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return [.one(try set())]
        case ".": return [.one(ScalarSet(ranges: [0x0a...0x0a], isInverted: true))]
        case "^": return [.atStart]
        case "$": return [.atEnd]
        case "*", "+", "?": throw failure("nothing stands before the \(scalar)")
        case "\\":
            if take("A") { return [.atStart] }
            if take("z") { return [.atEnd] }
            var set = ScalarSet(ignoresCase: ignoresCase)
            try escape(into: &set)
            return [.one(set)]
        default:
            var set = ScalarSet(ignoresCase: ignoresCase)
            set.add(scalar)
            return [.one(set)]
        }
    }

    private mutating func group() throws(Failure) -> [Pattern.Step] {
        guard depth < 32 else { throw failure("more than 32 levels of groups") }
        depth += 1
        defer { depth -= 1 }
        if take("?"), !take(":") {
            // (?P<name>…) and (?<name>…) group like any other.
            _ = take("P")
            guard take("<"), current != "=", current != "!", let close = scalars[position...].firstIndex(of: ">") else {
                throw failure("only (…), (?:…), (?P<name>…) and (?i) at the start are supported")
            }
            position = close + 1
        }
        let program = try alternatives()
        guard take(")") else { throw failure("a ( without its )") }
        return program
    }

    private mutating func escape(into set: inout ScalarSet) throws(Failure) {
        guard let scalar = current else { throw failure("nothing stands after the last \\") }
        position += 1
        switch scalar {
        case "d": set.ranges += ScalarSet.digits
        case "w": set.ranges += ScalarSet.words
        case "s": set.ranges += ScalarSet.spaces
        case "D": set.ranges += ScalarSet.inverse(ScalarSet.digits)
        case "W": set.ranges += ScalarSet.inverse(ScalarSet.words)
        case "S": set.ranges += ScalarSet.inverse(ScalarSet.spaces)
        case "n": set.add("\n")
        case "t": set.add("\t")
        case "r": set.add("\r")
        default:
            guard !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
                throw failure("\\\(scalar) is not supported")
            }
            set.add(scalar)
        }
    }

    private mutating func set() throws(Failure) -> ScalarSet {
        var set = ScalarSet(ignoresCase: ignoresCase)
        if take("^") { set.isInverted = true }
        var isFirst = true
        while let scalar = current, scalar != "]" || isFirst {
            isFirst = false
            position += 1
            if scalar == "[", current == ":" { throw failure("named classes such as [:alpha:] are not supported") }
            if scalar == "\\" {
                try escape(into: &set)
                continue
            }
            guard current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
                set.add(scalar)
                continue
            }
            position += 1
            var upper = scalars[position]
            position += 1
            if upper == "\\", let escaped = current {
                upper = escaped
                position += 1
            }
            guard scalar.value <= upper.value else { throw failure("\(scalar)-\(upper) is no range") }
            set.ranges.append(scalar.value...upper.value)
        }
        guard take("]") else { throw failure("a [ without its ]") }
        return set
    }
}
