import Foundation

/// One process: started at once, output kept in files, waits bounded, stopped by its pid at the latest with `deinit`.
public final class ProductRun: @unchecked Sendable {
    /// How a process ended, and what it said.
    public struct Ended: Sendable {
        public var status: Int32
        public var isSignal: Bool
        public var output: String
        public var errors: String
    }

    private let process = Process()
    private let folder: TestFolder

    /// - Parameter environment: added to a clean environment.
    public init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        folder = try TestFolder()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        let own = ProcessInfo.processInfo.environment
        var clean = ["PATH": own["PATH"] ?? "/usr/bin:/bin", "HOME": folder.path, "TMPDIR": folder.path]
        clean.merge(environment) { $1 }
        process.environment = clean
        for name in ["out", "err"] { _ = try folder.write(name, "") }
        process.standardOutput = FileHandle(forWritingAtPath: folder.file("out"))
        process.standardError = FileHandle(forWritingAtPath: folder.file("err"))
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// Runs `ebpftrace-router` to its end.
    public static func router(_ arguments: [String], within seconds: Double = 60) async throws -> Ended {
        try await ProductRun(Product.router, arguments).ended(within: seconds)
    }

    /// Runs a program of the system to its end.
    public static func tool(_ arguments: [String], within seconds: Double = 60) async throws -> Ended {
        try await ProductRun("/usr/bin/env", arguments).ended(within: seconds)
    }

    public var pid: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }
    public var output: String { text("out") }
    public var errors: String { text("err") }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: folder.file(name)) ?? Data(), as: UTF8.self)
    }

    /// Waits for the end; kills the process and throws after the time.
    public func ended(within seconds: Double = 60) async throws -> Ended {
        guard await becomes(true, within: seconds, { !self.process.isRunning }) else {
            kill(pid, SIGKILL)
            throw Problem("\(process.arguments ?? []) did not end within \(seconds) s; it said: \(errors)\(output)")
        }
        return Ended(
            status: process.terminationStatus, isSignal: process.terminationReason == .uncaughtSignal, output: output,
            errors: errors)
    }

    /// SIGTERM, then the end.
    @discardableResult
    public func stop(within seconds: Double = 30) async throws -> Ended {
        kill(pid, SIGTERM)
        return try await ended(within: seconds)
    }

    /// SIGKILL, then the end.
    public func killNow() async throws {
        kill(pid, SIGKILL)
        _ = try await ended(within: 10)
    }
}

/// Whether a process exists.
public func isAlive(_ pid: Int32) -> Bool {
    guard kill(pid, 0) == 0 else { return false }
    // A process that has ended and that nobody has waited for is not alive.
    let status = FileManager.default.contents(atPath: "/proc/\(pid)/stat").map { String(decoding: $0, as: UTF8.self) }
    return status?.split(separator: ")").last?.split(separator: " ").first != "Z"
}

/// Asks again and again, every 20 ms, until the answer is as expected; false after the time.
public func becomes<Value: Equatable>(
    _ expected: Value, within seconds: Double, _ question: () async throws -> Value
) async rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        if try await question() == expected { return true }
        if ContinuousClock.now > deadline { return false }
        try? await Task.sleep(for: .milliseconds(20))
    }
}
