import ArgumentParser

/// One setting, described once: flags, environment names, file keys, help, checks and the reference page come from it.
public struct SettingKey: Sendable {
    /// Which of the two programs reads a setting.
    public enum Process: String, Sendable {
        case router
        case worker
        case both = "router, worker"
    }

    /// The part of the reference page a setting stands in.
    public enum Theme: String, Sendable, CaseIterable {
        case listeners = "Listeners"
        case storage = "Storage"
        case linking = "Linking"
        case identifiers = "Identifiers and sampling"
        case output = "Output"
        case limits = "Limits"
        case process = "Processes"
    }

    /// Flat snake_case name: the key in a file.
    public var name: String
    public var theme: Theme
    public var process: Process
    public var kind: SettingKind
    /// The default as a text that the setting itself would accept; empty: none.
    public var defaultText: String
    /// How the default is described where it is computed from other settings; else nil.
    public var defaultRule: String?
    /// One sentence.
    public var meaning: String
    /// Environment names of DataKit that set it too, the one that wins first.
    public var datakitNames: [String]

    init(
        _ name: String, _ theme: Theme, _ process: Process = .both, _ kind: SettingKind, _ defaultText: String = "",
        rule: String? = nil, datakit: [String] = [], _ meaning: String
    ) {
        self.name = name
        self.theme = theme
        self.process = process
        self.kind = kind
        self.defaultText = defaultText
        defaultRule = rule
        datakitNames = datakit
        self.meaning = meaning
    }

    /// The flag without its dashes: the key with dashes.
    public var flag: String { String(name.map { $0 == "_" ? "-" : $0 }) }
    /// Our environment name: `EBPFTRACE_` and the key in capitals.
    public var environmentName: String { Self.environmentPrefix + name.uppercased() }
    /// What all our environment names begin with.
    public static let environmentPrefix = "EBPFTRACE_"

    /// The default as people read it; "none" where there is none.
    public var shownDefault: String { defaultRule ?? (defaultText.isEmpty ? "none" : defaultText) }

    /// May a settings file hold it? All but the path of that file.
    public var isAllowedInFile: Bool { name != SettingKey.config.name }

    /// The option name for ArgumentParser.
    var optionName: NameSpecification { .customLong(flag) }

    /// Help text with default and environment names.
    var help: ArgumentHelp {
        let names = ([environmentName] + datakitNames).joined(separator: ", ")
        return ArgumentHelp("\(meaning) (default: \(shownDefault); env: \(names))", valueName: kind.valueName)
    }
}
