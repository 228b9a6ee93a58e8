import Logging
import Synchronization

/// Starts logging: one line an event to stderr, constant lower-case text with the facts as metadata.
public enum Logs {
    private static let started = Mutex(false)

    /// Sets the process' log handler; later calls change nothing. Call it first thing in `main`.
    public static func bootstrap(level: Logger.Level) {
        let first = started.withLock { started in
            defer { started = true }
            return !started
        }
        guard first else { return }
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }

    /// The level named by a setting (`debug`, `info`, `warn`, `error` …); nil for an unknown name.
    public static func level(named name: String) -> Logger.Level? {
        switch name.lowercased() {
        case "warn": .warning
        case "fatal", "panic": .critical
        case let name: Logger.Level(rawValue: name)
        }
    }
}
