/// How a router hands its settings to the workers it starts.
extension RouterSettings {
    /// `EBPFTRACE_*` variables that give a worker the same settings, whatever place the router's came from.
    ///
    /// Variables and not flags, because flags can be read by every user of the machine and targets hold tokens. Set
    /// them over the inherited environment, without `EBPFTRACE_CONFIG`; the ordinal is a flag of each worker.
    /// - Parameters:
    ///   - routers: peer addresses of the routers, `http://HOST:PORT`.
    ///   - console: address of the console, where the store takes spans; nil without a store.
    public func workerEnvironment(routers: [String], console: String? = nil) -> [String: String] {
        let special = [SettingKey.config, .target, .globalTags].map(\.name)
        let optional = [SettingKey.clusterName].map(\.name)
        var variables: [String: String] = [:]
        for setting in effective where !special.contains(setting.name) {
            if setting.value == "none", optional.contains(setting.name) { continue }
            guard let key = SettingKey.all.first(where: { $0.name == setting.name }), key.process == .both else {
                continue
            }
            variables[key.environmentName] = setting.value
        }
        // An empty map still wins over what the environment holds.
        variables[SettingKey.globalTags.environmentName] =
            FlowText.map(output.globalTags.map { ($0.name, FlowText.quoted($0.value)) })
        variables[SettingKey.target.environmentName] =
            output.targets.isEmpty ? "none" : FlowText.list(output.targets.map(\.flowText))
        // Empty: no store, whatever the environment holds.
        variables[SettingKey.storeTarget.environmentName] = console.map { "http://\($0)/v1/traces" } ?? ""
        variables[SettingKey.router.environmentName] = FlowText.list(routers.map(FlowText.quoted))
        return variables
    }
}

extension TargetSpec {
    /// The target as a map on one line, secrets included.
    fileprivate var flowText: String {
        switch self {
        case .file(let path): return FlowText.map([("file", FlowText.quoted(path))])
        case .standardOutput: return FlowText.map([("stdout", "true")])
        case .dataway(let target):
            let url = target.url.revealed + (target.query.map { "?" + $0.revealed } ?? "")
            let token = target.token.map { [("token", FlowText.quoted($0.revealed))] } ?? []
            return FlowText.map([("dataway", FlowText.quoted(url)), ("gzip", "\(target.gzip)")] + token)
        case .otlp(let target):
            let headers = FlowText.map(target.headers.map { ($0.name, FlowText.quoted($0.value.revealed)) })
            return FlowText.map([
                ("otlp", FlowText.quoted(target.url.revealed)), ("headers", headers),
                ("compression", FlowText.quoted(target.compression.rawValue)),
                ("fields", FlowText.quoted(target.fields.rawValue)),
            ])
        }
    }
}

/// YAML on one line, which is also JSON.
private enum FlowText {
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    static func list(_ items: [String]) -> String { "[" + items.joined(separator: ", ") + "]" }

    static func map(_ entries: [(String, String)]) -> String {
        "{" + entries.map { "\(quoted($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }
}
