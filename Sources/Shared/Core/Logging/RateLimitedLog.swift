import Logging
import Synchronization

/// A logger that says the same thing at most once in a while, and then how often it held its tongue.
///
/// For events that whoever is on the other side of a socket can cause at will.
public final class RateLimitedLog: Sendable {
    private struct Entry {
        var lastNanoseconds: Int
        var suppressed = 0
    }

    /// Most keys remembered; beyond it all are forgotten, which costs a few extra lines.
    static let maximumKeys = 1_024

    private let logger: Logger
    private let intervalNanoseconds: Int
    private let now: @Sendable () -> Int
    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameters:
    ///   - interval: least time between two lines with one key.
    ///   - now: nanoseconds on a clock that never goes back.
    public init(
        _ logger: Logger, interval: Duration = .seconds(10),
        now: @escaping @Sendable () -> Int = { SystemClocks.monotonicNanoseconds() }
    ) {
        self.logger = logger
        self.now = now
        let (seconds, attoseconds) = interval.components
        intervalNanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
    }

    /// Logs unless the same was logged a moment ago. `key` tells apart what one text says of different things.
    /// - Returns: whether the line was written.
    @discardableResult
    public func log(
        _ level: Logger.Level, _ message: Logger.Message, key: String? = nil,
        metadata: @autoclosure () -> Logger.Metadata = [:]
    ) -> Bool {
        let time = now()
        guard let suppressed = permit(key ?? message.description, at: time) else { return false }
        var metadata = metadata()
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.log(level: level, message, metadata: metadata)
        return true
    }

    /// How many lines were held back since the last one, or nil when this one is to be held back, too.
    private func permit(_ key: String, at time: Int) -> Int? {
        entries.withLock { entries in
            if let entry = entries[key], time - entry.lastNanoseconds < intervalNanoseconds {
                entries[key]?.suppressed += 1
                return nil
            }
            if entries.count >= Self.maximumKeys { entries.removeAll() }
            let suppressed = entries[key]?.suppressed ?? 0
            entries[key] = Entry(lastNanoseconds: time)
            return suppressed
        }
    }
}
