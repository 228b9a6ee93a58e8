import Foundation

/// `replay --local` of the real executables.
public enum Replay {
    public struct Result: Sendable {
        /// The lines as written, in the order of their bytes.
        public var lines: [String]
        public var summary: String
        /// Keeps the output file.
        public var folder: TestFolder
        public var output: String { folder.file("out.jsonl") }

        /// The lines, read; one that is no JSON object is left out, and missed by whoever counts.
        public var spans: [ExportedSpan] { lines.compactMap { try? ExportedSpan(line: Data($0.utf8)) } }
    }

    /// Runs to the end; throws what it said when it fails.
    public static func run(_ arguments: [String], _ files: [String], within seconds: Double = 120) async throws
        -> Result
    {
        let folder = try TestFolder()
        let output = folder.file("out.jsonl")
        let ended = try await ProductRun.router(
            ["replay", "--local", "--out", output] + arguments + files, within: seconds)
        guard ended.status == 0, !ended.isSignal else {
            throw Problem("replay \(arguments) ended with \(ended.status): \(ended.errors)")
        }
        let bytes = FileManager.default.contents(atPath: output) ?? Data()
        let lines = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
        return Result(
            lines: lines.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, summary: ended.errors, folder: folder)
    }
}

/// A scoring script of `Tests/score`.
public enum Score {
    /// Runs it with requirements; throws its figures when one does not hold.
    public static func check(_ script: String, _ arguments: [String], require: [String]) async throws {
        let path = Product.root + "/Tests/score/" + script
        let ended = try await ProductRun.tool(
            ["python3", path] + arguments + require.flatMap { ["--require", $0] }, within: 120)
        guard ended.status == 0 else { throw Problem("\(script): \(ended.errors)\n\(ended.output)") }
    }
}
