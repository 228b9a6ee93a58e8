/// Why a span hangs where it hangs: the answer of `/api/explain/{span}` and of `ebpftrace-router explain`.
struct Explanation: Codable, Sendable, Equatable {
    /// A span, as a reader recognises it.
    struct Span: Codable, Sendable, Equatable {
        /// 16 hex digits.
        var id: String
        /// 32 hex digits.
        var traceID: String
        var service: String
        var name: String
    }

    /// A fact of both ends of an edge, as text: numbers of 64 bits are safe in it.
    struct Match: Codable, Sendable, Equatable {
        /// The field of the point: `req_seq`, `resp_seq`, `thread_trace_id`, `ktime`, …
        var what: String
        var child: String
        var parent: String
    }

    /// A span that might have been the parent.
    struct Candidate: Codable, Sendable, Equatable {
        var span: Span
        /// The rule that was nearest to making the edge.
        var rule: String
        var matched: [Match]
        /// What kept the edge from being made; short sentences.
        var failed: [String]
    }

    var span: Span
    var parent: Span?
    /// `net`, `net_key`, `net_weak`, `thread`, `process`; nil where ebpftrace made no edge.
    var evidence: String?
    /// R1a … R5 of docs/linking.md; `application` for a parent that an SDK named.
    var rule: String?
    /// All of it in one plain sentence.
    var sentence: String
    var matched: [Match] = []
    /// For a root or an orphan: nearest first.
    var candidates: [Candidate] = []
    var notes: [String] = []

    private enum CodingKeys: String, CodingKey {
        case span, parent, evidence, rule, sentence, matched, candidates, notes
    }

    /// Writes null for what is not there: readers find every member.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(span, forKey: .span)
        try container.encode(parent, forKey: .parent)
        try container.encode(evidence, forKey: .evidence)
        try container.encode(rule, forKey: .rule)
        try container.encode(sentence, forKey: .sentence)
        try container.encode(matched, forKey: .matched)
        try container.encode(candidates, forKey: .candidates)
        try container.encode(notes, forKey: .notes)
    }
}
