import ArgumentParser

/// Flags of settings that both programs read.
public struct CommonFlags: ParsableArguments {
    @Option(name: SettingKey.config.optionName, help: SettingKey.config.help) public var config: String?
    @Option(name: SettingKey.dataDir.optionName, help: SettingKey.dataDir.help) public var dataDir: String?
    @Option(name: SettingKey.workerListen.optionName, help: SettingKey.workerListen.help)
    public var workerListen: String?
    @Option(name: SettingKey.logLevel.optionName, help: SettingKey.logLevel.help) public var logLevel: String?
    @Option(name: SettingKey.enablePprof.optionName, help: SettingKey.enablePprof.help) public var enablePprof: String?

    public init() {}

    var values: [(SettingKey, String?)] {
        [
            (.config, config), (.dataDir, dataDir), (.workerListen, workerListen), (.logLevel, logLevel),
            (.enablePprof, enablePprof),
        ]
    }
}

/// Flags of linking and sampling.
public struct LinkingFlags: ParsableArguments {
    @Option(name: SettingKey.workers.optionName, help: SettingKey.workers.help) public var workers: String?
    @Option(name: SettingKey.partitions.optionName, help: SettingKey.partitions.help) public var partitions: String?
    @Option(name: SettingKey.window.optionName, help: SettingKey.window.help) public var window: String?
    @Option(name: SettingKey.openWait.optionName, help: SettingKey.openWait.help) public var openWait: String?
    @Option(name: SettingKey.maxTraceAge.optionName, help: SettingKey.maxTraceAge.help) public var maxTraceAge: String?
    @Option(name: SettingKey.lateWindow.optionName, help: SettingKey.lateWindow.help) public var lateWindow: String?
    @Option(name: SettingKey.inferLinks.optionName, help: SettingKey.inferLinks.help) public var inferLinks: String?
    @Option(name: SettingKey.compat.optionName, help: SettingKey.compat.help) public var compat: String?
    @Option(name: SettingKey.samplingRate.optionName, help: SettingKey.samplingRate.help)
    public var samplingRate: String?
    @Option(name: SettingKey.useAppTraceID.optionName, help: SettingKey.useAppTraceID.help)
    public var useAppTraceID: String?
    @Option(name: SettingKey.trustAppSampled.optionName, help: SettingKey.trustAppSampled.help)
    public var trustAppSampled: String?
    @Option(name: SettingKey.idEncoding.optionName, help: SettingKey.idEncoding.help) public var idEncoding: String?
    @Option(name: SettingKey.spansPerTrace.optionName, help: SettingKey.spansPerTrace.help)
    public var spansPerTrace: String?
    @Option(name: SettingKey.depth.optionName, help: SettingKey.depth.help) public var depth: String?

    public init() {}

    var values: [(SettingKey, String?)] {
        [
            (.workers, workers), (.partitions, partitions), (.window, window), (.openWait, openWait),
            (.maxTraceAge, maxTraceAge), (.lateWindow, lateWindow), (.inferLinks, inferLinks), (.compat, compat),
            (.samplingRate, samplingRate), (.useAppTraceID, useAppTraceID), (.trustAppSampled, trustAppSampled),
            (.idEncoding, idEncoding), (.spansPerTrace, spansPerTrace), (.depth, depth),
        ]
    }
}

/// Flags of targets.
public struct OutputFlags: ParsableArguments {
    @Option(name: SettingKey.target.optionName, help: SettingKey.target.help) public var target: [String] = []
    @Option(name: SettingKey.targetGzip.optionName, help: SettingKey.targetGzip.help) public var targetGzip: String?
    @Option(name: SettingKey.targetQueueBytes.optionName, help: SettingKey.targetQueueBytes.help)
    public var targetQueueBytes: String?
    @Option(name: SettingKey.globalTags.optionName, help: SettingKey.globalTags.help) public var globalTags: String?
    @Option(name: SettingKey.clusterName.optionName, help: SettingKey.clusterName.help) public var clusterName: String?

    public init() {}

    var values: [(SettingKey, String?)] {
        [
            (.targetGzip, targetGzip), (.targetQueueBytes, targetQueueBytes), (.globalTags, globalTags),
            (.clusterName, clusterName),
        ]
    }
}

