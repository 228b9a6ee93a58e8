import ArgumentParser
import Foundation
import Shared

/// `ebpftrace-router`: takes spans in, merges what the workers find, and runs the workers.
@main
struct RouterMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ebpftrace-router",
        abstract: "Joins eBPF spans into traces: takes spans from node agents, links, samples and exports them.",
        discussion: """
            Start with `ebpftrace-router run --workers 2 --target file:traces` and point the agents at port 9529.
            Every setting is a flag, an EBPFTRACE_ variable and a YAML key; see docs/configuration.md.
            """,
        version: Product.version,
        subcommands: [
            RunCommand.self, CheckCommand.self, ReplayCommand.self, TopCommand.self, ExplainCommand.self,
            DemoCommand.self, VersionCommand.self, ReferenceCommand.self,
        ])

    /// Runs a command's body; a `Failure` becomes one line on standard error and its exit status.
    static func reporting(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("ebpftrace-router: \(failure)\n".utf8))
            throw ExitCode(failure.code.exitStatus)
        }
    }
}

/// `version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    func run() { print("ebpftrace \(Product.version)") }
}

/// `check`
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Prints every setting in effect, where it came from, and warnings.")

    @OptionGroup var flags: RouterFlags

    func run() async throws {
        try await RouterMain.reporting {
            print(ConfigCheck.text(try RouterSettings.resolve(flags)), terminator: "")
        }
    }
}

/// `reference`: what `make docs` writes.
struct ReferenceCommand: ParsableCommand {
    enum Page: String, ExpressibleByArgument, CaseIterable { case configuration, metrics, openapi }

    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Prints a generated page of the documentation.", shouldDisplay: false)

    @Argument(help: "configuration, metrics or openapi") var page: Page

    func run() {
        switch page {
        case .configuration: print(ConfigurationReference.markdown(), terminator: "")
        case .metrics: print(MetricsReference.page, terminator: "")
        case .openapi: print(OpenAPIDocument.yaml, terminator: "")
        }
    }
}

extension RouterSettings {
    /// The settings of this process: flags, environment, file, defaults.
    static func resolve(_ flags: RouterFlags) throws(Failure) -> RouterSettings {
        try resolve(
            flags: flags, environment: ProcessInfo.processInfo.environment, host: .ofThisMachine(),
            readFile: SettingsDisk.read)
    }
}
