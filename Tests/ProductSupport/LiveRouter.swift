import Foundation

/// `run` with two workers on free ports, a window of 2 s, sampling 1 and a file target.
public final class LiveRouter: Sendable {
    public let folder: TestFolder
    public let run: ProductRun
    public let agents: String
    public let console: String

    /// The parts of `/status` that tests read.
    public struct Status: Decodable, Sendable {
        public struct Worker: Decodable, Sendable {
            public var ordinal: Int
            public var pid: Int32?
            public var state: String
            public var restarts: Int
        }

        public var workers: [Worker]
        public var spansAccepted: UInt64
        public var spansHeld: UInt64
        public var spansExported: [String: UInt64]
        public var spansDropped: [String: UInt64]
        public var openSpans: Int
        public var problems: [String]
    }

    /// Starts and waits until it is ready.
    ///
    /// - Parameters:
    ///   - folder: data directory and file target lie in it; give that of an earlier run to start again on its data.
    ///   - targets: nil: a file target in `traces`.
    public init(
        folder: TestFolder? = nil, targets: [String]? = nil, settings: [String] = []
    ) async throws {
        let folder = try folder ?? TestFolder()
        self.folder = folder
        let free = "127.0.0.1:0"
        try? FileManager.default.removeItem(atPath: folder.file("data/listeners.json"))
        let targets = targets ?? ["file:" + folder.file("traces")]
        run = try ProductRun(
            Product.router,
            [
                "run", "--workers", "2", "--window", "2s", "--sampling-rate", "1", "--listen", free, "--console", free,
                "--peers", free, "--worker-listen", free, "--data-dir", folder.file("data"), "--log-level", "warning",
            ] + targets.flatMap { ["--target", $0] } + settings)
        let (run, path) = (run, folder.file("data/listeners.json"))
        func addresses() -> [String: String]? {
            FileManager.default.contents(atPath: path).flatMap {
                try? JSONDecoder().decode([String: String].self, from: $0)
            }
        }
        let isBound = await becomes(true, within: 60) { addresses() != nil || !run.isRunning }
        guard isBound, let addresses = addresses(), let agents = addresses["agents"], let console = addresses["console"]
        else { throw Problem("the router did not start: \(run.errors)") }
        self.agents = agents
        self.console = console
        let isReady = try await becomes(200, within: 60) { try RawHTTP.get(console, "/readyz").status }
        guard isReady else { throw Problem("the router is not ready: \(run.errors)") }
    }

    public func status() throws -> Status {
        let decoder = JSONDecoder()
        return try decoder.decode(Status.self, from: Data(try RawHTTP.get(console, "/status").body))
    }

    /// Sum of all series of a metric, as on the router's page.
    public func metric(_ name: String, without label: String? = nil) throws -> Double {
        let page = try RawHTTP.get(agents, "/metrics").text
        return page.split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix("ebpftrace_" + name),
                let value = line.split(separator: " ").last.flatMap({ Double($0) }),
                let next = line.dropFirst("ebpftrace_".count + name.count).first, next == " " || next == "{",
                label.map({ !line.contains($0) }) ?? true
            else { return sum }
            return sum + value
        }
    }

    /// Waits until so many spans came in and none is held.
    public func settles(accepted: UInt64, within seconds: Double = 40) async throws {
        let isSettled = try await becomes(true, within: seconds) {
            let status = try self.status()
            return status.spansHeld == 0 && status.spansAccepted >= accepted
        }
        guard isSettled else { throw Problem("spans are still held: \(try status()); \(run.errors)") }
    }

    /// The exported lines so far: hour files, and complete parts without their headers.
    public func lines() throws -> [String] {
        let traces = folder.file("traces")
        var lines: [String] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: traces).sorted() where name.hasSuffix(".jsonl")
        {
            guard !name.hasPrefix("."), let bytes = FileManager.default.contents(atPath: traces + "/" + name) else {
                continue
            }
            // Lines are being appended: what stands behind the last line end is not a line yet.
            let whole = bytes[..<(bytes.lastIndex(of: 0x0A) ?? bytes.startIndex)]
            let all = whole.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
            lines += name.hasPrefix("part-") ? Array(all.dropFirst()) : all
        }
        return lines
    }

    /// All exported spans, once no part waits for being joined any more.
    public func spans() async throws -> [ExportedSpan] {
        let traces = folder.file("traces")
        _ = try await becomes(true, within: 10) {
            let names = try FileManager.default.contentsOfDirectory(atPath: traces)
            return !names.contains { $0.hasPrefix("part-") || $0.hasSuffix(".joining") }
        }
        return try lines().map { try ExportedSpan(line: Data($0.utf8)) }
    }
}
