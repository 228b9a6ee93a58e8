import Linking

/// A trace prepared for questions about its spans: parents, children, root and totals. Built in O(spans).
struct TraceShape: Sendable {
    let trace: StoredTrace
    /// Index of each span's parent; -1 for a root, and for a span whose parent is not in the trace.
    private(set) var parents: [Int]
    private(set) var childCounts: [Int]
    /// Parents before children. A cycle, which the store never gives, stands at the end.
    private(set) var order: [Int]
    /// The root that begins first, or the earliest span; nil in an empty trace.
    private(set) var root: Int?
    /// Nanoseconds since 1970.
    private(set) var start: UInt64
    private(set) var end: UInt64

    init(_ trace: StoredTrace) {
        self.trace = trace
        var indices: [SpanID: Int] = Dictionary(minimumCapacity: trace.spans.count)
        for (index, span) in trace.spans.enumerated() where indices[span.id] == nil { indices[span.id] = index }
        parents = trace.spans.enumerated().map { index, span in
            guard let parent = span.parent.flatMap({ indices[$0] }), parent != index else { return -1 }
            return parent
        }
        childCounts = [Int](repeating: 0, count: trace.spans.count)
        for parent in parents where parent >= 0 { childCounts[parent] += 1 }
        order = Self.order(parents)
        let parents = parents
        root = trace.spans.indices.first { trace.spans[$0].parent == nil }
            ?? trace.spans.indices.first { parents[$0] < 0 } ?? trace.spans.indices.first
        start = trace.spans.map(\.start).min() ?? 0
        end = trace.spans.map(\.end).max() ?? 0
    }

    private static func order(_ parents: [Int]) -> [Int] {
        var children: [[Int]] = Array(repeating: [], count: parents.count)
        var order: [Int] = []
        order.reserveCapacity(parents.count)
        for (index, parent) in parents.enumerated() {
            if parent >= 0 { children[parent].append(index) } else { order.append(index) }
        }
        var next = 0
        while next < order.count {
            order += children[order[next]]
            next += 1
        }
        if order.count < parents.count {
            let seen = Set(order)
            order += parents.indices.filter { !seen.contains($0) }
        }
        return order
    }

    /// Nanoseconds.
    var duration: UInt64 { end &- start }

    var rootService: String { root.map { trace.service(of: trace.spans[$0]) } ?? "" }

    var rootName: String { root.map { trace.spans[$0].name } ?? "" }

    func resource(of span: StoredSpan) -> [Attribute] {
        trace.resources.indices.contains(span.resource) ? trace.resources[span.resource] : []
    }

    /// The value of a field of a span; `.none` where it is missing.
    func value(_ field: QueryField, of index: Int) -> QueryValue {
        let span = trace.spans[index]
        switch field {
        case .attribute(let scope, let key):
            var found: AttributeValue?
            if scope != .resource { found = span.attributes[key] }
            if found == nil, scope != .span { found = resource(of: span)[key] }
            return found.map { QueryValue($0) } ?? .none
        case .intrinsic(let intrinsic):
            return value(intrinsic, of: index)
        }
    }

    private func value(_ intrinsic: QueryField.Intrinsic, of index: Int) -> QueryValue {
        let span = trace.spans[index]
        switch intrinsic {
        case .name: return .string(span.name)
        case .status: return .status(span.statusCode)
        case .statusMessage: return .string(span.statusMessage)
        case .kind: return .kind(span.kind)
        case .duration: return .duration(Int64(clamping: span.duration))
        case .id: return .string(span.id.hex)
        case .parent: return span.parent.map { .string($0.hex) } ?? .none
        case .childCount: return .int(Int64(childCounts[index]))
        // Orphans count as roots: whoever asks for roots wants each trace's first spans.
        case .nestedSetParent: return .int(parents[index] < 0 ? -1 : Int64(parents[index] + 1))
        case .rootName: return .string(rootName)
        case .rootService: return .string(rootService)
        case .traceDuration: return .duration(Int64(clamping: duration))
        case .traceID: return .string(trace.id.hex)
        case .instrumentation: return .string(span.scope)
        }
    }
}

extension SpanID {
    /// 16 hex digits.
    var hex: String { TraceIDText.hex(self) }

    /// From 1 to 16 hex digits; nil for any other text and for 0.
    init?(hex text: some StringProtocol) {
        guard (1...16).contains(text.utf8.count), let bits = HexText.bits(text), bits != 0 else { return nil }
        self.init(bits)
    }
}

extension TraceID {
    /// 32 hex digits.
    var hex: String { TraceIDText.hex(self) }

    /// From 1 to 32 hex digits, filled up with zeros from the left as Tempo does; nil for any other text.
    init?(hex text: some StringProtocol) {
        guard (1...32).contains(text.utf8.count) else { return nil }
        let digits = String(repeating: "0", count: 32 - text.utf8.count) + text
        guard let high = HexText.bits(digits.prefix(16)), let low = HexText.bits(digits.suffix(16)) else { return nil }
        self.init(high: high, low: low)
    }
}

/// Hexadecimal digits of 64 bits.
private enum HexText {
    /// Only digits: no sign, no prefix.
    static func bits(_ text: some StringProtocol) -> UInt64? {
        text.utf8.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit } ? UInt64(text, radix: 16) : nil
    }
}
