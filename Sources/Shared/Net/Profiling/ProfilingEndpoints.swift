import Hummingbird
import NIOCore
import Shared

/// The pages that `pprof` asks for.
///
/// | path | answer |
/// |---|---|
/// | `/debug/pprof/profile?seconds=` | CPU profile of so many seconds (30; 1 to 300) |
/// | `/debug/pprof/heap` | live allocations by call stack |
/// | `/debug/pprof/cmdline` | program and arguments, one a line |
/// | `/debug/pprof/` | this list |
public struct ProfilingEndpoints: Sendable {
    private let profiler: Gperftools
    private static let secondsMax = 300

    public init(_ profiler: Gperftools) { self.profiler = profiler }

    /// Adds the pages to a listener.
    public func register(on router: some RouterMethods<some RequestContext>) {
        router.get("debug/pprof") { _, _ in Self.text(.ok, Self.list) }
        router.get("debug/pprof/cmdline") { _, _ in
            Self.text(.ok, CommandLine.arguments.joined(separator: "\n") + "\n")
        }
        router.get("debug/pprof/heap") { _, _ in Self.bytes(profiler.heapProfile(), name: "heap") }
        router.get("debug/pprof/profile") { request, _ in
            let text = request.uri.queryParameters["seconds"].map { String($0) } ?? "30"
            guard let seconds = Int(text), (1...Self.secondsMax).contains(seconds) else {
                return Self.text(.badRequest, "seconds must lie between 1 and \(Self.secondsMax), not \(text)\n")
            }
            guard let profile = try await profiler.cpuProfile(for: .seconds(seconds)) else {
                return Self.text(.conflict, "another CPU profile is being taken; try again when it has ended\n")
            }
            return Self.bytes(profile, name: "profile")
        }
    }

    private static let list = """
        /debug/pprof/profile?seconds=30   CPU
        /debug/pprof/heap                 live allocations
        /debug/pprof/cmdline              program and arguments

        google-pprof --text PROGRAM http://HOST:PORT/debug/pprof/profile?seconds=10

        """

    private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    private static func bytes(_ bytes: [UInt8], name: String) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "application/octet-stream", .contentDisposition: "attachment; filename=\"\(name)\"",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
