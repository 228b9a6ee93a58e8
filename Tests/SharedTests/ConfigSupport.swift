import Shared
import Testing

/// Resolves settings in tests without touching the machine.
struct ConfigCase {
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var files: [String: String] = [:]
    var host = HostFacts(name: "node-7", address: "10.1.2.3", isRoot: true)

    func router() throws -> RouterSettings {
        try RouterSettings.resolve(
            flags: try RouterFlags.parse(arguments), environment: environment, host: host, readFile: read)
    }

    func worker() throws -> WorkerSettings {
        try WorkerSettings.resolve(
            flags: try WorkerFlags.parse(arguments), environment: environment, host: host, readFile: read)
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
