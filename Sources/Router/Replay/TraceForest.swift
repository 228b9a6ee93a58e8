import Foundation
import Linking
import Shared

/// The exported spans of a replay or a demo, put back together as trees.
///
/// Built from JSON lines as the file target writes them. A span's place in its tree is its `ebpf_parent_id`. Spans are
/// numbered in the order they came.
struct TraceForest: Sendable {
    /// What a tree shows of a span.
    struct Span: Sendable, Equatable {
        var id: String
        var parentID: String
        var traceID: String
        var service: String
        /// Resource, else operation.
        var label: String
        /// True for the called side.
        var isIncoming: Bool
        /// Microseconds; negative: no response was seen.
        var duration: Int64
        /// Microseconds since 1970.
        var start: Int64
        /// Evidence of the edge to the parent; empty for a root.
        var evidence: String
        /// Marks that apply: late, root_missing, truncated.
        var marks: [String]
        var isError: Bool
    }

    /// One trace: its spans in order of drawing.
    struct Trace: Sendable, Equatable {
        var id: String
        /// Spans from the root down, parents before children, siblings by start.
        var nodes: [Node]
        var services: Int
        var kindsOfEvidence: Int
        /// One root, no parent missing, no mark.
        var isComplete: Bool
    }

    /// A span's place in a drawing.
    struct Node: Sendable, Equatable {
        /// Number of the span.
        var span: Int
        /// Edges up to the root.
        var depth: Int
        /// True for the last child of its parent.
        var isLast: Bool
    }

    private(set) var spans: [Span] = []

    /// Most spans that are taken in; about 400 bytes each. Later ones are left out.
    static let mostSpans = 500_000

    init(spans: [Span]) { self.spans = spans }

    /// Reads exported JSON lines; lines without `span_id` (a part's first line) are passed over.
    /// - Throws: `Failure(.fileMissing)`, `Failure(.badInput)`.
    init(path: String) throws {
        let packing = ReplayForm(fileName: path)?.packing ?? .plain
        var reader = PointReader(
            stream: try FileStream(path: path).unpacked(packing), path: path,
            cutter: PointCutter(form: .json, largestPoint: Limits().pointBytes * 2))
        var line: [UInt8] = []
        while spans.count < Self.mostSpans, try reader.next(into: &line) {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
                throw Failure(.badInput, "\(path):\(reader.line) is no JSON object; name a file this program wrote")
            }
            if let span = Span(object) { spans.append(span) }
            line.removeAll(keepingCapacity: true)
        }
    }
}

extension TraceForest.Span {
    /// A span from one exported line; nil when the line is not a span.
    init?(_ fields: [String: Any]) {
        func text(_ key: String) -> String {
            switch fields[key] {
            case let text as String: text
            case let number as NSNumber: number.stringValue
            default: ""
            }
        }
        func number(_ key: String) -> Int64 { (fields[key] as? NSNumber)?.int64Value ?? 0 }
        id = text("span_id")
        if id.isEmpty || id == "0" { return nil }
        parentID = text("ebpf_parent_id")
        traceID = text("ebpf_trace_id")
        service = text("service")
        label = [text("resource"), text("operation")].first { !$0.isEmpty } ?? ""
        isIncoming = text("direction") == "incoming"
        duration = number("duration")
        start = number("start")
        evidence = text("link_evidence")
        marks = ["late", "root_missing", "truncated"].filter {
            !["", "0", "false"].contains(text($0))
        }
        isError = text("status") == "error"
    }

    var isRoot: Bool { parentID.isEmpty || parentID == "0" }

    /// Whether no mark says that something of the trace is missing. The first call of a client that serves nobody is a
    /// root without an entry (`root_missing`) and all there is.
    var isSound: Bool { marks.isEmpty || marks == ["root_missing"] && isRoot }
}

extension TraceForest {
    /// Every trace, in order of its first span. Linear in the spans but for sorting siblings; no recursion.
    func traces() -> [Trace] {
        var numbers: [String: Int] = Dictionary(minimumCapacity: spans.count)
        for (number, span) in spans.enumerated() where numbers[span.id] == nil { numbers[span.id] = number }
        var children: [Int: [Int]] = [:]
        var members: [String: [Int]] = [:]
        var roots: [String: [Int]] = [:]
        for (number, span) in spans.enumerated() where numbers[span.id] == number {
            members[span.traceID, default: []].append(number)
            if !span.isRoot, let parent = numbers[span.parentID], spans[parent].traceID == span.traceID {
                children[parent, default: []].append(number)
            } else {
                roots[span.traceID, default: []].append(number)
            }
        }
        let ordered = members.sorted { $0.value[0] < $1.value[0] }
        return ordered.map { id, all in trace(id, members: all, roots: roots[id] ?? [], children: children) }
    }

    private func trace(_ id: String, members: [Int], roots: [Int], children: [Int: [Int]]) -> Trace {
        let nodes = draw(roots, children)
        // A cycle has no root and is not drawn: then nodes are missing, and the trace is not complete.
        let isWhole = roots.count == 1 && spans[roots[0]].isRoot && nodes.count == members.count
        return Trace(
            id: id, nodes: nodes, services: Set(members.map { spans[$0].service }).count,
            kindsOfEvidence: Set(members.map { spans[$0].evidence }.filter { !$0.isEmpty }).count,
            isComplete: isWhole && members.allSatisfy { spans[$0].isSound })
    }

    /// Depth first with a stack of its own: chains may be millions deep.
    private func draw(_ roots: [Int], _ children: [Int: [Int]]) -> [Node] {
        var nodes: [Node] = []
        var stack = lastFirst(roots, depth: 0)
        while let node = stack.popLast() {
            nodes.append(node)
            if let below = children[node.span] { stack += lastFirst(below, depth: node.depth + 1) }
        }
        return nodes
    }

    /// Siblings from the latest to the earliest, so that a stack gives the earliest first.
    private func lastFirst(_ siblings: [Int], depth: Int) -> [Node] {
        let sorted = siblings.sorted { (spans[$1].start, $1) < (spans[$0].start, $0) }
        return sorted.enumerated().map { Node(span: $1, depth: depth, isLast: $0 == 0) }
    }

    /// Three traces worth looking at: complete, of different sizes, and with as many services and kinds of evidence as
    /// there are; none longer than a screen while there is a choice.
    /// - Complexity: O(traces · log traces).
    func instructive(among traces: [Trace], count: Int = 3, screen: Int = 40) -> [Trace] {
        let good = traces.filter { $0.isComplete && $0.nodes.count > 1 && $0.nodes.count <= screen }
        var candidates = good.isEmpty ? traces : good
        candidates.sort(by: Self.isMoreInstructive)
        var picked: [Trace] = []
        var room = Int.max
        while picked.count < count, let next = candidates.first(where: { $0.nodes.count <= room }) {
            picked.append(next)
            // The next one is at most two thirds as long, so that the three look different.
            room = next.nodes.count * 2 / 3
        }
        for other in candidates where picked.count < count && !picked.contains(other) { picked.append(other) }
        return picked.sorted { ($0.nodes.count, $0.id) < ($1.nodes.count, $1.id) }
    }

    private static func isMoreInstructive(_ left: Trace, _ right: Trace) -> Bool {
        let a = (left.services, left.kindsOfEvidence, left.nodes.count)
        let b = (right.services, right.kindsOfEvidence, right.nodes.count)
        return a == b ? left.id < right.id : a > b
    }
}
