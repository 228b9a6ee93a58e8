import Foundation
import Shared

/// One frame of `top`: the figures of the status page as lines of text.
///
/// Pure: no terminal, no clock. Lines are cut to the width; colours are escape sequences that a terminal without
/// colours does not get.
struct TopScreen {
    var status: RouterPages.Status
    var history: StatusHistory.Page
    /// Where the figures come from, for the first line.
    var address: String
    var width = 100
    var height = 40
    var hasColours = false

    /// The frame, at most `height` lines of at most `width` visible characters.
    func lines() -> [String] {
        var lines = head() + flow() + ended() + linking() + store() + workers()
        if !status.problems.isEmpty {
            lines.append("")
            lines += status.problems.map { styled("! \($0)", .bad) }
        }
        return Array(lines.prefix(height)).map(cut)
    }

    // MARK: Parts

    private func head() -> [String] {
        let state = status.problems.isEmpty ? styled("ready", .good) : styled("not ready", .bad)
        let up = Figures.time(.seconds(Int(status.upSeconds)))
        return [
            styled("ebpftrace \(status.version)", .title) + "  \(address)  \(state)  up \(up)",
            "",
        ]
    }

    private func flow() -> [String] {
        let rates = Rates(history.points)
        let step = max(1, (width - 40))
        let cpu = rates.map { String(format: "%.2f cores", $0.cpuCores) } ?? "–"
        let memory = history.points.last.map { Figures.bytes($0.memoryBytes) } ?? "–"
        let lag = history.points.last.map { String(format: "%.1f s", $0.lagSeconds) } ?? "–"
        return [
            row("in", rates?.accepted, status.spansAccepted) + "  " + sparkline(rates: step),
            row("out", rates?.exported, status.spansExported.values.max() ?? 0),
            row("dropped", rates?.dropped, status.spansDropped.values.reduce(0, +)),
            "  held     " + pad(Figures.count(Int(clamping: status.spansHeld)), 14)
                + "   open in traces " + Figures.count(status.openSpans),
            "  lag      " + pad(lag, 14) + "   epoch \(status.watermark)"
                + (status.newestMark.map { " of \($0)" } ?? "") + "   waiting epochs \(status.waitingEpochs)",
            "  cpu      " + pad(cpu, 14) + "   memory \(memory)",
            "",
        ]
    }

