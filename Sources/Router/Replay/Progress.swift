import Glibc

/// The progress line of a long command: how much is done, how fast, how much time is left.
///
/// Pure: the caller gives the time and writes the text. On a terminal one line is written over and over, at most five
/// times a second; elsewhere a line every five seconds.
struct Progress: Sendable {
    /// What is counted, for the line: "spans sent".
    let noun: String
    let isTerminal: Bool

    private let start: Duration
    private var lastShown: Duration?
    private var lineIsOpen = false

    /// - Parameter start: what the clock shows when the work begins.
    init(noun: String, isTerminal: Bool, start: Duration) {
        self.noun = noun
        self.isTerminal = isTerminal
        self.start = start
    }

    /// Text to write now; nil when it is too early for another line.
    /// - Parameters:
    ///   - done: spans done so far.
    ///   - fraction: part of the work that is done, 0 to 1; nil when it cannot be known.
    mutating func update(done: Int, fraction: Double?, now: Duration) -> String? {
        let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(5)
        guard now - (lastShown ?? start) >= pause else { return nil }
        lastShown = now
        return shown(line(done: done, fraction: fraction, elapsed: now - start))
    }

    /// Text that must come before any other output: ends the open line of a terminal.
    mutating func interrupt() -> String {
        defer { lineIsOpen = false }
        return lineIsOpen ? "\r\u{1B}[K" : ""
    }

    /// The line itself: "12,345 spans sent, 45 %, 2,345 spans/s, 12 s left".
    func line(done: Int, fraction: Double?, elapsed: Duration) -> String {
        var parts = ["\(Figures.count(done)) \(noun)"]
        if let fraction { parts.append("\(Int(min(1, max(0, fraction)) * 100)) %") }
        parts.append(Figures.rate(done, in: elapsed))
        if let left = Self.timeLeft(fraction: fraction, elapsed: elapsed) { parts.append("\(Figures.time(left)) left") }
        return parts.joined(separator: ", ")
    }

    /// The time left when work goes on as before; nil in the first two per cent, and when done.
    static func timeLeft(fraction: Double?, elapsed: Duration) -> Duration? {
        guard let fraction, elapsed > .zero, fraction >= 0.02, fraction < 1 else { return nil }
        let seconds: Double = elapsed / .seconds(1)
        return .seconds((seconds * (1 - fraction) / fraction).rounded())
    }

    private mutating func shown(_ line: String) -> String {
        guard isTerminal else { return line + "\n" }
        lineIsOpen = true
        return "\r\(line)\u{1B}[K"
    }
}

/// Where the words of a long command go: standard error, or what a test gives.
struct ProgressOutput: Sendable {
    var isTerminal: Bool
    var write: @Sendable (String) -> Void

    /// Standard error.
    static var standardError: ProgressOutput {
        ProgressOutput(isTerminal: isatty(STDERR_FILENO) == 1) { text in
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
                // Nobody reads what we say: not a reason to stop the work.
                if count <= 0 { return }
                bytes = bytes.dropFirst(count)
            }
        }
    }
}
