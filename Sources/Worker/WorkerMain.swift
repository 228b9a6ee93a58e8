import ArgumentParser
import Foundation
import Shared

/// `ebpftrace-worker`: pairs the spans of its partitions and exports what the merge keeps.
@main
struct WorkerMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ebpftrace-worker",
        abstract: "Pairs the spans of its partitions and exports kept traces; started by ebpftrace-router.",
        version: Product.version, subcommands: [Run.self])

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Runs one worker.")

        @OptionGroup var flags: WorkerFlags

        func run() async throws {
            Memory.shareArenas()
            Memory.keepFreed(bytes: 8 << 20, ownPagesFrom: 8 << 20)
            do {
                try await WorkerProcess(flags: flags).run()
            } catch let failure as Failure {
                FileHandle.standardError.write(Data("ebpftrace-worker: \(failure)\n".utf8))
                throw ExitCode(failure.code.exitStatus)
            }
        }
    }
}
