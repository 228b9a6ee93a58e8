import Linking
import Shared

/// A condition with its names resolved, ready to be evaluated on columns.
indirect enum SearchPlan {
    /// Every span, for sure.
    case all
    /// No span, for sure.
    case none
    /// Cannot be told from columns: every span may fulfil it.
    case maybe
    /// Spans of these resources.
    case resources(Set<UInt32>)
    /// Spans whose field fulfils the test.
    case column(UInt32, ColumnTest)
    /// Spans by duration: at least, at most (microseconds, rounded so that no span is missed).
    case duration(ClosedRange<UInt32>)
    /// Spans of traces whose root fulfils the plan.
    case root(SearchPlan)
    case and([SearchPlan])
    case or([SearchPlan])
    case not(SearchPlan)

    /// Resolves names. O(words + resources × attributes).
    init(_ condition: SpanCondition, names: StoreNames.Snapshot, matcher: ConditionMatcher) {
        switch condition {
        case .all: self = .all
        case .and(let parts): self = Self.joined(parts.map { SearchPlan($0, names: names, matcher: matcher) })
        case .or(let parts): self = Self.either(parts.map { SearchPlan($0, names: names, matcher: matcher) })
        case .not(let part): self = .not(SearchPlan(part, names: names, matcher: matcher))
        case .compare(let scope, let key, let comparison, let value):
            let test = ColumnTest(comparison: comparison, value: value, matcher: matcher)
            switch scope {
            case .resource: self = Self.resource(key, test, names)
            case .span: self = Self.span(key, test, names)
            case .any:
                // The span's own value hides the resource's, so the two together are only a bound.
                self = Self.either([Self.span(key, test, names), Self.resource(key, test, names)]).bound
            case .intrinsic: self = Self.intrinsic(key, test, names)
            }
        }
    }

    /// The same spans, but not for sure.
    private var bound: SearchPlan {
        if case .none = self { return self }
        return .and([self, .maybe])
    }

    private static func joined(_ parts: [SearchPlan]) -> SearchPlan {
        for part in parts { if case .none = part { return .none } }
        return parts.count == 1 ? parts[0] : .and(parts)
    }

    private static func either(_ parts: [SearchPlan]) -> SearchPlan {
        let rest = parts.filter { if case .none = $0 { false } else { true } }
        if rest.isEmpty { return .none }
        return rest.count == 1 ? rest[0] : .or(rest)
    }

    private static func resource(_ key: String, _ test: ColumnTest, _ names: StoreNames.Snapshot) -> SearchPlan {
        var ids: Set<UInt32> = []
        for (id, message) in names.resources {
            let found = SpanDecoder.attributes(ofResource: message)[key]
            if test.matcher.compare(found, test.comparison, test.value) { ids.insert(id) }
        }
        return ids.isEmpty ? .none : .resources(ids)
    }

    private static func span(_ key: String, _ test: ColumnTest, _ names: StoreNames.Snapshot) -> SearchPlan {
        if let word = names.key(key) { return .column(word, test) }
        // Keys beyond the limit of words are in the rows only.
        if names.words.count >= StoreLimits.words || key.utf8.count > StoreLimits.wordBytes || key.isEmpty {
            return .maybe
        }
        return test.comparison == .absent ? .all : .none
    }

    private static func intrinsic(_ key: String, _ test: ColumnTest, _ names: StoreNames.Snapshot) -> SearchPlan {
        var test = test
        switch key {
        case "name":
            test.kind = .name
            return .column(ColumnID.name, test)
        case "status", "kind":
            test.kind = key == "status" ? .status : .spanKind
            return .column(ColumnID.kindAndStatus, test)
        case "duration": return duration(test)
        case "rootName": return .root(intrinsic("name", test, names))
        case "rootServiceName": return .root(resource("service.name", test, names))
        case "instrumentation:name":
            test.kind = .scope(names)
            return .column(ColumnID.scope, test)
        case "traceDuration", "statusMessage", "span:id", "span:parentID", "trace:id": return .maybe
        default: return test.comparison == .absent ? .all : .none
        }
    }

    private static func duration(_ test: ColumnTest) -> SearchPlan {
        guard let number = test.value.number else { return .maybe }
        let microseconds = UInt32(clamping: Int64(clamping: number / 1_000))
        switch test.comparison {
        case .equal: return .and([.duration(microseconds...microseconds), .maybe])
        case .less, .lessOrEqual: return .and([.duration(0...microseconds), .maybe])
        case .greater, .greaterOrEqual: return .and([.duration(microseconds...UInt32.max), .maybe])
        default: return .maybe
        }
    }
}

extension Int64 {
    /// The whole part, at the ends of the range for what lies beyond; 0 for what is no number.
    fileprivate init(clamping number: Double) {
        if number.isNaN { self = 0 } else if number >= 9.2e18 { self = .max } else if number <= -9.2e18 { self = .min }
        else { self = Int64(number) }
    }
}

/// A comparison of one field.
struct ColumnTest {
    /// What the field's bytes are.
    enum Kind {
        case attribute
        case name
        case status
        case spanKind
        case scope(StoreNames.Snapshot)
    }

    var comparison: AttributeOperator
    var value: AttributeValue
    var matcher: ConditionMatcher
    var kind = Kind.attribute

    /// The value that a column keeps as bytes.
    private func decoded(_ bytes: [UInt8]) -> AttributeValue? {
        switch kind {
        case .attribute: return bytes.withUnsafeBytes { AttributeValue(OTLPValue($0)) }
        case .name: return .string(String(decoding: bytes, as: UTF8.self))
        case .status: return .string(Intrinsic.statusName(Int((bytes.first ?? 0) >> 4)))
        case .spanKind: return .string(Intrinsic.kindName(Int((bytes.first ?? 0) & 15)))
        case .scope(let names):
            guard bytes.count == 4 else { return nil }
            let word = bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
            return .string(names.word(word) ?? "")
        }
    }

    func holds(_ bytes: [UInt8]) -> Bool { matcher.compare(decoded(bytes), comparison, value) }

    /// Fingerprints of the bytes that say the value; nil when the comparison is none of equality.
    var prints: [UInt16]? {
        guard comparison == .equal else { return nil }
        switch kind {
        case .attribute:
            let encodings = value.encodings
            return encodings.isEmpty ? nil : encodings.map { SegmentColumn.print(of: $0) }
        case .name:
            guard case .string(let text) = value else { return [] }
            return [SegmentColumn.print(of: Array(text.utf8))]
        case .status, .spanKind, .scope: return nil
        }
    }
}
