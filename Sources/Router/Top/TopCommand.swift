import ArgumentParser
import Foundation
import Shared

/// `top`: the figures of a running router, live.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Shows the figures of a running router, live.",
        discussion: """
            Spans in, out, dropped by reason and held, lag, epochs, traces, edges and workers, every two seconds; q or
            Ctrl-C ends it. Where the output is no terminal, or with --once, it prints one frame and exits.
            """)

    @Option(help: "The router's console.") var console = "127.0.0.1:9530"
    @Option(help: "Seconds between two frames.") var interval = 2.0
    @Flag(help: "Print one frame and exit.") var once = false

    func validate() throws {
        guard interval >= 0.2, interval <= 3_600 else {
            throw ValidationError("--interval must lie between 0.2 and 3600 seconds")
        }
    }

    func run() async throws {
        try await RouterMain.reporting {
            let client = try ConsoleClient(console)
            guard !once, Terminal.isInteractive else {
                let screen = try await frame(client)
                return print(screen.lines().joined(separator: "\n"))
            }
            try await live(client)
        }
    }

    private func frame(_ client: ConsoleClient) async throws(Failure) -> TopScreen {
        let status: RouterPages.Status = try await client.get("/status")
        let history: StatusHistory.Page = try await client.get("/api/history")
        return TopScreen(status: status, history: history, address: client.url)
    }

    private func live(_ client: ConsoleClient) async throws {
        // The first frame before the screen is taken: a wrong address is told on the usual one.
        var screen = try await frame(client)
        let terminal = Terminal()
        defer { terminal.restore() }
        while true {
            (screen.width, screen.height) = terminal.size
            screen.hasColours = true
            terminal.show(screen.lines())
            if await terminal.isToldToEnd(within: interval) { return }
            do {
                screen = try await frame(client)
            } catch {
                screen.status.problems = ["\(error)"]
            }
        }
    }
}
