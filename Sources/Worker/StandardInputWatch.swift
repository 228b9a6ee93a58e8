import Foundation
import ServiceLifecycle

/// Ends when standard input ends: the router that started the worker holds the other end of a pipe, so a router that
/// was killed leaves no worker behind. A terminal or /dev/null never ends the worker.
struct StandardInputWatch: Service {
    func run() async throws {
        var status = stat()
        let isPipe = fstat(STDIN_FILENO, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
        if isPipe {
            let ended = OneEnd()
            let thread = Thread {
                var byte: UInt8 = 0
                while true {
                    let count = read(STDIN_FILENO, &byte, 1)
                    if count == 0 || (count < 0 && errno != EINTR) { break }
                }
                ended.finish()
            }
            thread.stackSize = 1 << 18
            thread.start()
            await cancelWhenGracefulShutdown { await ended.wait() }
        } else {
            try await gracefulShutdown()
        }
    }

    private struct OneEnd: Sendable {
        private let stream: AsyncStream<Void>
        private let continuation: AsyncStream<Void>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self) }

        func finish() { continuation.finish() }

        func wait() async { for await _ in stream {} }
    }
}