    private func ended() -> [String] {
        var lines = [styled("  where spans ended", .title)]
        for (target, spans) in status.spansExported.sorted(by: { $0.key < $1.key }) {
            lines.append("  exported to " + pad(target, 24) + pad(Figures.count(Int(clamping: spans)), 16, left: true))
        }
        for (reason, spans) in status.spansDropped.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            lines.append("  dropped: " + pad(reason, 27) + pad(Figures.count(Int(clamping: spans)), 16, left: true))
        }
        return lines + [""]
    }

    private func linking() -> [String] {
        let traces = status.traces.sorted { $0.key < $1.key }
            .map { "\($0.key) \(Figures.count(Int(clamping: $0.value)))" }.joined(separator: "  ")
        let edges = status.edges.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \(Figures.count(Int(clamping: $0.value)))" }.joined(separator: "  ")
        return [
            styled("  linking", .title), "  traces   " + traces,
            "  edges    " + (edges.isEmpty ? "none yet" : edges), "",
        ]
    }

    private func store() -> [String] {
        let store = status.store
        guard store.on else { return [styled("  store", .title) + "    off", ""] }
        func counts(_ parts: [String: UInt64]) -> String {
            let parts = parts.sorted { $0.key < $1.key }.map { "\($0.key) \(Figures.count(Int(clamping: $0.value)))" }
            return parts.isEmpty ? "none" : parts.joined(separator: "  ")
        }
        let waiting = "  waiting  " + pad(Figures.count(store.waiting), 14)
            + String(format: "   behind %.1f s", store.behindSeconds)
        return [
            styled("  store", .title),
            "  held     " + pad(Figures.count(store.spans), 14) + "   segments \(Figures.count(store.segments))   "
                + "\(Figures.bytes(store.bytes)) of \(Figures.bytes(store.bytesMax))",
            store.behindSeconds > StoreStatus.behindLimit ? styled(waiting, .bad) : waiting,
            "  refused  " + counts(store.refused), "  expired  " + counts(store.expired), "",
        ]
    }

    private func workers() -> [String] {
        var lines = [styled("  worker  state     pid        up            restarts  partitions", .title)]
        for worker in status.workers {
            let partitions = status.partitions.filter { $0.worker == worker.ordinal }
                .map { "\($0.first)–\(max(Int($0.end) - 1, 0))" }.joined(separator: ", ")
            let up = worker.upSeconds.map { Figures.time(.seconds(Int($0))) } ?? "–"
            let line = "  " + pad(String(worker.ordinal), 8) + pad(worker.state, 10)
                + pad(worker.pid.map { String($0) } ?? "–", 11) + pad(up, 14) + pad(String(worker.restarts), 10)
                + partitions + (worker.lastExit.map { "   last: \($0)" } ?? "")
            lines.append(worker.state == "running" ? line : styled(line, .bad))
        }
        return lines
    }

    // MARK: Text

    private func row(_ name: String, _ rate: Double?, _ total: UInt64) -> String {
        let rate = rate.map { Figures.count(Int($0.rounded())) + " /s" } ?? "–"
        return "  " + pad(name, 9) + pad(rate, 14) + "   total " + pad(Figures.count(Int(clamping: total)), 16)
    }

    /// Spans in a second, over the points of the history, newest on the right.
    private func sparkline(rates room: Int) -> String {
        let marks = Array("▁▂▃▄▅▆▇█")
        let rates = zip(history.points, history.points.dropFirst()).suffix(max(0, room - 20)).map { old, new in
            max(0, Double(new.accepted) - Double(old.accepted)) / max(0.1, new.time - old.time)
        }
        guard let top = rates.max(), top > 0 else { return "" }
        return String(rates.map { marks[min(marks.count - 1, Int($0 / top * Double(marks.count)))] })
    }

    private func pad(_ text: String, _ width: Int, left: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, width - text.count))
        return left ? blanks + text : text + blanks
    }

    private enum Style: String {
        case title = "1"
        case good = "32"
        case bad = "31"
    }

    private func styled(_ text: String, _ style: Style) -> String {
        hasColours ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Cuts a line to the width; escape sequences take no room.
    private func cut(_ line: String) -> String {
        var result = ""
        var visible = 0
        var isEscape = false
        for character in line {
            if character == "\u{1B}" { isEscape = true }
            if !isEscape {
                guard visible < width else { continue }
                visible += 1
            }
            result.append(character)
            if isEscape, character == "m" { isEscape = false }
        }
        return result
    }
}

extension TopScreen {
    /// Changes a second between the last two points of the history.
    struct Rates {
        var accepted: Double
        var exported: Double
        var dropped: Double
        var cpuCores: Double

        /// nil with fewer than two points, or when the router was started again between them.
        init?(_ points: [StatusHistory.Point]) {
            guard let new = points.last, let old = points.dropLast().last, new.time > old.time,
                new.accepted >= old.accepted else { return nil }
            let seconds = new.time - old.time
            func rate(_ old: UInt64, _ new: UInt64) -> Double { new >= old ? Double(new - old) / seconds : 0 }
            accepted = rate(old.accepted, new.accepted)
            exported = rate(old.exported.values.max() ?? 0, new.exported.values.max() ?? 0)
            dropped = rate(old.dropped.values.reduce(0, +), new.dropped.values.reduce(0, +))
            cpuCores = max(0, new.cpuSeconds - old.cpuSeconds) / seconds
        }
    }
}
