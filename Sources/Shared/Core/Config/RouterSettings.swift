import Linking
import Logging

/// Everything the router is told, typed and checked.
public struct RouterSettings: Sendable {
    public var listen: ListenAddress
    public var console: ListenAddress
    public var peers: ListenAddress
    /// Where worker 0 listens; worker K one port up for each, see `ListenAddress.movedPort`.
    public var workerListen: ListenAddress
    public var dataDirectory: String
    public var fsync: FsyncSetting
    public var fsyncInterval: Duration
    /// The router's own store; nil: there is none.
    public var store: StoreSettings?
    public var linking: LinkingSettings
    public var flowKey: PartitionKey
    public var routerWait: Duration
    public var agentScope: AgentScopeSetting
    public var output: OutputSettings
    /// Labels of everything that workers export to: the targets, and the store.
    public var targetLabels: [String] {
        TargetSpec.labels(of: output.targets) + (store == nil ? [] : [StoreSettings.targetLabel])
    }
    /// Names of fields that are removed before anything is stored.
    public var denyFields: [String]
    public var logLevel: Logger.Level
    /// Where profiles are served; nil when profiling is off.
    public var pprof: ListenAddress?
    /// All bounds, with those that an operator set.
    public var limits: Limits
    /// Every effective value in the order of the table, secrets hidden.
    public var effective: [EffectiveSetting]
    public var notices: [SettingsNotice]

    /// Finds all values; fails with `Failure(.configuration)` (or the reader's failure for a missing file).
    ///
    /// - Parameter readFile: gives the text of the settings file; `Failure(.fileMissing)` when there is none.
    public static func resolve(
        flags: RouterFlags, environment: [String: String], host: HostFacts,
        readFile: (String) throws(Failure) -> String
    ) throws(Failure) -> RouterSettings {
        var resolver = try SettingsResolver(
            flags: flags.layer, environment: environment, host: host, readFile: readFile)
        return try RouterSettings(&resolver)
    }

    init(_ resolver: inout SettingsResolver) throws(Failure) {
        listen = try resolver.address(.listen)
        console = try resolver.address(.console)
        peers = try resolver.address(.peers)
        workerListen = try resolver.address(.workerListen)
        dataDirectory = try resolver.dataDirectory()
        fsync = try resolver.choice(.fsync)
        fsyncInterval = try resolver.duration(.fsyncInterval)
        store = try StoreSettings.resolve(&resolver)
        linking = try LinkingSettings(&resolver)
        flowKey = try resolver.choice(.flowKey)
        routerWait = try resolver.duration(.routerWait)
        agentScope = try resolver.choice(.agentScope)
        output = try OutputSettings(&resolver, dataDirectory: dataDirectory)
        denyFields = try resolver.names(.denyFields)
        logLevel = try resolver.logLevel()
        let profiles = try resolver.address(.pprofListen)
        pprof = try resolver.boolean(.enablePprof) ? profiles : nil
        try resolver.settingsFile()
        limits = Limits()
        limits.bodyBytes = try resolver.bytes(.bodyBytes)
        limits.logBytes = try resolver.bytes(.logBytes)
        limits.targetQueueBytes = output.queueBytes
        limits.spansPerTrace = linking.spansPerTrace
        limits.depth = linking.depth
        if let problem = limits.problems().first {
            throw Failure(.configuration, "the limits do not go together: \(problem)")
        }
        resolver.warn(aboutListeners: [
            (.listen, listen), (.console, console), (.peers, peers), (.workerListen, workerListen),
        ])
        effective = resolver.sortedEffective
        notices = resolver.notices
    }
}

/// How the router keeps finished traces for its console.
public struct StoreSettings: Hashable, Sendable {
    /// Most bytes on disk.
    public var bytes: Int
    public var age: Duration

    /// Label of the workers' target that feeds the store.
    public static let targetLabel = "store"

    /// Nil when the store is off.
    static func resolve(_ resolver: inout SettingsResolver) throws(Failure) -> StoreSettings? {
        let isOn = try resolver.boolean(.store)
        let settings = StoreSettings(bytes: try resolver.bytes(.storeBytes), age: try resolver.duration(.storeAge))
        return isOn ? settings : nil
    }
}
