/// Reads environment variables into two layers: our own names, and below them DataKit's.
struct SettingsEnvironment {
    var variables: [String: String]
    var notices: [SettingsNotice] = []

    init(_ variables: [String: String]) { self.variables = variables }

    /// A variable that is set and not empty.
    func value(_ name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The layer of `EBPFTRACE_*`. An unknown name is an error, unless Kubernetes made it for a Service.
    func ownLayer() throws(Failure) -> SettingsLayer {
        var layer: SettingsLayer = [:]
        for key in SettingKey.all {
            guard let text = value(key.environmentName) else { continue }
            layer[key.name] = FoundValue(
                value: try own(text, of: key), source: .environment(key.environmentName))
        }
        let known = SettingKey.all.map(\.environmentName)
        for name in variables.keys.sorted() where name.hasPrefix(SettingKey.environmentPrefix) {
            guard !known.contains(name), !Self.isServiceVariable(name) else { continue }
            let nearest = NearestWord.of(name, in: known) ?? ""
            throw Failure(
                .configuration,
                "unknown environment variable \(name); the nearest known setting is \(nearest)")
        }
        return layer
    }

    /// Kubernetes sets `NAME_SERVICE_HOST`, `NAME_PORT`, … in every pod for a Service called ebpftrace-….
    static func isServiceVariable(_ name: String) -> Bool {
        let endings = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"]
        let middles = ["_SERVICE_PORT_", "_PORT_"]
        return endings.contains { name.hasSuffix($0) } || middles.contains { name.containsText($0) }
    }

    /// Lists are separated by commas or white space; a text that begins with `[` is a list in YAML (or JSON).
    private func own(_ text: String, of key: SettingKey) throws(Failure) -> RawValue {
        switch key.kind {
        case .targets, .urls:
            if text.hasPrefix("[") { return try SettingsFile.yaml(text, named: key.environmentName) ?? .list([]) }
            return .list(Self.words(text).map { .text($0) })
        case .tags:
            if text.hasPrefix("{") { return try SettingsFile.yaml(text, named: key.environmentName) ?? .map([]) }
            return .text(text)
        default: return .text(text)
        }
    }

    static func words(_ text: String) -> [String] {
        text.split { $0 == "," || $0.isWhitespace }.map(String.init)
    }
}

extension SettingsEnvironment {
    /// The layer of DataKit's names, turned into our forms.
    mutating func datakitLayer() -> SettingsLayer {
        var layer: SettingsLayer = [:]
        for key in SettingKey.all {
            let set = key.datakitNames.filter { isSet($0, for: key) }
            guard let name = set.first, let text = variables[name] else { continue }
            layer[key.name] = FoundValue(value: Self.datakit(text, of: key), source: .environment(name))
            for other in set.dropFirst() {
                notices.append(.warning("\(other) is ignored because \(name) is set, as DataKit does"))
            }
        }
        noteIgnoredNames()
        return layer
    }

    /// Empty counts as unset, but for DataKit's one switch of ours, where it means false.
    private func isSet(_ name: String, for key: SettingKey) -> Bool {
        if key.name == SettingKey.useAppTraceID.name { return variables[name] != nil }
        return value(name) != nil
    }

    private static func datakit(_ text: String, of key: SettingKey) -> RawValue {
        switch key.kind {
        case .boolean: .text(BooleanText.datakit(text) ? "true" : "false")
        case .targets: .list(words(text).map { .text("dataway:" + $0) })
        default: .text(text)
        }
    }

    /// DataKit variables that this program knows of and does not use, or that look meant for it.
    private mutating func noteIgnoredNames() {
        if let inputs = value("ENV_DEFAULT_ENABLED_INPUTS") {
            notices.append(.note("ENV_DEFAULT_ENABLED_INPUTS (\(inputs)) is recognised and has no effect"))
        }
        let used = Set(SettingKey.all.flatMap(\.datakitNames))
        let families = ["ENV_INPUT_EBPFTRACE_", "ENV_DATAWAY_", "ENV_HTTP_"]
        for name in variables.keys.sorted() where !used.contains(name) {
            guard families.contains(where: { name.hasPrefix($0) }) else { continue }
            notices.append(.warning("\(name) is a DataKit setting that ebpftrace does not have; it is ignored"))
        }
    }

    /// The machine's name and address as DataKit takes them: the node's, where Kubernetes tells them.
    func host(_ host: HostFacts) -> HostFacts {
        HostFacts(
            name: value("ENV_K8S_NODE_NAME") ?? host.name, address: value("HOST_IP") ?? host.address,
            isRoot: host.isRoot)
    }

    /// The default data directory; nil when the user has no home.
    func dataDirectory(isRoot: Bool) -> String? {
        if isRoot { return "/var/lib/ebpftrace" }
        if let state = value("XDG_STATE_HOME") { return state + "/ebpftrace" }
        return value("HOME").map { $0 + "/.local/state/ebpftrace" }
    }
}

extension String {
    /// Is `text` part of it? O(length of both).
    func containsText(_ text: String) -> Bool {
        indices.contains { self[$0...].hasPrefix(text) }
    }
}
