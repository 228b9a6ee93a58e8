import Linking
import Shared

/// Decides conditions on spans that are there as a whole. Keeps compiled regular expressions; one value a search.
final class ConditionMatcher {
    /// What a condition may ask of the trace around a span.
    struct Context {
        var rootName = ""
        var rootService = ""
        var duration: UInt64 = 0

        init() {}
        init(_ summary: TraceSummary) {
            rootName = summary.rootName
            rootService = summary.rootService
            duration = summary.durationNanoseconds
        }
    }

    static let patternBytes = 8_192
    /// Longest text that a regular expression is tried on, bytes.
    static let textBytes = 4_096
    private var patterns: [String: Pattern] = [:]

    /// Checks all regular expressions of a condition. Fails with `.badInput` for one that cannot be read.
    func prepare(_ condition: SpanCondition) throws(Failure) {
        var rest = [condition]
        while let next = rest.popLast() {
            switch next {
            case .all: break
            case .and(let parts), .or(let parts): rest += parts
            case .not(let part): rest.append(part)
            case .compare(_, _, let comparison, let value):
                if comparison == .matches || comparison == .notMatches { try compile(value.text) }
            }
        }
    }

    private func compile(_ pattern: String) throws(Failure) {
        guard patterns[pattern] == nil else { return }
        guard pattern.utf8.count <= Self.patternBytes else {
            throw Failure(.badInput, "a regular expression is longer than \(Self.patternBytes) bytes; shorten it")
        }
        patterns[pattern] = try Pattern(pattern)
    }

    /// Does the span fulfil the condition?
    func matches(_ condition: SpanCondition, _ span: StoredSpan, _ resource: [Attribute], _ context: Context) -> Bool {
        switch condition {
        case .all: return true
        case .and(let parts): return parts.allSatisfy { matches($0, span, resource, context) }
        case .or(let parts): return parts.contains { matches($0, span, resource, context) }
        case .not(let part): return !matches(part, span, resource, context)
        case .compare(.any, let key, let comparison, let value):
            let found = span.attributes[key] ?? resource[key]
            return compare(found, comparison, value)
        case .compare(.span, let key, let comparison, let value):
            return compare(span.attributes[key], comparison, value)
        case .compare(.resource, let key, let comparison, let value):
            return compare(resource[key], comparison, value)
        case .compare(.intrinsic, let key, let comparison, let value):
            return compare(Self.intrinsic(key, span, context), comparison, value)
        }
    }

    static func intrinsic(_ key: String, _ span: StoredSpan, _ context: Context) -> AttributeValue? {
        switch key {
        case "name": .string(span.name)
        case "status": .string(Intrinsic.statusName(span.statusCode))
        case "statusMessage": .string(span.statusMessage)
        case "kind": .string(Intrinsic.kindName(span.kind))
        case "duration": .int(Int64(clamping: span.duration))
        case "traceDuration": .int(Int64(clamping: context.duration))
        case "rootName": .string(context.rootName)
        case "rootServiceName": .string(context.rootService)
        case "instrumentation:name": .string(span.scope)
        case "span:id": .string(TraceIDText.hex(span.id))
        case "span:parentID": span.parent.map { .string(TraceIDText.hex($0)) }
        case "trace:id": .string(TraceIDText.hex(span.traceID))
        default: nil
        }
    }

    /// Compares an attribute's value with the one asked for.
    func compare(_ found: AttributeValue?, _ comparison: AttributeOperator, _ value: AttributeValue) -> Bool {
        guard let found else { return comparison == .absent }
        switch comparison {
        case .exists: return true
        case .absent: return false
        case .matches, .notMatches:
            guard case .string(let text) = found, let pattern = patterns[value.text] else { return false }
            let short = text.utf8.count <= Self.textBytes ? text : String(text.prefix(Self.textBytes))
            return pattern.matches(short) == (comparison == .matches)
        case .equal: return Self.order(found, value) == .some(0)
        case .notEqual: return Self.order(found, value).map { $0 != 0 } ?? false
        case .less: return Self.order(found, value).map { $0 == -1 } ?? false
        case .lessOrEqual: return Self.order(found, value).map { $0 == -1 || $0 == 0 } ?? false
        case .greater: return Self.order(found, value).map { $0 == 1 } ?? false
        case .greaterOrEqual: return Self.order(found, value).map { $0 == 1 || $0 == 0 } ?? false
        }
    }

    /// -1, 0 or 1; 2 for what has no order but differs; nil for values of different types.
    private static func order(_ left: AttributeValue, _ right: AttributeValue) -> Int? {
        switch (left, right) {
        case (.string(let left), .string(let right)), (.json(let left), .json(let right)):
            return left == right ? 0 : left < right ? -1 : 1
        case (.int(let left), .int(let right)): return left == right ? 0 : left < right ? -1 : 1
        case (.bool(let left), .bool(let right)): return left == right ? 0 : 2
        default:
            guard let left = left.number, let right = right.number else { return nil }
            return left == right ? 0 : left < right ? -1 : left > right ? 1 : 2
        }
    }
}

/// Names of OTLP's numbers.
enum Intrinsic {
    static let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
    static let statuses = ["unset", "ok", "error"]
    static let names = [
        "duration", "instrumentation:name", "kind", "name", "rootName", "rootServiceName", "span:id", "span:parentID",
        "status", "statusMessage", "trace:id", "traceDuration",
    ]

    static func kindName(_ kind: Int) -> String { kinds.indices.contains(kind) ? kinds[kind] : kinds[0] }
    static func statusName(_ status: Int) -> String {
        statuses.indices.contains(status) ? statuses[status] : statuses[0]
    }
}
