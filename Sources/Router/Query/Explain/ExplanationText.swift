/// An explanation as the terminal shows it: at most 100 columns where values allow.
///
///     span      3f2a…  gw (GET /home)                 trace 9c1e…
///     parent    77b0…  load (GET /home)
///     rule      R1a, evidence net
///
///     load's call and …
///
///     matched              child                      parent
///       req_seq            1529575812                 1529575812
enum ExplanationText {
    static func lines(_ explanation: Explanation) -> String {
        var lines = ["span      \(title(explanation.span))", "trace     \(explanation.span.traceID)"]
        if let parent = explanation.parent {
            lines.append("parent    \(title(parent))")
        } else {
            lines.append("parent    none")
        }
        if let rule = explanation.rule {
            lines.append("rule      " + rule + (explanation.evidence.map { ", evidence \($0)" } ?? ""))
        }
        lines += [""] + wrapped(explanation.sentence, indent: "")
        if !explanation.matched.isEmpty { lines += [""] + table(explanation.matched, "matched", "") }
        for (number, candidate) in explanation.candidates.enumerated() {
            lines += ["", "candidate \(number + 1)  \(title(candidate.span)), nearest rule \(candidate.rule)"]
            for failure in candidate.failed { lines += wrapped("failed: " + failure, indent: "  ") }
            if !candidate.matched.isEmpty { lines += table(candidate.matched, "matched", "  ") }
        }
        if !explanation.notes.isEmpty { lines.append("") }
        for note in explanation.notes { lines += wrapped("note: " + note, indent: "") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func title(_ span: Explanation.Span) -> String {
        if span.service.isEmpty { return "\(span.id)  (not stored)" }
        return "\(span.id)  \(span.service)" + (span.name.isEmpty ? "" : "  \(span.name)")
    }

    private static func table(_ matches: [Explanation.Match], _ heading: String, _ indent: String) -> [String] {
        let rows = [(heading, "child", "parent")] + matches.map { ("  " + $0.what, $0.child, $0.parent) }
        let first = rows.map(\.0.count).max() ?? 0
        let second = rows.map(\.1.count).max() ?? 0
        return rows.map { indent + padded($0.0, first + 3) + padded($0.1, second + 3) + $0.2 }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func wrapped(_ text: String, indent: String, width: Int = 100) -> [String] {
        var lines: [String] = []
        var line = indent
        for word in text.split(separator: " ") {
            if line.count > indent.count, line.count + 1 + word.count > width {
                lines.append(line)
                line = indent
            }
            line += (line.count > indent.count ? " " : "") + word
        }
        return lines + [line]
    }
}
