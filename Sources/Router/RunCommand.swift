import ArgumentParser
import Foundation
import Linking
import Logging
import NIOPosix
import Shared
import SharedNet

/// `run`: the whole product on one machine.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs a router with its workers.",
        discussion:
            "Prints the bound addresses as one JSON line, and writes them to listeners.json in the data directory.")

    @OptionGroup var flags: RouterFlags

    func run() async throws {
        Memory.shareArenas()
        Memory.keepFreed(bytes: 4 << 20, ownPagesFrom: 2 << 20)
        try await RouterMain.reporting {
            let settings = try RouterSettings.resolve(flags)
            Logs.bootstrap(level: settings.logLevel)
            let logger = Logger(label: "router")
            let profiler = settings.pprof == nil ? nil : Gperftools.orWarn(logger)
            for notice in settings.notices { logger.notice("settings", metadata: ["notice": "\(notice)"]) }
            let group = MultiThreadedEventLoopGroup(numberOfThreads: RunCommand.loops)
            let core = try RouterCore(
                settings: settings, clock: EpochClock(window: Int(settings.linking.window.exactNanoseconds)),
                group: group,
                logger: logger)
            let process = try RouterProcess(
                core: core, group: group, parts: RouterProcess.Parts(profiler: profiler), logger: logger)
            let announcing = Task { await RunCommand.announce(process) }
            defer { announcing.cancel() }
            try await process.serviceGroup().run()
        }
    }

    /// Event loops for all listeners: decoding runs on them, so one a core up to four.
    static var loops: Int { max(1, min(4, ProcessInfo.processInfo.activeProcessorCount)) }

    /// Tells users and tests which addresses were bound.
    private static func announce(_ process: RouterProcess) async {
        guard let addresses = await process.listeners.everything() else { return }
        let line = BoundListeners.line(addresses)
        do {
            try process.core.directory.writeListeners(Array((line + "\n").utf8))
        } catch {
            process.logger.warning("cannot write listeners.json", metadata: ["error": "\(error)"])
        }
        StandardOutput.write(Array((line + "\n").utf8))
    }
}
