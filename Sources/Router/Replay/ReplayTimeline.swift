import Foundation
import Glibc
import Linking
import Shared

/// What was recorded about the delivery of a replay file: which points came together, when, and from which agent.
///
/// Lies beside the file, in one of two forms, each also as `.gz`:
/// ```
/// batches.jsonl    {"node":"n1","arrive_us":…,"first":0,"count":59}
/// timeline.jsonl   {"at_ms":0,"wall_ns":…,"agent":"node-1","agent_ip":"10.10.0.1","first":0,"points":256,…}
/// ```
/// `first` counts the points of the file from 0. Batches follow one another without gap, in order of arrival.
struct ReplayTimeline: Sendable, Equatable {
    /// The points that one agent sent at one time.
    struct Batch: Sendable, Equatable {
        /// Number of the first point in the file, from 0.
        var first: Int
        /// Points of the batch; at least 1.
        var count: Int
        /// Nanoseconds since 1970.
        var arrival: Int64
        var agent: String
    }

    /// The batches, one after another.
    private(set) var batches: [Batch] = []
    /// Path of the file it was read from.
    let path: String

    /// Points that the batches hold together.
    var points: Int { batches.last.map { $0.first + $0.count } ?? 0 }

    /// Most batches that are read; 64 bytes each.
    static let mostBatches = 4_000_000
    /// Longest record, bytes.
    static let longestRecord = 1 << 16
    /// The names it may have, in the order they are looked for.
    static let fileNames = ["batches.jsonl", "batches.jsonl.gz", "timeline.jsonl", "timeline.jsonl.gz"]

    /// A timeline of given batches.
    /// - Throws: `Failure(.badInput)` when they are out of order.
    init(path: String, batches: [Batch]) throws {
        self.path = path
        for (index, batch) in batches.enumerated() { try append(batch, line: index + 1) }
    }

    /// Reads the timeline beside a replay file; nil when there is none.
    /// - Throws: `Failure(.badInput)` naming file, line and what is wrong.
    init?(beside file: String) throws {
        let folder = (file as NSString).deletingLastPathComponent
        let paths = Self.fileNames.map { (folder as NSString).appendingPathComponent($0) }
        guard let path = paths.first(where: { access($0, F_OK) == 0 }) else { return nil }
        try self.init(path: path)
    }

    /// Reads a timeline file.
    /// - Throws: `Failure(.badInput)` naming file, line and what is wrong; `Failure(.fileMissing)`.
    init(path: String) throws {
        self.path = path
        let packing: ReplayForm.Packing = path.hasSuffix(".gz") ? .gzip : .plain
        var reader = PointReader(
            stream: try FileStream(path: path).unpacked(packing), path: path,
            cutter: PointCutter(form: .json, largestPoint: Self.longestRecord))
        var record: [UInt8] = []
        while try reader.next(into: &record) {
            try append(try Self.batch(of: record, at: "\(path):\(reader.line)"), line: reader.line)
            record.removeAll(keepingCapacity: true)
        }
    }

    private mutating func append(_ batch: Batch, line: Int) throws {
        let wrong: String? =
            if batches.count >= Self.mostBatches {
                "more than \(Self.mostBatches) batches; cut the recording into several directories"
            } else if batch.first != points {
                "the batch starts at point \(batch.first), but the one before ended before point \(points); "
                    + "batches must follow one another without gap or overlap"
            } else if let last = batches.last, batch.arrival < last.arrival {
                "the batch arrived before the one above it; sort points and batches by arrival"
            } else {
                nil
            }
        if let wrong { throw Failure(.badInput, "\(path):\(line): \(wrong)") }
        if batch.count > 0 { batches.append(batch) }
    }

    /// Takes one record apart.
    private static func batch(of record: [UInt8], at place: String) throws -> Batch {
        guard let object = try? JSONSerialization.jsonObject(with: Data(record)) as? [String: Any] else {
            throw Failure(.badInput, "\(place): not a JSON object; write one batch a line")
        }
        let arrival = integer(object["wall_ns"]) ?? integer(object["arrive_us"]).flatMap(nanoseconds)
        guard let first = integer(object["first"]), let count = integer(object["count"] ?? object["points"]),
            let arrival, let agent = (object["agent"] ?? object["node"]) as? String
        else {
            throw Failure(
                .badInput,
                "\(place): a batch needs first, count (or points), arrive_us (or wall_ns) and node (or agent)")
        }
        guard first >= 0, count >= 0, !first.addingReportingOverflow(count).overflow else {
            throw Failure(.badInput, "\(place): first \(first) and count \(count) are no range of points")
        }
        return Batch(first: Int(first), count: Int(count), arrival: arrival, agent: agent)
    }

    private static func integer(_ value: Any?) -> Int64? { (value as? NSNumber).flatMap { Int64(exactly: $0) } }

    private static func nanoseconds(_ microseconds: Int64) -> Int64? {
        let (product, overflow) = microseconds.multipliedReportingOverflow(by: 1000)
        return overflow ? nil : product
    }
}
