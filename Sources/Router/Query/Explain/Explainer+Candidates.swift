import Linking
import Shared

// Roots and orphans: who might have been the parent, and what failed.

extension Explainer {
    /// One key of the span to look for.
    private struct Lookup {
        var key: String
        var value: AttributeValue
    }

    /// A candidate with how it was judged.
    private struct Judged {
        var candidate: ExplainedSpan
        var check: LinkCheck
        var distance: UInt64
    }

    func root(_ span: ExplainedSpan, _ view: ExplainedTrace) async throws(Failure) -> Explanation {
        var explanation = Explanation(span: span.told, sentence: "", notes: Self.notes(span))
        if let id = span.span.parent {
            let parent = view[id]
            explanation.parent = parent?.told
                ?? Explanation.Span(id: id.hex, traceID: span.span.traceID.hex, service: "", name: "")
            explanation.rule = "application"
            explanation.sentence =
                "The request carried the trace context of an application, which names span \(id.hex) "
                + (parent.map { "(\($0.title)) as its parent." }
                    ?? "as its parent; the store does not hold that span.")
            explanation.matched = [
                .init(
                    what: "app_parent_id", child: span.span.attributes["ebpf.app_parent_id"]?.text ?? id.hex,
                    parent: id.hex)
            ]
        }
        if span.lacksFacts {
            explanation.notes.append(Self.factsAreMissing)
            if explanation.sentence.isEmpty {
                explanation.sentence = "It is a root: ebpftrace made no edge to a parent."
            }
            return explanation
        }
        let judged = try await candidates(of: span)
        explanation.candidates = judged.map {
            Explanation.Candidate(
                span: $0.candidate.told, rule: $0.check.rule, matched: $0.check.matched, failed: $0.check.failed)
        }
        if explanation.sentence.isEmpty { explanation.sentence = Self.sentence(span, judged) }
        return explanation
    }

    // MARK: Sentences

    private static func sentence(_ span: ExplainedSpan, _ judged: [Judged]) -> String {
        if span.isMarked("truncated") {
            return "Its parent is known, but the trace was full or too deep: it begins a trace of its own."
        }
        if span.isIncoming {
            guard let request = span.requestSequence else {
                return "It is a root: the report has no req_seq, so its caller cannot be found."
            }
            return judged.contains { $0.check.matched.contains { $0.what == "req_seq" } }
                ? "It is a root: there are calls with its req_seq \(request), but none of them could be its other side."
                : "It is a root: no call with its req_seq \(request) was reported. Its caller is not traced, or the "
                    + "report of the call was lost or dropped."
        }
        if span.isEntry { return "It is a root: an outgoing span marked as entry is the head of its thread." }
        let thread = span.threadKey.map { "no entry with its thread_trace_id \($0) was reported" }
            ?? "it has no thread_trace_id"
        let open = judged.count { $0.check.rule == "R4" && $0.check.failed.allSatisfy(Self.isAmbiguity) }
        let process =
            open > 1
            ? "\(open) requests were open on its process \(name(span)) at that moment, so nothing tells whose it is"
            : "no request that its process \(name(span)) was serving at that moment was found"
        return "It is a root: \(thread), and \(process)."
    }

    private static func name(_ span: ExplainedSpan) -> String {
        "(pid \(span.processID ?? "unknown"), thread \(span.threadID ?? "unknown"))"
    }

    private static let ambiguity = "several requests were open at once (ambiguous)"
    private static func isAmbiguity(_ failure: String) -> Bool { failure == ambiguity }

    // MARK: Candidates

    private func candidates(of span: ExplainedSpan) async throws(Failure) -> [Judged] {
        var judged: [SpanID: Judged] = [:]
        func keep(_ other: ExplainedSpan, _ check: LinkCheck) {
            guard other.span.id != span.span.id else { return }
            if let known = judged[other.span.id], known.check.failed.count <= check.failed.count { return }
            let distance = max(other.span.start, span.span.start) - min(other.span.start, span.span.start)
            judged[other.span.id] = Judged(candidate: other, check: check, distance: distance)
        }
        if span.isIncoming {
            for other in try await spans(like: span, "req_seq") where !other.isIncoming {
                keep(other, .net(child: span, parent: other))
            }
        }
        if !span.isIncoming || !span.isEntry {
            for other in try await spans(like: span, "thread_trace_id") where other.isEntry {
                keep(other, .thread(child: span, parent: other))
            }
            for other in try await spans(like: span, "pid") where other.isEntry && Self.isNear(other, span) {
                keep(other, .process(child: span, parent: other))
            }
        }
        var list = judged.values.sorted {
            ($0.check.failed.count, $0.distance, $0.candidate.span.id)
                < ($1.check.failed.count, $1.distance, $1.candidate.span.id)
        }
        list = Array(list.prefix(limits.explainCandidates))
        return try await explainUnfailed(span, list)
    }

    private func spans(like span: ExplainedSpan, _ fact: String) async throws(Failure) -> [ExplainedSpan] {
        guard let (key, value) = ExplainedSpan.fact(fact, of: span.span) else { return [] }
        switch fact {
        case "req_seq" where span.requestSequence == nil, "thread_trace_id" where span.threadKey == nil: return []
        default: break
        }
        let found = try await store.candidates(
            withAttribute: key, value: value, near: span.span.start, limit: limits.explainLookups)
        let view = ExplainedTrace(found)
        return found.spans.indices.map { view[place: $0] }
    }

    /// An entry of the process that began before the call and was over at most a second before it.
    private static func isNear(_ entry: ExplainedSpan, _ span: ExplainedSpan) -> Bool {
        guard let start = entry.kernelTime, let end = entry.closedAt, let time = span.kernelTime else { return false }
        let slack: Int64 = 1_000_000_000
        return start.subtractingReportingOverflow(slack).partialValue <= time
            && time <= end.addingReportingOverflow(slack).partialValue
    }

    /// Says of candidates whose facts would do why they were not taken all the same.
    private func explainUnfailed(_ span: ExplainedSpan, _ list: [Judged]) async throws(Failure) -> [Judged] {
        var list = list
        let open = list.count { $0.check.rule == "R4" && $0.check.failed.isEmpty }
        for place in list.indices where list[place].check.failed.isEmpty {
            let candidate = list[place].candidate
            if list[place].check.rule == "R4" {
                list[place].check.failed = [open > 1 ? Self.ambiguity : Self.unmade]
                continue
            }
            var reason = Self.unmade
            if span.isIncoming, list[place].check.rule != "R3",
                let trace = try await store.trace(candidate.span.traceID),
                let child = ExplainedTrace(trace).netChild(of: candidate.span.id, beside: span.span.id) {
                reason = "its other side is \(child.title), span \(child.span.id.hex), already; a request has one"
            }
            list[place].check.failed = [reason]
        }
        return list.sorted { ($0.check.failed.count, $0.distance) < ($1.check.failed.count, $1.distance) }
    }

    private static let unmade =
        "the facts agree, but the edge was not made when the trace closed: one of the two came too late, the edge "
        + "would have closed a cycle, or the trace was full"
}