/// All flags of `ebpftrace-router run` and `check`.
public struct RouterFlags: ParsableArguments {
    @Option(name: SettingKey.listen.optionName, help: SettingKey.listen.help) public var listen: String?
    @Option(name: SettingKey.console.optionName, help: SettingKey.console.help) public var console: String?
    @Option(name: SettingKey.peers.optionName, help: SettingKey.peers.help) public var peers: String?
    @Option(name: SettingKey.logBytes.optionName, help: SettingKey.logBytes.help) public var logBytes: String?
    @Option(name: SettingKey.fsync.optionName, help: SettingKey.fsync.help) public var fsync: String?
    @Option(name: SettingKey.fsyncInterval.optionName, help: SettingKey.fsyncInterval.help)
    public var fsyncInterval: String?
    @Option(name: SettingKey.store.optionName, help: SettingKey.store.help) public var store: String?
    @Option(name: SettingKey.storeBytes.optionName, help: SettingKey.storeBytes.help) public var storeBytes: String?
    @Option(name: SettingKey.storeAge.optionName, help: SettingKey.storeAge.help) public var storeAge: String?
    @Option(name: SettingKey.flowKey.optionName, help: SettingKey.flowKey.help) public var flowKey: String?
    @Option(name: SettingKey.routerWait.optionName, help: SettingKey.routerWait.help) public var routerWait: String?
    @Option(name: SettingKey.agentScope.optionName, help: SettingKey.agentScope.help) public var agentScope: String?
    @Option(name: SettingKey.denyFields.optionName, help: SettingKey.denyFields.help) public var denyFields: String?
    @Option(name: SettingKey.bodyBytes.optionName, help: SettingKey.bodyBytes.help) public var bodyBytes: String?
    @Option(name: SettingKey.pprofListen.optionName, help: SettingKey.pprofListen.help) public var pprofListen: String?
    @OptionGroup(title: "Linking and sampling") public var linking: LinkingFlags
    @OptionGroup(title: "Output") public var output: OutputFlags
    @OptionGroup(title: "Processes") public var common: CommonFlags

    public init() {}

    var layer: SettingsLayer {
        let own: [(SettingKey, String?)] = [
            (.pprofListen, pprofListen),
            (.listen, listen), (.console, console), (.peers, peers), (.logBytes, logBytes), (.fsync, fsync),
            (.fsyncInterval, fsyncInterval), (.store, store), (.storeBytes, storeBytes), (.storeAge, storeAge),
            (.flowKey, flowKey), (.routerWait, routerWait),
            (.agentScope, agentScope), (.denyFields, denyFields), (.bodyBytes, bodyBytes),
        ]
        return SettingKey.layer(
            own + linking.values + output.values + common.values, lists: [(.target, output.target)])
    }
}

/// All flags of `ebpftrace-worker run`.
public struct WorkerFlags: ParsableArguments {
    @Option(name: SettingKey.router.optionName, help: SettingKey.router.help) public var router: [String] = []
    @Option(name: SettingKey.storeTarget.optionName, help: SettingKey.storeTarget.help) public var storeTarget: String?
    @Option(name: SettingKey.ordinal.optionName, help: SettingKey.ordinal.help) public var ordinal: String?
    @OptionGroup(title: "Linking and sampling") public var linking: LinkingFlags
    @OptionGroup(title: "Output") public var output: OutputFlags
    @OptionGroup(title: "Processes") public var common: CommonFlags

    public init() {}

    var layer: SettingsLayer {
        SettingKey.layer(
            [(.storeTarget, storeTarget), (.ordinal, ordinal)] + linking.values + output.values + common.values,
            lists: [(.target, output.target), (.router, router)])
    }
}

extension SettingKey {
    /// The layer of flags: only those that were given.
    fileprivate static func layer(
        _ values: [(SettingKey, String?)], lists: [(SettingKey, [String])]
    ) -> SettingsLayer {
        var layer: SettingsLayer = [:]
        for (key, text) in values {
            guard let text else { continue }
            layer[key.name] = FoundValue(value: .text(text), source: .flag("--" + key.flag))
        }
        for (key, texts) in lists where !texts.isEmpty {
            layer[key.name] = FoundValue(value: .list(texts.map { .text($0) }), source: .flag("--" + key.flag))
        }
        return layer
    }
}
