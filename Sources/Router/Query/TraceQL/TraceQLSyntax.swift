/// A parsed TraceQL query: which spans, then what happens to them.
struct TraceQLQuery: Sendable {
    /// What `{ … }`, `&&`, `>>` and the like say.
    indirect enum Spansets: Sendable {
        case filter(Condition)
        case combined(SpansetOperator, Spansets, Spansets)
        /// A pipeline in parentheses.
        case pipeline(Spansets, [Stage])
    }

    /// An expression over one span.
    indirect enum Condition: Sendable {
        case value(QueryValue)
        case field(QueryField)
        case not(Condition)
        case negative(Condition)
        case both(Condition, Condition)
        case either(Condition, Condition)
        case comparison(Comparison, Condition, Condition)
        /// The pattern is compiled; true when a match is asked for, false for `!~`.
        case match(Condition, Pattern, isWanted: Bool)
        case arithmetic(Arithmetic, Condition, Condition)
    }

    enum Comparison: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// Whether an order (negative, 0, positive) satisfies it.
        func holds(_ order: Int) -> Bool {
            switch self {
            case .equal: order == 0
            case .notEqual: order != 0
            case .less: order < 0
            case .lessOrEqual: order <= 0
            case .greater: order > 0
            case .greaterOrEqual: order >= 0
            }
        }
    }

    enum Arithmetic: String, Sendable {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case divided = "/"
        case modulo = "%"
        case power = "^"
    }

    /// How two sets of spans of one trace give a third.
    struct SpansetOperator: Hashable, Sendable {
        enum Relation: Sendable { case and, or, child, parent, descendant, ancestor, sibling }
        var relation: Relation
        /// `!>`: the right spans for which it does not hold.
        var isNegated = false
        /// `&>`: the left spans, too.
        var isUnion = false
    }

    /// What stands behind a `|`.
    enum Stage: Sendable {
        case filter(Condition)
        case select([QueryField])
        case group(Condition, name: String)
        case coalesce
        case scalar(Scalar, Comparison, Scalar)
    }

    /// A number over a set of spans.
    indirect enum Scalar: Sendable {
        case value(QueryValue)
        case count
        case average(Condition)
        case minimum(Condition)
        case maximum(Condition)
        case sum(Condition)
        case arithmetic(Arithmetic, Scalar, Scalar)
    }

    var spansets: Spansets
    var stages: [Stage]
    /// Fields that conditions and `select` name, in order: what an answer tells of each span.
    var fields: [QueryField]
}

/// What an expression can ask of a span.
enum QueryField: Hashable, Sendable {
    enum Scope: String, Sendable { case any = "", resource, span }

    enum Intrinsic: String, Sendable, CaseIterable {
        case name = "span:name"
        case status = "span:status"
        case statusMessage = "span:statusMessage"
        case kind = "span:kind"
        case duration = "span:duration"
        case id = "span:id"
        case parent = "span:parentID"
        case childCount = "span:childCount"
        case nestedSetParent = "nestedSetParent"
        case rootName = "trace:rootName"
        case rootService = "trace:rootService"
        case traceDuration = "trace:duration"
        case traceID = "trace:id"
        case instrumentation = "instrumentation:name"

        /// The form without a scope, where there is one.
        static let short: [String: Intrinsic] = [
            "name": .name, "status": .status, "statusMessage": .statusMessage, "kind": .kind, "duration": .duration,
            "childCount": .childCount, "nestedSetParent": .nestedSetParent, "rootName": .rootName,
            "rootServiceName": .rootService, "traceDuration": .traceDuration, "parent": .parent,
        ]
    }

    case attribute(Scope, String)
    case intrinsic(Intrinsic)

    /// The key under which an answer gives it.
    var answerKey: String {
        switch self {
        case .attribute(_, let key): key
        case .intrinsic(let intrinsic):
            QueryField.Intrinsic.short.first { $0.value == intrinsic }?.key ?? intrinsic.rawValue
        }
    }

    /// As a query writes it.
    var text: String {
        switch self {
        case .attribute(.any, let key): "." + key
        case .attribute(let scope, let key): scope.rawValue + "." + key
        case .intrinsic: answerKey
        }
    }
}
