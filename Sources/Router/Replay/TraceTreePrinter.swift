import Glibc

/// Draws traces as trees, one line a span.
///
/// ```
/// trace 7c0e…  4 spans, 2 services, 12.4 ms
/// web   in  GET /orders              12.4 ms  root
/// └─ web   out GET /stock             9.1 ms  thread
///    └─ stock in  GET /stock          8.8 ms  net
/// ```
/// The width of text is counted in characters; wide ones (CJK) count double.
struct TraceTreePrinter: Sendable {
    /// Columns of the screen; lines are cut to it.
    let width: Int
    let colours: Bool
    /// Lines of one tree; what is beyond is counted in a last line.
    let longestTree: Int

    /// Deepest level that is indented further; deeper spans say their depth instead.
    private static let deepest = 16

    init(width: Int = 100, colours: Bool = false, longestTree: Int = 60) {
        self.width = max(40, width)
        self.colours = colours
        self.longestTree = max(1, longestTree)
    }

    /// A printer for a file descriptor: its width, and colours when it is a terminal that wants them.
    init(descriptor: Int32) {
        var size = winsize()
        let isTerminal = isatty(descriptor) == 1
        let known = isTerminal && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let isPlain = getenv("NO_COLOR") != nil || getenv("TERM").map { String(cString: $0) } == "dumb"
        self.init(width: known ? Int(size.ws_col) : 100, colours: isTerminal && !isPlain)
    }

    /// One trace as lines, each ended by a line break. Linear in its spans.
    func text(of trace: TraceForest.Trace, in forest: TraceForest) -> String {
        var lines = [head(of: trace, in: forest)]
        var rails = Rails()
        let shown = trace.nodes.prefix(longestTree)
        let rows = shown.map { row(for: $0, span: forest.spans[$0.span], prefix: rails.prefix(of: $0)) }
        let left = min(width - 26, rows.map { Self.columns($0.left) }.max() ?? 0)
        lines += rows.map { line(for: $0, left: left) }
        let more = trace.nodes.count - shown.count
        if more > 0 { lines.append("… and \(Figures.count(more)) more") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Three instructive traces of a forest, with a blank line between them.
    func text(of forest: TraceForest) -> String {
        forest.instructive(among: forest.traces()).map { text(of: $0, in: forest) }.joined(separator: "\n")
    }

    // MARK: - Lines

    private struct Row {
        /// Tree lines, service and label, without colours.
        var left: String
        /// Characters of `left` that are tree lines.
        var rails: Int
        var duration: String
        var evidence: String
        var isError: Bool
    }

    private func head(of trace: TraceForest.Trace, in forest: TraceForest) -> String {
        let services = trace.services == 1 ? "1 service" : "\(trace.services) services"
        let spans = trace.nodes.count == 1 ? "1 span" : "\(Figures.count(trace.nodes.count)) spans"
        var parts = [spans, services]
        if let root = trace.nodes.first { parts.append(Self.duration(forest.spans[root.span].duration)) }
        if !trace.isComplete { parts.append("incomplete") }
        return painted("trace \(Figures.oneLine(trace.id, atMost: 32))", .bold) + "  " + parts.joined(separator: ", ")
    }

    private func row(for node: TraceForest.Node, span: TraceForest.Span, prefix: String) -> Row {
        let service = span.service.isEmpty ? "?" : Figures.oneLine(span.service, atMost: 40)
        let side = span.isIncoming ? "in " : "out"
        let left = "\(prefix)\(service) \(side) \(Figures.oneLine(span.label, atMost: 200))"
        // An edge without evidence comes from another collector, or from `compat`.
        let unnamed = span.isRoot ? "root" : node.depth == 0 ? "parent missing" : "linked"
        let evidence = span.evidence.isEmpty ? unnamed : span.evidence
        let marks = span.isSound ? [] : span.marks
        return Row(
            left: left, rails: prefix.count, duration: Self.duration(span.duration),
            evidence: ([Figures.oneLine(evidence, atMost: 14)] + marks).joined(separator: " "),
            isError: span.isError)
    }

    private func line(for row: Row, left: Int) -> String {
        let text = Self.cut(row.left, to: left)
        let rails = painted(String(text.prefix(row.rails)), .dim)
        let name = painted(String(text.dropFirst(row.rails)), row.isError ? .red : .none)
        let gap = String(repeating: " ", count: max(0, left - Self.columns(text)))
        let duration = String(repeating: " ", count: max(0, 10 - row.duration.count)) + row.duration
        return "\(rails)\(name)\(gap)  \(duration)  \(painted(row.evidence, .cyan))"
    }

    private static func duration(_ microseconds: Int64) -> String {
        microseconds < 0 ? "no answer" : Figures.time(.microseconds(microseconds))
    }

    // MARK: - Tree lines

    /// The lines on the left of a tree; knows of each level whether more siblings follow.
    private struct Rails {
        private var isLast: [Bool] = []

        mutating func prefix(of node: TraceForest.Node) -> String {
            if isLast.count > node.depth { isLast.removeLast(isLast.count - node.depth) }
            isLast.append(node.isLast)
            guard node.depth > 0 else { return "" }
            let own = node.isLast ? "└─ " : "├─ "
            if node.depth > TraceTreePrinter.deepest { return "… \(node.depth) " + own }
            return isLast[1..<node.depth].map { $0 ? "   " : "│  " }.joined() + own
        }
    }

    // MARK: - Widths and colours

    private enum Paint: String {
        case none = "", bold = "\u{1B}[1m", dim = "\u{1B}[2m", red = "\u{1B}[31m", cyan = "\u{1B}[36m"
    }

    private func painted(_ text: String, _ paint: Paint) -> String {
        colours && paint != .none && !text.isEmpty ? paint.rawValue + text + "\u{1B}[0m" : text
    }

    /// Columns that a text takes on a terminal.
    static func columns(_ text: String) -> Int { text.reduce(0) { $0 + columns($1) } }

    private static func columns(_ character: Character) -> Int {
        guard let value = character.unicodeScalars.first?.value else { return 0 }
        let wide: [ClosedRange<UInt32>] = [
            0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD,
        ]
        return value >= 0x1100 && wide.contains { $0.contains(value) } ? 2 : 1
    }

    /// The text cut to a number of columns, with a sign that something is missing.
    private static func cut(_ text: String, to limit: Int) -> String {
        if columns(text) <= limit { return text }
        var used = 1
        var kept = ""
        for character in text {
            used += columns(character)
            if used > limit { break }
            kept.append(character)
        }
        return kept + "…"
    }
}
