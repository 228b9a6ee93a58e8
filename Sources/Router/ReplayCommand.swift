import ArgumentParser
import Foundation
import Linking
import Logging
import Shared

/// `replay`: recorded spans, through a private router (`--local`) or to a running one (`--to`).
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Links recorded spans, or posts them to a running router.",
        discussion: """
            --local starts a private router and worker processes in a temporary directory, feeds the files and writes
            the kept spans as JSON lines. With --timed the arrival recorded beside each file (batches.jsonl,
            timeline.jsonl) drives the log's clock; without it nothing closes before the end of input.
            --to URL posts the files to a running router; --speed X in their recorded time, X times faster.

            Files: .pb (PBPoints), .lp (line protocol), .json, .jsonl, each also with .gz or .zst; or a directory.
            """)

    @Flag(help: "Link in a private router with worker processes of its own.") var local = false
    @Option(help: ArgumentHelp("Post to this router.", valueName: "url")) var to: String?
    @Flag(help: "Let the recorded arrival drive the log's clock (with --local).") var timed = false
    @Option(help: ArgumentHelp("Post in recorded time, this many times faster (with --to).", valueName: "factor"))
    var speed: Double?
    @Option(help: ArgumentHelp("Where the kept spans go; - is standard output (with --local).", valueName: "file"))
    var out: String?
    @Argument(help: ArgumentHelp("Recorded spans.", valueName: "file")) var files: [String] = []
    @OptionGroup(title: "Settings of the private router (with --local)") var flags: RouterFlags

    func validate() throws {
        guard local != (to != nil) else { throw ValidationError("give either --local or --to URL") }
        guard !files.isEmpty else { throw ValidationError("name at least one file to replay") }
        if local, out == nil { throw ValidationError("--local needs --out FILE (- for standard output)") }
        if local, speed != nil { throw ValidationError("--speed goes with --to; use --timed with --local") }
        if to != nil, timed || out != nil { throw ValidationError("--timed and --out go with --local") }
    }

    func run() async throws {
        try await RouterMain.reporting {
            if let to {
                _ = try await ReplayTo(address: to, speed: speed, files: files).run()
                return
            }
            var flags = flags
            // Only warnings: a replay's own output is its summary.
            flags.common.logLevel = flags.common.logLevel ?? "warning"
            let summary = try await LocalReplay(flags: flags, isTimed: timed, files: files, output: out ?? "-").run()
            FileHandle.standardError.write(Data((summary.text + "\n").utf8))
        }
    }
}
