import Foundation
import Linking

/// Spans of one trace that a query found together.
struct FoundSpans: Sendable, Equatable {
    /// Indices into the trace's spans, ascending.
    var spans: [Int]
    /// What `by(…)` and `count()` tell of the whole set.
    var attributes: [(key: String, value: QueryValue)] = []

    static func == (left: Self, right: Self) -> Bool {
        left.spans == right.spans && left.attributes.elementsEqual(right.attributes) { $0 == $1 }
    }
}

/// Runs a query over one trace. O(spans × size of the query).
struct TraceQLEvaluation {
    let shape: TraceShape

    init(_ shape: TraceShape) { self.shape = shape }

    /// The sets of spans that the query finds; empty when the trace is no hit.
    func run(_ query: TraceQLQuery) -> [FoundSpans] { run(query.spansets, query.stages) }

    private func run(_ spansets: TraceQLQuery.Spansets, _ stages: [TraceQLQuery.Stage]) -> [FoundSpans] {
        let spans = indices(of: find(spansets))
        var sets = spans.isEmpty ? [] : [FoundSpans(spans: spans)]
        for stage in stages {
            if sets.isEmpty { return [] }
            sets = apply(stage, sets)
        }
        return sets
    }

    private func indices(of marks: [Bool]) -> [Int] { marks.indices.filter { marks[$0] } }

    // MARK: Spansets

    /// A mark for each span of the trace.
    private func find(_ spansets: TraceQLQuery.Spansets) -> [Bool] {
        switch spansets {
        case .filter(let condition):
            return shape.trace.spans.indices.map { holds(condition, $0) }
        case .pipeline(let inner, let stages):
            var marks = [Bool](repeating: false, count: shape.trace.spans.count)
            for set in run(inner, stages) { for span in set.spans { marks[span] = true } }
            return marks
        case .combined(let combination, let left, let right):
            let leftMarks = find(left)
            // Nothing to the left of an "and" or a relation: nothing comes out, whatever is on the right.
            if combination.relation != .or, !combination.isNegated, !leftMarks.contains(true) { return leftMarks }
            return combine(combination, leftMarks, find(right))
        }
    }

    private func combine(_ combination: TraceQLQuery.SpansetOperator, _ left: [Bool], _ right: [Bool]) -> [Bool] {
        switch combination.relation {
        case .or:
            return zip(left, right).map { $0 || $1 }
        case .and:
            let isHit = left.contains(true) && right.contains(true)
            return zip(left, right).map { isHit && ($0 || $1) }
        default:
            let related = self.related(combination.relation, to: left)
            var result = right.indices.map { right[$0] && related[$0] != combination.isNegated }
            if combination.isUnion {
                let inverse = self.related(Self.inverse(combination.relation), to: result)
                for index in left.indices where left[index] && inverse[index] { result[index] = true }
            }
            return result
        }
    }

    private static func inverse(_ relation: TraceQLQuery.SpansetOperator.Relation)
        -> TraceQLQuery.SpansetOperator.Relation
    {
        switch relation {
        case .child: .parent
        case .parent: .child
        case .descendant: .ancestor
        case .ancestor: .descendant
        case .sibling, .and, .or: relation
        }
    }

    /// Marks the spans that are a child (parent, descendant, …) of a marked span.
    private func related(_ relation: TraceQLQuery.SpansetOperator.Relation, to marks: [Bool]) -> [Bool] {
        let parents = shape.parents
        var result = [Bool](repeating: false, count: marks.count)
        switch relation {
        case .child:
            for (index, parent) in parents.enumerated() where parent >= 0 { result[index] = marks[parent] }
        case .descendant:
            for index in shape.order {
                let parent = parents[index]
                if parent >= 0 { result[index] = marks[parent] || result[parent] }
            }
        case .parent:
            for (index, parent) in parents.enumerated() where parent >= 0 && marks[index] { result[parent] = true }
        case .ancestor:
            for index in shape.order.reversed() {
                let parent = parents[index]
                if parent >= 0, marks[index] || result[index] { result[parent] = true }
            }
        case .sibling:
            var counts: [Int: Int] = [:]
            for (index, parent) in parents.enumerated() where parent >= 0 && marks[index] {
                counts[parent, default: 0] += 1
            }
            for (index, parent) in parents.enumerated() where parent >= 0 {
                result[index] = counts[parent, default: 0] > (marks[index] ? 1 : 0)
            }
        case .and, .or: break
        }
        return result
    }

    // MARK: Stages

    private func apply(_ stage: TraceQLQuery.Stage, _ sets: [FoundSpans]) -> [FoundSpans] {
        switch stage {
        case .select:
            return sets
        case .filter(let condition):
            return sets.compactMap { set in
                var set = set
                set.spans.removeAll { !holds(condition, $0) }
                return set.spans.isEmpty ? nil : set
            }
        case .coalesce:
            let all = Set(sets.flatMap(\.spans)).sorted()
            return [FoundSpans(spans: all)]
        case .group(let condition, let name):
            return sets.flatMap { group($0, condition, name) }
        case .scalar(let left, let comparison, let right):
            return sets.compactMap { set in
                let (one, other) = (value(left, set.spans), value(right, set.spans))
                guard let order = one.order(against: other), comparison.holds(order) else { return nil }
                var set = set
                if let name = Self.name(left) { set.attributes.append((name, one)) }
                return set
            }
        }
    }

