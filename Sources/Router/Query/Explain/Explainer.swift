import Linking
import Shared

/// Explains spans of a store: the edge with the values that made it, or why there is none.
struct Explainer: Sendable {
    let store: any TraceReading
    let limits: Limits

    /// Explains one span of a trace view; nil when the trace does not hold it.
    /// - Throws: what the store throws.
    func explain(_ id: SpanID, in trace: StoredTrace) async throws(Failure) -> Explanation? {
        let view = ExplainedTrace(trace)
        guard let span = view[id] else { return nil }
        if span.span.isApplication { return Self.application(span, view) }
        if span.evidence != .none, let parent = span.linkedParent {
            return Self.edge(span, parent, view)
        }
        return try await root(span, view)
    }

    // MARK: Edges

    private static func edge(_ child: ExplainedSpan, _ id: SpanID, _ view: ExplainedTrace) -> Explanation {
        let evidence = child.evidence
        guard let parent = view[id] else {
            let gone = Explanation.Span(id: id.hex, traceID: child.span.traceID.hex, service: "", name: "")
            return Explanation(
                span: child.told, parent: gone, evidence: evidence.name, rule: rule(evidence),
                sentence: "Its parent \(id.hex) was found by rule \(rule(evidence)), but the store does not hold it: "
                    + "it was dropped, it expired, or it goes to another store.",
                notes: notes(child))
        }
        var check = check(child, parent, evidence)
        var sentence = sentence(child, parent, check, evidence)
        var notes = notes(child)
        if evidence == .process, !check.failed.isEmpty, let sibling = view.sibling(of: child, below: id) {
            check = LinkCheck(rule: "R5", matched: check.matched)
            if let key = child.threadKey {
                check.matched.insert(.init(what: "thread_trace_id", child: String(key), parent: String(key)), at: 0)
            }
            sentence = "This call has no entry with its thread key, and it hangs where \(sibling.title) hangs, which "
                + "has the same thread_trace_id: below \(parent.title), which was open when it was made."
            notes.append("the equal thread_trace_id is that of span \(sibling.span.id.hex), a call of the same request")
        }
        if evidence == .netWeak {
            notes.append(LinkCheck.difference("resp_seq", child.responseSequence, parent.responseSequence))
        }
        if child.lacksFacts || parent.lacksFacts {
            notes.append(Self.factsAreMissing)
        } else {
            notes += check.failed.map { "the stored facts do not confirm it: \($0)" }
        }
        var shown = parent
        if let id = child.span.parent, id != parent.span.id, let other = view[id] {
            notes.append("ebpftrace linked it to \(parent.title), span \(parent.span.id.hex); the view shows the "
                + "application's span between the two")
            shown = other
        }
        return Explanation(
            span: child.told, parent: shown.told, evidence: evidence.name, rule: check.rule, sentence: sentence,
            matched: check.matched, notes: notes)
    }

    static let factsAreMissing =
        "the values are not stored with these spans: only spans that came through this router's own store target "
        + "carry them (docs/explain.md)"

    private static func check(_ child: ExplainedSpan, _ parent: ExplainedSpan, _ evidence: LinkEvidence) -> LinkCheck {
        var check =
            switch evidence {
            case .thread: LinkCheck.thread(child: child, parent: parent)
            case .process: LinkCheck.process(child: child, parent: parent)
            default: LinkCheck.net(child: child, parent: parent)
            }
        check.rule = rule(evidence)
        return check
    }

    private static func rule(_ evidence: LinkEvidence) -> String {
        switch evidence {
        case .none: "none"
        case .net: "R1a"
        case .netKey: "R1b"
        case .netWeak: "R2"
        case .thread: "R3"
        case .process: "R4"
        }
    }

