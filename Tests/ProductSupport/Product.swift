import Foundation

/// Why a test could not do its work: shown by Swift Testing as the error of the test.
public struct Problem: Error, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}

/// The real executables, and the files of the repository.
public enum Product {
    /// Top folder of the repository.
    public static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    public static let fixtures = root + "/Tests/Fixtures"

    /// `ebpftrace-router`: in the folder `EBPFTRACE_BIN` (or that file itself), else beside the test bundle.
    public static var router: String {
        get throws {
            let candidates = folders.map { $0 + "/ebpftrace-router" } + [named].compactMap { $0 }
            guard let found = candidates.first(where: isProgram) else {
                throw Problem(
                    "ebpftrace-router is not built; run `swift build --build-tests`, or set EBPFTRACE_BIN to its folder"
                )
            }
            return found
        }
    }

    private static var named: String? { ProcessInfo.processInfo.environment["EBPFTRACE_BIN"] }

    private static var folders: [String] {
        if let named { return [named] }
        let bundles = CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
        return bundles.map { ($0 as NSString).deletingLastPathComponent } + [root + "/.build/debug"]
    }

    private static func isProgram(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }

    /// The sets with ground truth, which are no part of the repository: `EBPFTRACE_TRUTH`, or `shared/truth` near it.
    public static let truth: String? = {
        let near = [root + "/../shared/truth", "/work/shared/truth"]
        let candidates = ProcessInfo.processInfo.environment["EBPFTRACE_TRUTH"].map { [$0] } ?? near
        return candidates.first { FileManager.default.fileExists(atPath: $0 + "/sets") }.map { $0 + "/sets" }
    }()
}

/// A folder of its own, removed with its last reference.
public final class TestFolder: Sendable {
    public let path: String

    public init() throws {
        path = NSTemporaryDirectory() + "/ebpftrace-test-" + UUID().uuidString.lowercased()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file and returns its path.
    public func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}
