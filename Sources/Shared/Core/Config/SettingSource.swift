/// Where an effective value came from.
public enum SettingSource: Hashable, Sendable, CustomStringConvertible {
    /// A flag, with its dashes.
    case flag(String)
    /// An environment variable.
    case environment(String)
    /// A key of a settings file.
    case file(path: String, key: String)
    /// The table's default.
    case standard
    /// A default that follows from another setting.
    case derived(String)
    /// Tags of several places put together.
    case joined([SettingSource])

    public var description: String {
        switch self {
        case .flag(let name): name
        case .environment(let name): name
        case .file(let path, let key): "\(path):\(key)"
        case .standard: "default"
        case .derived(let rule): "default (\(rule))"
        case .joined(let sources): sources.map(\.description).joined(separator: " + ")
        }
    }

    /// One of DataKit's own names, whose texts are read by DataKit's rules.
    var isDatakit: Bool {
        if case .environment(let name) = self { return !name.hasPrefix(SettingKey.environmentPrefix) }
        return false
    }
}

/// A value as a flag, variable or file holds it, before it is understood.
indirect enum RawValue: Hashable, Sendable {
    case text(String)
    case list([RawValue])
    case map([Pair])

    /// One entry of a map; a list of them keeps the order of the file.
    struct Pair: Hashable, Sendable {
        var name: String
        var value: RawValue
    }

    /// The value on one line with secrets hidden, for messages: map values that may be secret are not shown at all.
    var shown: String {
        switch self {
        case .text(let text): Secret.hidden(in: text)
        case .list(let values): "[" + values.map(\.shown).joined(separator: ", ") + "]"
        case .map(let pairs): "{" + pairs.map { "\($0.name): …" }.joined(separator: ", ") + "}"
        }
    }
}

/// A raw value and where it stands.
struct FoundValue: Sendable {
    var value: RawValue
    var source: SettingSource
}

/// All values of one place, by key name. Earlier layers win.
typealias SettingsLayer = [String: FoundValue]

/// One effective value, as `check` prints it: never a secret.
public struct EffectiveSetting: Hashable, Sendable {
    public var name: String
    public var value: String
    public var source: SettingSource
}

/// Something an operator should know about the settings.
public struct SettingsNotice: Hashable, Sendable, CustomStringConvertible {
    /// A note tells; a warning asks to look.
    public enum Severity: String, Sendable {
        case note, warning
    }
    public var severity: Severity
    /// One sentence.
    public var sentence: String

    static func note(_ sentence: String) -> Self { Self(severity: .note, sentence: sentence) }
    static func warning(_ sentence: String) -> Self { Self(severity: .warning, sentence: sentence) }
    public var description: String { "\(severity.rawValue): \(sentence)" }
}

/// What settings need to know of the machine; read by the shell, so that tests can choose.
public struct HostFacts: Hashable, Sendable {
    public var name: String
    /// The machine's own address; nil: none is known.
    public var address: String?
    /// The process runs as root.
    public var isRoot: Bool

    public init(name: String, address: String?, isRoot: Bool) {
        self.name = name
        self.address = address
        self.isRoot = isRoot
    }
}
