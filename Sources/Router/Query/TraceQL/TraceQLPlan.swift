/// What of a query the store's index can decide.
///
/// `condition` holds for at least one span of every trace that the query finds. When `isExact`, the spans that fulfil
/// it are the query's answer, and no trace has to be evaluated.
struct TraceQLPlan {
    var condition: SpanCondition
    var isExact: Bool

    init(_ query: TraceQLQuery) {
        let plan = Self.plan(query.spansets)
        condition = plan.condition
        isExact = plan.isExact
        for stage in query.stages {
            if case .select = stage { continue }
            isExact = false
        }
    }

    private init(_ condition: SpanCondition, isExact: Bool) {
        self.condition = condition
        self.isExact = isExact
    }

    private static func plan(_ spansets: TraceQLQuery.Spansets) -> TraceQLPlan {
        switch spansets {
        case .filter(let condition):
            return plan(condition)
        case .pipeline(let inner, _):
            return TraceQLPlan(plan(inner).condition, isExact: false)
        case .combined(let combination, let left, let right):
            let (one, other) = (plan(left), plan(right))
            if combination.relation == .or {
                return TraceQLPlan(any([one, other]), isExact: one.isExact && other.isExact)
            }
            // One side is enough to find the trace by; what `!>` has on its left need not be there.
            let narrow = combination.isNegated || other.condition != .all ? other : one
            return TraceQLPlan(narrow.condition, isExact: false)
        }
    }

    private static func any(_ plans: [TraceQLPlan]) -> SpanCondition {
        plans.contains { $0.condition == .all } ? .all : .or(plans.map(\.condition))
    }

    private static func plan(_ condition: TraceQLQuery.Condition) -> TraceQLPlan {
        switch condition {
        case .value(.bool(let flag)):
            return TraceQLPlan(flag ? .all : .not(.all), isExact: true)
        case .both(let left, let right):
            let parts = [plan(left), plan(right)]
            let narrow = parts.map(\.condition).filter { $0 != .all }
            let joined: SpanCondition = narrow.isEmpty ? .all : narrow.count == 1 ? narrow[0] : .and(narrow)
            return TraceQLPlan(joined, isExact: parts.allSatisfy(\.isExact))
        case .either(let left, let right):
            let parts = [plan(left), plan(right)]
            return TraceQLPlan(any(parts), isExact: parts.allSatisfy(\.isExact))
        case .not(let inner):
            let plan = plan(inner)
            return plan.isExact ? TraceQLPlan(.not(plan.condition), isExact: true) : TraceQLPlan(.all, isExact: false)
        case .field(let field):
            return leaf(field, .equal, .bool(true)) ?? TraceQLPlan(.all, isExact: false)
        case .match(.field(let field), let pattern, let isWanted):
            return leaf(field, isWanted ? .matches : .notMatches, .string(pattern.text))
                ?? TraceQLPlan(.all, isExact: false)
        case .comparison(let comparison, .field(let field), .value(let value)):
            return plan(comparison, field, value)
        case .comparison(let comparison, .value(let value), .field(let field)):
            return plan(comparison.mirrored, field, value)
        default:
            return TraceQLPlan(.all, isExact: false)
        }
    }

    private static func plan(
        _ comparison: TraceQLQuery.Comparison, _ field: QueryField, _ value: QueryValue
    ) -> TraceQLPlan {
        let stored: AttributeValue
        switch value {
        case .none:
            guard comparison == .equal || comparison == .notEqual else { break }
            return leaf(field, comparison == .equal ? .absent : .exists, .bool(true))
                ?? TraceQLPlan(.all, isExact: false)
        default: break
        }
        switch value {
        case .none: return TraceQLPlan(.all, isExact: false)
        case .string(let text): stored = .string(text)
        case .int(let number), .duration(let number): stored = .int(number)
        case .double(let number): stored = .double(number)
        case .bool(let flag): stored = .bool(flag)
        case .status, .kind:
            // Attributes of SDKs never hold such a value.
            if case .attribute = field { return TraceQLPlan(.not(.all), isExact: true) }
            guard comparison == .equal || comparison == .notEqual else { return TraceQLPlan(.all, isExact: false) }
            stored = .string(value.text)
        }
        return leaf(field, comparison.storeOperator, stored) ?? TraceQLPlan(.all, isExact: false)
    }

    private static func leaf(_ field: QueryField, _ comparison: AttributeOperator, _ value: AttributeValue)
        -> TraceQLPlan?
    {
        switch field {
        case .attribute(let scope, let key):
            let stored: AttributeScope =
                switch scope {
                case .any: .any
                case .resource: .resource
                case .span: .span
                }
            return TraceQLPlan(.compare(stored, key: key, comparison, value), isExact: true)
        case .intrinsic(let intrinsic):
            guard let key = intrinsic.storeKey else { return nil }
            return TraceQLPlan(.compare(.intrinsic, key: key, comparison, value), isExact: true)
        }
    }
}

extension QueryField.Intrinsic {
    /// The store's name; nil for what only a whole trace can tell.
    var storeKey: String? {
        switch self {
        case .childCount, .nestedSetParent: nil
        case .id, .parent, .traceID, .instrumentation: rawValue
        case .name, .status, .statusMessage, .kind, .duration, .rootName, .rootService, .traceDuration:
            QueryField.Intrinsic.short.first { $0.value == self }?.key
        }
    }
}

extension TraceQLQuery.Comparison {
    var mirrored: Self {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }

    var storeOperator: AttributeOperator {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        }
    }
}
