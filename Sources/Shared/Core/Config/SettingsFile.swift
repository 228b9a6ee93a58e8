import TOMLKit
import Yams

/// Reads a settings file into a layer: YAML of ours, or a DataKit `ebpftrace.conf` (TOML).
struct SettingsFile {
    /// Largest settings file, bytes.
    static let largestBytes = 1 << 20

    var path: String
    var text: String
    /// Things to tell the operator, such as ignored keys of a DataKit file.
    var notices: [SettingsNotice] = []
    /// `[inputs.ebpftrace.tags]` of a DataKit file; these join the global tags instead of giving way to them.
    var datakitTags: FoundValue?

    init(path: String, text: String) {
        self.path = path
        self.text = text
    }

    /// All values of the file by key name. Fails with a sentence that names file, key and remedy.
    mutating func layer() throws(Failure) -> SettingsLayer {
        guard text.utf8.count <= Self.largestBytes else {
            throw Failure(.configuration, "\(path) is larger than 1MiB, too large for a settings file")
        }
        let isTOML = path.hasSuffix(".conf") || path.hasSuffix(".toml")
        return try isTOML ? datakitLayer() : yamlLayer()
    }

    // MARK: YAML

    private func yamlLayer() throws(Failure) -> SettingsLayer {
        guard let root = try Self.yaml(text, named: path) else { return [:] }
        guard case .map(let pairs) = root else {
            throw Failure(.configuration, "\(path) must hold one map of settings, such as \"window: 20s\"")
        }
        var layer: SettingsLayer = [:]
        for pair in pairs {
            guard let key = SettingKey.inFile(pair.name) else { throw unknown(pair.name) }
            guard layer[key.name] == nil else {
                throw Failure(.configuration, "\(path) sets \(key.name) twice (as \"\(pair.name)\" too); keep one")
            }
            layer[key.name] = FoundValue(value: pair.value, source: .file(path: path, key: pair.name))
        }
        return layer
    }

    private func unknown(_ name: String) -> Failure {
        let known = SettingKey.all.filter(\.isAllowedInFile).map(\.name) + SettingKey.fileAliases.keys.sorted()
        let nearest = NearestWord.of(name, in: known) ?? ""
        return Failure(
            .configuration, "unknown setting \"\(name)\" in \(path); the nearest known setting is \"\(nearest)\"")
    }

    /// A YAML text as a raw value; keys without a value are left out. Nil when there is nothing in it.
    static func yaml(_ text: String, named name: String) throws(Failure) -> RawValue? {
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            // The parser's own text quotes the line, which may hold a token.
            throw Failure(.configuration, "\(name) is not valid YAML\(line(of: error)); correct its syntax")
        }
        return try node.flatMap { node throws(Failure) in try raw(node, named: name) }
    }

    private static func line(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            ", line \(mark.line)"
        default: ""
        }
    }

    /// Nesting is three deep at most (target list, target, headers), so the recursion is bounded by `depth`.
    private static func raw(_ node: Node, named name: String, depth: Int = 5) throws(Failure) -> RawValue? {
        guard depth > 0 else { throw Failure(.configuration, "\(name) nests values too deeply; settings are flat") }
        switch node {
        case .scalar(let scalar):
            return node.tag == Tag(.null) ? nil : .text(scalar.string)
        case .sequence(let sequence):
            var values: [RawValue] = []
            for node in sequence {
                if let value = try raw(node, named: name, depth: depth - 1) { values.append(value) }
            }
            return .list(values)
        case .mapping(let mapping):
            var pairs: [RawValue.Pair] = []
            for (key, node) in mapping {
                guard let key = key.scalar?.string else {
                    throw Failure(.configuration, "\(name) has a key that is not a plain text; settings are flat")
                }
                if let value = try raw(node, named: name, depth: depth - 1) {
                    pairs.append(RawValue.Pair(name: key, value: value))
                }
            }
            return .map(pairs)
        case .alias:
            throw Failure(.configuration, "\(name) uses a YAML alias; write the value out")
        }
    }
}

/// DataKit's own file: `[[inputs.ebpftrace]]` or `[inputs.ebpftrace]`.
extension SettingsFile {
    /// DataKit's keys and ours.
    private static let datakitKeys: [String: SettingKey] = [
        "db_path": .dataDir, "sqlite_path": .dataDir, "use_app_trace_id": .useAppTraceID, "window": .window,
        "sampling_rate": .samplingRate,
    ]

    private mutating func datakitLayer() throws(Failure) -> SettingsLayer {
        let section = try datakitSection()
        var layer: SettingsLayer = [:]
        for name in section.keys.sorted() {
            let place = SettingSource.file(path: path, key: "inputs.ebpftrace.\(name)")
            if name == "tags", let tags = section["tags"]?.table {
                datakitTags = FoundValue(value: .map(Self.pairs(tags)), source: place)
            } else if let key = Self.datakitKeys[name], let value = section[name].flatMap(Self.raw) {
                // The old name of the directory gives way to the new one, which comes first in the order of names.
                if layer[key.name] == nil { layer[key.name] = FoundValue(value: value, source: place) }
            } else {
                notices.append(.warning("\(place) is not a setting of ebpftrace and is ignored"))
            }
        }
        return layer
    }

    private mutating func datakitSection() throws(Failure) -> TOMLTable {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch {
            let line = (error as? TOMLParseError).map { ", line \($0.source.begin.line)" } ?? ""
            throw Failure(.configuration, "\(path) is not valid TOML\(line); correct its syntax")
        }
        let found = table["inputs"]?.table?["ebpftrace"]
        if let sections = found?.array {
            let tables = sections.compactMap(\.table)
            if tables.count > 1 {
                notices.append(.warning("\(path) has \(tables.count) [[inputs.ebpftrace]] sections; the first counts"))
            }
            if let first = tables.first { return first }
        }
        guard let section = found?.table else {
            throw Failure(
                .configuration,
                "\(path) has no [[inputs.ebpftrace]] section; give DataKit's ebpftrace.conf, or settings as YAML")
        }
        return section
    }

    private static func pairs(_ table: TOMLTable) -> [RawValue.Pair] {
        table.keys.sorted().compactMap { name in
            table[name].flatMap(raw).map { RawValue.Pair(name: name, value: $0) }
        }
    }

    /// A plain value as text. DataKit reads a whole number as nanoseconds where a duration is due.
    private static func raw(_ value: any TOMLValueConvertible) -> RawValue? {
        switch value.type {
        case .string: value.string.map { .text($0) }
        case .bool: value.bool.map { .text($0 ? "true" : "false") }
        case .int: value.int.map { .text("\($0)") }
        case .double: value.double.map { .text("\($0)") }
        default: nil
        }
    }
}
