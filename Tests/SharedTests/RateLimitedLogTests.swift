import Logging
import Synchronization
import Testing

@testable import Shared

@Suite struct RateLimitedLogTests {
    private final class Lines: Sendable {
        let lines = Mutex<[String]>([])
    }

    private struct Handler: LogHandler {
        var lines: Lines
        var metadata = Logger.Metadata()
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let suppressed = event.metadata?["suppressed"].map { " +\($0)" } ?? ""
            lines.lines.withLock { $0.append("\(event.message)\(suppressed)") }
        }
    }

    @Test func repeatsAreHeldBackAndCounted() {
        let lines = Lines()
        let time = Mutex(0)
        let logger = Logger(label: "t") { _ in Handler(lines: lines) }
        let log = RateLimitedLog(logger, interval: .seconds(10)) { time.withLock { $0 } }
        for _ in 0..<5 { log.log(.warning, "disk full") }
        log.log(.warning, "agent error", key: "a")
        log.log(.warning, "agent error", key: "b")
        time.withLock { $0 = 9_999_999_999 }
        #expect(!log.log(.warning, "disk full"))
        time.withLock { $0 = 10_000_000_000 }
        #expect(log.log(.warning, "disk full"))
        time.withLock { $0 = 20_000_000_000 }
        #expect(log.log(.warning, "disk full"))
        #expect(
            lines.lines.withLock { $0 } == ["disk full", "agent error", "agent error", "disk full +5", "disk full"])
    }

    @Test func keysAreBounded() {
        let log = RateLimitedLog(Logger(label: "t") { _ in Handler(lines: Lines()) }) { 0 }
        for key in 0..<(RateLimitedLog.maximumKeys * 2) { #expect(log.log(.info, "x", key: String(key))) }
    }

    @Test func levelsGoByTheirUsualNames() {
        #expect(Logs.level(named: "WARN") == .warning)
        #expect(Logs.level(named: "debug") == .debug)
        #expect(Logs.level(named: "loud") == nil)
    }
}
