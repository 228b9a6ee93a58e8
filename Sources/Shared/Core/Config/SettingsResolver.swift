/// Finds each setting's effective value: flags, then `EBPFTRACE_*`, then DataKit's variables, then the file, then the
/// default.
///
/// This is our own small resolver and not swift-configuration's `ConfigReader`, because three things that operators
/// see do not fit it: where each value came from with the exact flag, variable or file key (a reader reports that to an
/// access log and not to its caller), values that are maps in a list (`target`), and several older names for one
/// setting with texts read by other rules. What would remain of the reader is a dictionary look-up.
struct SettingsResolver {
    private var layers: [SettingsLayer]
    private(set) var host: HostFacts
    private(set) var effective: [EffectiveSetting] = []
    private(set) var notices: [SettingsNotice] = []
    private let environment: SettingsEnvironment
    /// `[inputs.ebpftrace.tags]`.
    private let datakitTags: FoundValue?

    /// Reads environment and file; fails when the file is missing or one of them has an unknown key.
    init(
        flags: SettingsLayer, environment variables: [String: String], host: HostFacts,
        readFile: (String) throws(Failure) -> String
    ) throws(Failure) {
        var environment = SettingsEnvironment(variables)
        let own = try environment.ownLayer()
        layers = [flags, own, environment.datakitLayer()]
        notices = environment.notices
        self.environment = environment
        self.host = environment.host(host)
        var tags: FoundValue?
        if let found = layers.compactMap({ $0[SettingKey.config.name] }).first, case .text(let path) = found.value {
            var file = SettingsFile(path: path, text: try readFile(path))
            layers.append(try file.layer())
            notices += file.notices
            tags = file.datakitTags
        }
        datakitTags = tags
    }

    /// The value of the first layer that has one.
    func found(_ key: SettingKey) -> FoundValue? {
        for layer in layers {
            if let found = layer[key.name] { return found }
        }
        return nil
    }

    mutating func tell(_ notice: SettingsNotice) { notices.append(notice) }

    /// The parsed value, else the fallback, else the table's default; remembered for `check` as `show` prints it.
    private mutating func value<Value>(
        _ key: SettingKey, fallback: (value: Value, source: SettingSource)? = nil, show: (Value) -> String,
        parse: (String) -> Value?
    ) throws(Failure) -> Value {
        let found = found(key)
        if found == nil, let fallback {
            record(key, show(fallback.value), fallback.source)
            return fallback.value
        }
        let raw = found?.value ?? .text(key.defaultText)
        let source = found?.source ?? .standard
        guard case .text(let text) = raw, let value = parse(text) else { throw Self.bad(key, raw, source) }
        record(key, show(value), source)
        return value
    }

    mutating func record(_ key: SettingKey, _ text: String, _ source: SettingSource) {
        effective.append(EffectiveSetting(name: key.name, value: text, source: source))
    }

    /// The one sentence about a value that cannot be used: key, value, source, and what is allowed.
    static func bad(
        _ key: SettingKey, _ value: RawValue, _ source: SettingSource, because reason: String? = nil
    ) -> Failure {
        Failure(
            .configuration,
            "\(key.name) = \(value.shown) (from \(source)) cannot be used: " + (reason.map { $0 + "; " } ?? "")
                + "expected \(key.kind.expectation)")
    }
}

