import Foundation
import Linking
import Shared

/// The files of a replay as one sequence of bodies: file after file, or merged by recorded arrival when timed.
///
/// Memory does not depend on the size of the files: one body and one read ahead per open file. Not to be shared between
/// tasks; `next` reads from disk.
final class ReplayInput {
    private let files: [ReplayFile]
    private let timed: Bool
    /// Timed: the next body of each file. Untimed: not used.
    private var heads: [ReplayBody?] = []
    /// Untimed: the file being read.
    private var current = 0

    /// Bodies handed out so far.
    private(set) var bodies = 0
    /// Points handed out so far.
    private(set) var points = 0

    /// Opens files; a directory stands for the input file in it.
    /// - Parameters:
    ///   - paths: files or directories, at least one.
    ///   - timed: take arrival times from the timeline beside each file, and merge the files by them.
    /// - Throws: `Failure(.usage)`, `Failure(.fileMissing)`, `Failure(.badInput)`.
    init(paths: [String], timed: Bool, limits: Limits = Limits()) throws {
        if paths.isEmpty { throw Failure(.usage, "name at least one file to replay (\(ReplayForm.endings))") }
        self.timed = timed
        files = try paths.map {
            try ReplayFile(path: Self.inputFile(at: $0), timed: timed, limits: limits)
        }
        if timed { heads = try files.map { try $0.next() } }
    }

    /// Points of all files; nil when a file has no timeline to tell.
    var totalPoints: Int? {
        files.reduce(0) { sum, file in file.timeline.map { timeline in sum.map { $0 + timeline.points } } ?? nil }
    }

    /// How much is read, 0 to 1, weighed by the files' sizes.
    var fraction: Double {
        let total = files.reduce(0) { $0 + max(1, Double($1.size)) }
        return files.reduce(0) { $0 + max(1, Double($1.size)) * $1.fraction } / total
    }

    /// The next body; nil at the end of all files. Timed, arrivals never go back.
    /// - Throws: `Failure(.badInput)` naming file, place and remedy.
    func next() throws -> ReplayBody? {
        guard let body = timed ? try nextByArrival() : try nextInFileOrder() else { return nil }
        bodies += 1
        points += body.points
        return body
    }

    private func nextInFileOrder() throws -> ReplayBody? {
        while current < files.count {
            if let body = try files[current].next() { return body }
            current += 1
        }
        return nil
    }

    /// Complexity: one look at each file's head; replays have few files.
    private func nextByArrival() throws -> ReplayBody? {
        var earliest: (index: Int, arrival: Int64)?
        for (index, head) in heads.enumerated() {
            guard let arrival = head?.arrival else { continue }
            if earliest.map({ arrival < $0.arrival }) ?? true { earliest = (index, arrival) }
        }
        guard let index = earliest?.index else { return nil }
        let body = heads[index]
        heads[index] = try files[index].next()
        return body
    }

    /// The names of a directory's input file, in the order they are looked for.
    static let inputNames = ["", ".zst"].reduce(into: ["input.pb.gz", "input.jsonl.gz", "input.lp.gz"]) {
        for name in ["input.pb", "input.jsonl", "input.lp"] { $0.append(name + $1) }
    }

    /// The file that an argument means: itself, or the input file of a directory.
    static func inputFile(at path: String) throws -> String {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
            return path
        }
        let candidates = inputNames.map { (path as NSString).appendingPathComponent($0) }
        if let found = candidates.first(where: FileManager.default.fileExists(atPath:)) { return found }
        throw Failure(
            .fileMissing, "no input file in \(path): it needs one of \(inputNames.joined(separator: ", "))")
    }
}
