import Linking
import Logging

/// Everything a worker is told, typed and checked.
public struct WorkerSettings: Sendable {
    /// Peer addresses of the routers.
    public var routers: [String]
    /// Where spans are posted for the router's store; nil: it has none.
    public var storeTarget: String?
    public var ordinal: WorkerOrdinal
    /// Health and metrics address, already moved by the ordinal.
    public var listen: ListenAddress
    public var dataDirectory: String
    public var linking: LinkingSettings
    public var output: OutputSettings
    public var logLevel: Logger.Level
    /// Whether profiles are served on `listen`.
    public var isProfiled: Bool
    /// All bounds, with those that an operator set.
    public var limits: Limits
    /// Every effective value in the order of the table, secrets hidden.
    public var effective: [EffectiveSetting]
    public var notices: [SettingsNotice]

    /// Finds all values; fails with `Failure(.configuration)` (or the reader's failure for a missing file).
    ///
    /// - Parameter readFile: gives the text of the settings file; `Failure(.fileMissing)` when there is none.
    public static func resolve(
        flags: WorkerFlags, environment: [String: String], host: HostFacts,
        readFile: (String) throws(Failure) -> String
    ) throws(Failure) -> WorkerSettings {
        var resolver = try SettingsResolver(
            flags: flags.layer, environment: environment, host: host, readFile: readFile)
        return try WorkerSettings(&resolver)
    }

    init(_ resolver: inout SettingsResolver) throws(Failure) {
        routers = try resolver.urls(.router)
        storeTarget = try resolver.text(.storeTarget)
        let number = UInt16(clamping: try resolver.count(.ordinal))
        ordinal = WorkerOrdinal(number)
        let base = try resolver.address(.workerListen)
        guard let moved = base.movedPort(by: number) else {
            throw Failure(
                .configuration,
                "worker_listen = \(base) leaves no port for worker \(number);"
                    + " choose a port below \(65536 - Int(number))")
        }
        listen = moved
        dataDirectory = try resolver.dataDirectory()
        linking = try LinkingSettings(&resolver)
        guard Int(number) < linking.workers else {
            throw Failure(
                .configuration,
                "ordinal = \(number) must be smaller than workers = \(linking.workers); ordinals count from 0")
        }
        output = try OutputSettings(&resolver, dataDirectory: dataDirectory)
        logLevel = try resolver.logLevel()
        isProfiled = try resolver.boolean(.enablePprof)
        try resolver.settingsFile()
        limits = Limits()
        limits.targetQueueBytes = output.queueBytes
        limits.spansPerTrace = linking.spansPerTrace
        limits.depth = linking.depth
        resolver.warn(aboutListeners: [(.workerListen, listen)])
        effective = resolver.sortedEffective
        notices = resolver.notices
    }
}
