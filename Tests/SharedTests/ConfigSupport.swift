import Testing

@testable import Shared

/// Resolves settings in tests without touching the machine.
struct ConfigCase {
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var files: [String: String] = [:]
    var host = HostFacts(name: "node-7", address: "10.1.2.3", isRoot: true)

    func router() throws -> RouterSettings {
        if let layer = plainLayer {
            var resolver = try SettingsResolver(flags: layer, environment: environment, host: host, readFile: read)
            return try RouterSettings(&resolver)
        }
        return try RouterSettings.resolve(
            flags: try RouterFlags.parse(arguments), environment: environment, host: host, readFile: read)
    }

    func worker() throws -> WorkerSettings {
        if let layer = plainLayer {
            var resolver = try SettingsResolver(flags: layer, environment: environment, host: host, readFile: read)
            return try WorkerSettings(&resolver)
        }
        return try WorkerSettings.resolve(
            flags: try WorkerFlags.parse(arguments), environment: environment, host: host, readFile: read)
    }

    /// The flags where there are none but `--config`: a parse takes 70 ms in a debug build.
    private var plainLayer: SettingsLayer? {
        if arguments.isEmpty { return [:] }
        guard arguments.count == 2, arguments[0] == "--config" else { return nil }
        return ["config": FoundValue(value: .text(arguments[1]), source: .flag("--config"))]
    }

    private func read(_ path: String) throws(Failure) -> String {
        guard let text = files[path] else { throw Failure(.fileMissing, "no \(path)") }
        return text
    }

    /// The sentence of the failure, with its code checked.
    func message(code: Failure.Code = .configuration) throws -> String {
        let failure = try #require(throws: Failure.self) { try router() }
        #expect(failure.code == code)
        return failure.message
    }

    /// A case whose settings stand in a YAML file.
    static func yaml(_ text: String) -> ConfigCase {
        ConfigCase(arguments: ["--config", "e.yaml"], files: ["e.yaml": text])
    }

    /// A case whose settings stand in a DataKit file.
    static func toml(_ text: String, environment: [String: String] = [:]) -> ConfigCase {
        ConfigCase(
            arguments: ["--config", "ebpftrace.conf"], environment: environment, files: ["ebpftrace.conf": text])
    }
}

extension RouterSettings {
    /// "value < source" of one key.
    func origin(_ name: String) -> String? {
        effective.first { $0.name == name }.map { "\($0.value) < \($0.source)" }
    }
}
