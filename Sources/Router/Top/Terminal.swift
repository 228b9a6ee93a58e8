import Glibc
import Synchronization

/// The terminal while `top` owns it: another screen, no cursor, keys without the Enter key.
///
/// Made anew what it was by `restore`, and by the signals that end a program.
final class Terminal: Sendable {
    private let saved: termios?

    /// Whether standard output is a terminal that knows escape sequences.
    static var isInteractive: Bool {
        guard isatty(STDOUT_FILENO) == 1 else { return false }
        return getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? false
    }

    init() {
        var mode = termios()
        if isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &mode) == 0 {
            saved = mode
            // Keys one by one, not echoed; ISIG off, so that Ctrl-C comes as a key and the screen can be given back.
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        } else {
            saved = nil
        }
        write("\u{1B}[?1049h\u{1B}[?25l")
    }

    /// Columns and lines.
    var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Draws a frame over the last one.
    func show(_ lines: [String]) {
        write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// Waits; true as soon as q, Esc, Ctrl-C or Ctrl-D is pressed, or the terminal is gone.
    func isToldToEnd(within seconds: Double) async -> Bool {
        var left = seconds
        while left > 0 {
            if isEndPressed { return true }
            let step = min(0.1, left)
            do { try await Task.sleep(for: .seconds(step)) } catch { return true }
            left -= step
        }
        return false
    }

    private var isEndPressed: Bool {
        guard saved != nil else { return false }
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, 0) == 1 else { return false }
        var key: UInt8 = 0
        guard read(STDIN_FILENO, &key, 1) == 1 else { return true }
        return [UInt8(ascii: "q"), UInt8(ascii: "Q"), 3, 4, 27].contains(key)
    }

    /// Gives the screen back.
    func restore() {
        write("\u{1B}[?25h\u{1B}[?1049l")
        if var mode = saved { tcsetattr(STDIN_FILENO, TCSANOW, &mode) }
    }

    private func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