/// One reader for each kind of setting.
extension SettingsResolver {
    mutating func duration(
        _ key: SettingKey, fallback: (value: Duration, source: SettingSource)? = nil
    ) throws(Failure) -> Duration {
        guard case .duration(let range) = key.kind else { preconditionFailure("\(key.name) is no duration") }
        // A whole number in a DataKit file is a count of nanoseconds.
        var isDatakitFile = false
        if case .file(_, let name)? = found(key)?.source { isDatakitFile = name.hasPrefix("inputs.") }
        return try value(key, fallback: fallback, show: DurationText.text) { text in
            let text = isDatakitFile && Int64(text) != nil ? text + "ns" : text
            return DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func count(_ key: SettingKey) throws(Failure) -> Int {
        guard case .count(let range) = key.kind else { preconditionFailure("\(key.name) is no count") }
        return try value(key, show: { "\($0)" }) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func bytes(_ key: SettingKey) throws(Failure) -> Int {
        guard case .bytes(let range) = key.kind else { preconditionFailure("\(key.name) is no size") }
        return try value(key, show: ByteSizeText.text) { text in
            ByteSizeText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func rate(_ key: SettingKey) throws(Failure) -> Double {
        try value(key, show: { "\($0)" }) { text in
            guard text.allSatisfy({ "0123456789.eE+-".contains($0) }) else { return nil }
            return Double(text).flatMap { (0...1).contains($0) ? $0 : nil }
        }
    }

    mutating func boolean(_ key: SettingKey) throws(Failure) -> Bool {
        try value(key, show: { "\($0)" }, parse: BooleanText.parse)
    }

    mutating func choice<Choice: RawRepresentable<String>>(
        _ key: SettingKey, fallback: (value: Choice, source: SettingSource)? = nil
    ) throws(Failure) -> Choice {
        try value(key, fallback: fallback, show: { $0.rawValue }) { Choice(rawValue: $0) }
    }

    mutating func address(_ key: SettingKey) throws(Failure) -> ListenAddress {
        try value(key, show: { "\($0)" }) { ListenAddress($0) }
    }

    /// A text that may be absent.
    mutating func text(_ key: SettingKey) throws(Failure) -> String? {
        try value(key, show: { $0 ?? "none" }) { $0.isEmpty ? .some(nil) : .some($0) }
    }

    mutating func names(_ key: SettingKey) throws(Failure) -> [String] {
        let found = found(key)
        let raw = found?.value ?? .text(key.defaultText)
        var names: [String] = []
        switch raw {
        case .text(let text): names = SettingsEnvironment.words(text)
        case .list(let values):
            for value in values {
                guard case .text(let name) = value else { throw Self.bad(key, raw, found?.source ?? .standard) }
                names += SettingsEnvironment.words(name)
            }
        case .map: throw Self.bad(key, raw, found?.source ?? .standard)
        }
        record(key, names.isEmpty ? "none" : names.joined(separator: ","), found?.source ?? .standard)
        return names
    }

    /// The data directory: given, or by rule.
    mutating func dataDirectory() throws(Failure) -> String {
        let key = SettingKey.dataDir
        let standard = environment.dataDirectory(isRoot: host.isRoot)
        guard standard != nil || found(key) != nil else {
            throw Failure(
                .configuration,
                "data_dir is not set, and neither XDG_STATE_HOME nor HOME is; set data_dir to a directory")
        }
        return try value(
            key, fallback: standard.map { ($0, .standard) }, show: { $0 }, parse: { $0.isEmpty ? nil : $0 })
    }
}

/// Targets, URLs and tags.
extension SettingsResolver {
    mutating func targets(gzip: Bool, dataDirectory: String) throws(Failure) -> [TargetSpec] {
        let key = SettingKey.target
        guard let found = found(key) else {
            let standard = TargetSpec.file(path: dataDirectory + "/traces")
            record(key, standard.description, .standard)
            tell(.note("no target is set: finished traces go to \(standard); set target to send them elsewhere"))
            return [standard]
        }
        let targets: [TargetSpec]
        do {
            targets = try TargetReader(gzip: gzip).targets(found.value)
        } catch {
            throw Self.bad(key, found.value, found.source, because: error.message)
        }
        record(
            key, targets.isEmpty ? "none" : targets.map(\.description).joined(separator: ", "), found.source)
        return targets
    }

    mutating func urls(_ key: SettingKey) throws(Failure) -> [String] {
        let found = found(key)
        let raw = found?.value ?? .text(key.defaultText)
        let source = found?.source ?? .standard
        let values = if case .list(let values) = raw { values } else { [raw] }
        var urls: [String] = []
        for value in values {
            guard case .text(let text) = value, let url = try? TargetReader(gzip: true).checkedURL(text) else {
                throw Self.bad(key, raw, source)
            }
            urls.append(url)
        }
        guard !urls.isEmpty else { throw Self.bad(key, raw, source) }
        record(key, urls.map { Secret.hidden(in: $0) }.joined(separator: ", "), source)
        return urls
    }

    /// Global tags with the names of this machine filled in, and the cluster's name as a tag of its own.
    mutating func tags(clusterName: String?) throws(Failure) -> [GlobalTag] {
        let key = SettingKey.globalTags
        let given = found(key)
        var places = given.map { [$0] } ?? []
        // DataKit adds an input's own tags and its global ones; a name that both have is the input's.
        if let datakitTags, given == nil || given?.source.isDatakit == true { places.insert(datakitTags, at: 0) }
        var tags: [GlobalTag] = []
        for place in places {
            for tag in try Self.pairs(key, place, tell: { notices.append($0) })
            where !tags.contains(where: { $0.name == tag.name }) {
                if let value = filled(tag.value) { tags.append(GlobalTag(name: tag.name, value: value)) }
            }
        }
        if let clusterName {
            tags.removeAll { $0.name == "cluster_name_k8s" }
            tags.append(GlobalTag(name: "cluster_name_k8s", value: clusterName))
        }
        let sources = places.map(\.source)
        let source: SettingSource = sources.count > 1 ? .joined(sources) : sources.first ?? .standard
        record(
            key, tags.isEmpty ? "none" : tags.map { "\($0.name)=\($0.value)" }.joined(separator: ","), source)
        return tags
    }

    private mutating func filled(_ value: String) -> String? {
        switch value.lowercased() {
        case "__datakit_hostname", "$datakit_hostname": return host.name
        case "__datakit_ip", "$datakit_ip":
            if host.address == nil {
                tell(.warning("a global tag with \(value) is left out: the address of this machine is not known"))
            }
            return host.address
        default: return value
        }
    }

    private static func pairs(
        _ key: SettingKey, _ place: FoundValue, tell: (SettingsNotice) -> Void
    ) throws(Failure) -> [GlobalTag] {
        var tags: [GlobalTag] = []
        switch place.value {
        case .map(let pairs):
            for pair in pairs {
                guard case .text(let value) = pair.value, !pair.name.isEmpty else {
                    throw bad(key, place.value, place.source)
                }
                tags.append(GlobalTag(name: pair.name, value: value))
            }
        case .text(let text):
            for part in text.split(separator: ",") {
                if let tag = GlobalTag(String(part)) {
                    tags.append(tag)
                } else if place.source.isDatakit {
                    tell(.warning("\"\(part)\" in \(place.source) is not NAME=VALUE and is ignored, as DataKit does"))
                } else {
                    throw bad(key, place.value, place.source)
                }
            }
        case .list: throw bad(key, place.value, place.source)
        }
        return tags
    }
}

/// A tag that exported spans get when they have none of its name.
public struct GlobalTag: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Reads `name=value`; nil without a name or an equals sign. White space around both is cut.
    init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        name = Self.trimmed(parts[0])
        value = Self.trimmed(parts[1])
        if name.isEmpty { return nil }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