    private func group(_ set: FoundSpans, _ condition: TraceQLQuery.Condition, _ name: String) -> [FoundSpans] {
        var order: [QueryValue] = []
        var groups: [QueryValue: [Int]] = [:]
        for span in set.spans {
            let value = value(condition, span)
            if groups[value] == nil { order.append(value) }
            groups[value, default: []].append(span)
        }
        return order.map { value in
            FoundSpans(spans: groups[value] ?? [], attributes: set.attributes + [(name, value)])
        }
    }

    /// How an answer calls a number over a set; nil for a number that the query itself gives.
    private static func name(_ scalar: TraceQLQuery.Scalar) -> String? {
        switch scalar {
        case .value: nil
        case .count: "count()"
        case .average(let condition): "avg(\(condition.text))"
        case .minimum(let condition): "min(\(condition.text))"
        case .maximum(let condition): "max(\(condition.text))"
        case .sum(let condition): "sum(\(condition.text))"
        case .arithmetic: "scalar"
        }
    }

    private func value(_ scalar: TraceQLQuery.Scalar, _ spans: [Int]) -> QueryValue {
        switch scalar {
        case .value(let value): return value
        case .count: return .int(Int64(spans.count))
        case .arithmetic(let sign, let left, let right):
            return Self.compute(sign, value(left, spans), value(right, spans))
        case .average(let condition):
            return fold(condition, spans) { sum, _, _, count in sum / Double(count) }
        case .minimum(let condition): return fold(condition, spans) { _, least, _, _ in least }
        case .maximum(let condition): return fold(condition, spans) { _, _, most, _ in most }
        case .sum(let condition): return fold(condition, spans) { sum, _, _, _ in sum }
        }
    }

    private func fold(
        _ condition: TraceQLQuery.Condition, _ spans: [Int],
        _ result: (_ sum: Double, _ least: Double, _ most: Double, _ count: Int) -> Double
    ) -> QueryValue {
        var (sum, least, most, count) = (0.0, Double.infinity, -Double.infinity, 0)
        var isDuration = false
        for span in spans {
            let value = value(condition, span)
            guard let number = value.number else { continue }
            if case .duration = value { isDuration = true }
            sum += number
            least = min(least, number)
            most = max(most, number)
            count += 1
        }
        guard count > 0 else { return .none }
        let number = result(sum, least, most, count)
        return isDuration ? .duration(Int64(exactly: number.rounded()) ?? .max) : .double(number)
    }

    // MARK: Conditions

    private func holds(_ condition: TraceQLQuery.Condition, _ span: Int) -> Bool {
        switch condition {
        case .both(let left, let right): return holds(left, span) && holds(right, span)
        case .either(let left, let right): return holds(left, span) || holds(right, span)
        case .not(let inner): return !holds(inner, span)
        case .match(let inner, let pattern, let isWanted):
            guard case .string(let text) = value(inner, span) else { return false }
            return pattern.matches(text) == isWanted
        case .comparison(let comparison, let left, let right):
            let (one, other) = (value(left, span), value(right, span))
            // nil is equal to nil alone; anything else needs both sides to be there, and comparable.
            if left.isNil || right.isNil { return comparison.holds(one == other ? 0 : 1) }
            if one == .none || other == .none { return false }
            guard let order = one.order(against: other) else { return false }
            return comparison.holds(order)
        default:
            return value(condition, span) == .bool(true)
        }
    }

    private func value(_ condition: TraceQLQuery.Condition, _ span: Int) -> QueryValue {
        switch condition {
        case .value(let value): return value
        case .field(let field): return shape.value(field, of: span)
        case .negative(let inner): return Self.compute(.minus, .int(0), value(inner, span))
        case .arithmetic(let sign, let left, let right):
            return Self.compute(sign, value(left, span), value(right, span))
        default: return .bool(holds(condition, span))
        }
    }

    /// Whole numbers stay whole but for `/` and `^`; durations stay durations. `.none` where there is no result.
    private static func compute(
        _ sign: TraceQLQuery.Arithmetic, _ left: QueryValue, _ right: QueryValue
    ) -> QueryValue {
        guard let one = left.number, let other = right.number else { return .none }
        let result =
            switch sign {
            case .plus: one + other
            case .minus: one - other
            case .times: one * other
            case .divided: one / other
            case .modulo: one.truncatingRemainder(dividingBy: other)
            case .power: pow(one, other)
            }
        guard result.isFinite else { return .none }
        if case .duration = left { return Int64(exactly: result.rounded()).map { .duration($0) } ?? .none }
        if case .duration = right { return Int64(exactly: result.rounded()).map { .duration($0) } ?? .none }
        if case .int = left, case .int = right, let whole = Int64(exactly: result) { return .int(whole) }
        return .double(result)
    }
}

extension TraceQLQuery.Condition {
    /// The value nil, as a query writes it.
    var isNil: Bool { if case .value(.none) = self { true } else { false } }

    /// As a name in an answer.
    var text: String {
        switch self {
        case .field(let field): field.text
        case .value(let value): value.text
        default: "expression"
        }
    }
}