    private static func sentence(
        _ child: ExplainedSpan, _ parent: ExplainedSpan, _ check: LinkCheck, _ evidence: LinkEvidence
    ) -> String {
        let request = child.requestSequence.map(String.init) ?? "?"
        let response = child.responseSequence.map(String.init) ?? "?"
        switch evidence {
        case .net:
            return "\(child.title) answered the call of \(parent.title): both sides saw the same request and response "
                + "(req_seq \(request), resp_seq \(response)) on the same connection."
        case .netKey:
            return "\(child.title) answered the call of \(parent.title): both sides saw the same request and response "
                + "(req_seq \(request), resp_seq \(response)); their addresses differ, as behind a NAT."
        case .netWeak:
            let end = check.matched.contains { $0.what == "connection" } ? "connection" : "calling end"
            return "\(child.title) received the request of \(parent.title) (req_seq \(request), same \(end)), though "
                + "the two did not see the same response."
        case .thread:
            return "\(parent.title) made this call to serve its request: both carry thread_trace_id "
                + "\(child.threadKey.map(String.init) ?? "?")."
        case .process:
            return "\(parent.title) was the one request that thread \(child.threadID ?? "?") of process "
                + "\(child.processID ?? "?") was serving when this call was made."
        case .none:
            return ""
        }
    }

    static func notes(_ span: ExplainedSpan) -> [String] {
        var notes: [String] = []
        if span.isMarked("late") { notes.append("it came after its trace had closed (late)") }
        if span.isMarked("root_missing") {
            notes.append("it has a thread key, but no entry with it arrived (root_missing)")
        }
        if span.isMarked("truncated") {
            notes.append("its trace was full or too deep, so the edge to its parent was not made (truncated)")
        }
        if !span.hasResponse { notes.append("no response was seen; its end is not known (open)") }
        return notes
    }

    // MARK: Spans of applications

    private static func application(_ span: ExplainedSpan, _ view: ExplainedTrace) -> Explanation {
        guard let id = span.span.parent else {
            return Explanation(
                span: span.told, sentence: "The application's own tracing began here: its SDK named no parent.")
        }
        let original = span.span.attributes["ebpftrace.original_parent_id"]?.text
        guard let parent = view[id] else {
            return Explanation(
                span: span.told,
                parent: Explanation.Span(id: id.hex, traceID: span.span.traceID.hex, service: "", name: ""),
                rule: "application",
                sentence: "The application's SDK named span \(id.hex) as its parent; the store does not hold it.")
        }
        var explanation = Explanation(
            span: span.told, parent: parent.told, rule: "application",
            sentence: "The application's SDK named \(parent.title) as its parent.")
        explanation.matched = [.init(what: "span id", child: original ?? id.hex, parent: id.hex)]
        if let original, original != id.hex {
            explanation.sentence = "The application's span and \(parent.title), which ebpftrace saw on the network, "
                + "carry the same parent \(original); the request passed through the latter, so it stands between."
            explanation.matched = [
                .init(
                    what: "app_parent_id", child: original,
                    parent: parent.span.attributes["ebpf.app_parent_id"]?.text ?? original)
            ]
        }
        return explanation
    }
}

/// A trace view by span id.
struct ExplainedTrace: Sendable {
    private let trace: StoredTrace
    private let places: [SpanID: Int]

    init(_ trace: StoredTrace) {
        self.trace = trace
        places = Dictionary(trace.spans.enumerated().map { ($1.id, $0) }) { first, _ in first }
    }

    subscript(id: SpanID) -> ExplainedSpan? { places[id].map { self[place: $0] } }

    subscript(place place: Int) -> ExplainedSpan {
        let span = trace.spans[place]
        let known = trace.resources.indices.contains(span.resource)
        return ExplainedSpan(span, resource: known ? trace.resources[span.resource] : [])
    }

    /// Another call with the span's thread key that rule R4 hung below the same parent.
    func sibling(of span: ExplainedSpan, below parent: SpanID) -> ExplainedSpan? {
        guard let key = span.threadKey else { return nil }
        for place in trace.spans.indices where trace.spans[place].parent == parent {
            let other = self[place: place]
            if other.span.id != span.span.id, other.threadKey == key, other.evidence == .process { return other }
        }
        return nil
    }

    /// The span that hangs below another by a net rule, beside one; nil when there is none.
    func netChild(of parent: SpanID, beside other: SpanID) -> ExplainedSpan? {
        for place in trace.spans.indices where trace.spans[place].id != other {
            let span = trace.spans[place]
            guard span.parent == parent || span.attributes["ebpftrace.parent_id"]?.text == parent.hex else {
                continue
            }
            let child = self[place: place]
            if [.net, .netKey, .netWeak].contains(child.evidence) { return child }
        }
        return nil
    }
}
