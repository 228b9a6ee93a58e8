import Linking
import Shared

/// Puts the spans of a trace under their right parents: those of ebpftrace and those of SDKs as one tree.
///
/// A span takes the first of these that is there and closes no cycle:
///
/// | span | parents, best first |
/// |---|---|
/// | ebpftrace, exit | the SDK span that its `ebpf.app_parent_id` names; its own parent; `ebpftrace.parent_id` |
/// | ebpftrace, entry | `ebpftrace.parent_id` (the caller's exit); its own parent; that of `ebpf.app_parent_id` |
/// | SDK | the ebpftrace server span that was called with the same parent (see `server(over:)`); its own parent |
///
/// So a call reads: SDK client span → exit → entry → SDK server span. A span whose parent is not there keeps it and
/// is an orphan; one whose parent is below it becomes a root. What was replaced stays as attribute
/// `ebpftrace.original_parent_id`. O(n log n), no recursion.
struct TraceView {
    /// How far apart an SDK span and the server span over it may be: agents stamp `start` up to 5 s late.
    static let slackNanoseconds: UInt64 = 10_000_000_000
    static let originalParentKey = "ebpftrace.original_parent_id"

    private var spans: [StoredSpan]
    /// Places of spans by id; the first one for ids that repeat.
    private var places: [SpanID: Int] = [:]
    /// Places of ebpftrace's entries by the SDK parent that they were called with.
    private var servers: [SpanID: [Int]] = [:]
    /// Towards the root, shortened as it is walked.
    private var up: [Int]

    private struct Links {
        var applicationParent: SpanID?
        var ebpfParent: SpanID?
    }
    private var links: [Links] = []

    private init(_ spans: [StoredSpan]) {
        self.spans = spans
        up = Array(spans.indices)
        for (place, span) in spans.enumerated() {
            if places[span.id] == nil { places[span.id] = place }
            let links = Self.links(span)
            self.links.append(links)
            if !span.isApplication, Self.isEntry(span), let parent = links.applicationParent {
                servers[parent, default: []].append(place)
            }
        }
    }

    /// The spans sorted by start and id, each under its right parent.
    static func arranged(_ spans: [StoredSpan]) -> [StoredSpan] {
        let sorted = spans.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
        var view = TraceView(sorted)
        for place in sorted.indices { view.place(place) }
        return view.spans
    }

    /// Client and producer spans are exits.
    static func isEntry(_ span: StoredSpan) -> Bool { span.kind != 3 && span.kind != 4 }

    private static func links(_ span: StoredSpan) -> Links {
        guard !span.isApplication else { return Links() }
        var links = Links()
        var isHexadecimal: Bool?
        var text: String?
        for attribute in span.attributes {
            switch attribute.key {
            case "ebpf.app_parent_id": text = attribute.value.text
            case "ebpf.app_trace_id": isHexadecimal = attribute.value.text.utf8.count == 32 ? true : nil
            case "ebpftrace.parent_id":
                links.ebpfParent = TraceIDText.parseSpan(attribute.value.text.utf8, isHexadecimal: true)
            default: break
            }
        }
        if let text { links.applicationParent = TraceIDText.parseSpan(text.utf8, isHexadecimal: isHexadecimal) }
        return links
    }

    private mutating func place(_ place: Int) {
        let span = spans[place]
        for parent in candidates(place) {
            guard let parent, let above = places[parent], above != place, root(above) != place else { continue }
            up[place] = above
            if span.parent != parent { replaceParent(of: place, by: parent) }
            return
        }
        // The parent is there, but below the span, or the span itself.
        if let parent = span.parent, places[parent] != nil { replaceParent(of: place, by: nil) }
    }

    private func candidates(_ place: Int) -> [SpanID?] {
        let span = spans[place]
        let links = links[place]
        let applicationParent = links.applicationParent.flatMap { isApplication($0) ? $0 : nil }
        if span.isApplication { return [server(over: place), span.parent] }
        if Self.isEntry(span) { return [links.ebpfParent, span.parent, applicationParent] }
        return [applicationParent, span.parent, links.ebpfParent]
    }

    private func isApplication(_ id: SpanID) -> Bool { places[id].map { spans[$0].isApplication } ?? false }

    /// The entry that was called with the SDK span's parent: one that encloses it, else the nearest in time.
    ///
    /// Only for spans that can be the first of their process: the parent is not there, is of another resource, or the
    /// span serves a request.
    private func server(over place: Int) -> SpanID? {
        let span = spans[place]
        guard let parent = span.parent, let called = servers[parent] else { return nil }
        if let above = places[parent], span.kind != 2, span.kind != 5, spans[above].resource == span.resource {
            return nil
        }
        var best: (distance: UInt64, place: Int)?
        for candidate in called.prefix(64) {
            let distance = Self.distance(spans[candidate], span)
            guard distance <= Self.slackNanoseconds else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (distance, candidate) }
        }
        return best.map { spans[$0.place].id }
    }

    /// 0 when the first span encloses the second, else how far the two starts are apart.
    private static func distance(_ outer: StoredSpan, _ inner: StoredSpan) -> UInt64 {
        if outer.start <= inner.start, outer.end >= inner.end { return 0 }
        return outer.start > inner.start ? outer.start - inner.start : inner.start - outer.start
    }

    private mutating func replaceParent(of place: Int, by parent: SpanID?) {
        if let original = spans[place].parent {
            spans[place].attributes.append(Attribute(Self.originalParentKey, .string(TraceIDText.hex(original))))
        }
        spans[place].parent = parent
    }

    /// The root above a span as the tree stands; a new edge from that root downwards would close a cycle.
    private mutating func root(_ place: Int) -> Int {
        var root = place
        while up[root] != root { root = up[root] }
        var step = place
        while up[step] != root, up[step] != step { (step, up[step]) = (up[step], root) }
        return root
    }
}
