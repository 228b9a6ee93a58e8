import Foundation
import Glibc
import Linking
import Shared

/// One replay file, read body by body: at most 256 points of one recorded batch, as protobuf.
final class ReplayFile {
    let path: String
    let timeline: ReplayTimeline?
    /// Points handed out so far.
    private(set) var pointsRead = 0

    private let form: ReplayForm
    private let timed: Bool
    private var transcoder = ReplayTranscoder()
    private let file: FileStream
    private var reader: PointReader
    /// Index of the batch that the next point belongs to.
    private var batchIndex = 0
    private var ended = false

    /// A body is cut early at this many bytes, so that no router finds it too large.
    private static let fullBody = 8 << 20

    /// Opens a file and the timeline beside it.
    /// - Throws: `Failure(.fileMissing)`, `Failure(.usage)` for a name that does not tell the form,
    ///   `Failure(.badInput)` for a bad timeline, or for none when `timed`.
    init(path: String, timed: Bool, limits: Limits = Limits()) throws {
        guard let form = ReplayForm(fileName: path) else {
            throw Failure(.usage, "the name of \(path) does not tell its form; it must end in \(ReplayForm.endings)")
        }
        file = try FileStream(path: path)
        timeline = try ReplayTimeline(beside: path)
        if timed, timeline == nil {
            let names = ReplayTimeline.fileNames.joined(separator: ", ")
            throw Failure(
                .fileMissing, "no recorded arrival beside \(path): a timed replay needs one of \(names) there")
        }
        self.path = path
        self.form = form
        self.timed = timed
        reader = PointReader(
            stream: try file.unpacked(form.packing), path: path,
            cutter: PointCutter(form: form.points, largestPoint: limits.pointBytes))
    }

    /// How much of the file is read, 0 to 1: by points where the timeline tells their number, else by bytes.
    var fraction: Double {
        if ended { return 1 }
        if let timeline { return timeline.points == 0 ? 1 : min(1, Double(pointsRead) / Double(timeline.points)) }
        return file.size <= 0 ? 0 : min(1, Double(file.position) / Double(file.size))
    }

    /// Size on disk, bytes.
    var size: Int { file.size }

    /// The next body; nil at the end.
    /// - Throws: `Failure(.badInput)` naming file, place and remedy.
    func next() throws -> ReplayBody? {
        if ended { return nil }
        let batch = try currentBatch()
        let room = min(ReplayBody.mostPoints, batch.map { $0.first + $0.count - pointsRead } ?? .max)
        let firstPoint = pointsRead
        var gathered = GatheredPoints()
        while gathered.count < room, gathered.bytes.count < Self.fullBody {
            guard try gathered.add(from: &reader, form: form.points) else {
                try end()
                break
            }
            pointsRead += 1
        }
        if gathered.count == 0 { return nil }
        if timeline != nil, batch == nil { throw timelineDiffers() }
        let bytes = try protobuf(of: gathered, firstPoint: firstPoint, now: batch?.arrival ?? 0)
        return ReplayBody(
            bytes: bytes, points: gathered.count, arrival: timed ? batch?.arrival : nil, agent: batch?.agent,
            file: path, firstPoint: firstPoint)
    }

    /// The batch of the next point; nil without timeline, or beyond its end.
    private func currentBatch() throws -> ReplayTimeline.Batch? {
        guard let timeline else { return nil }
        while batchIndex < timeline.batches.count {
            let batch = timeline.batches[batchIndex]
            if pointsRead < batch.first + batch.count { return batch }
            batchIndex += 1
        }
        return nil
    }

    private func end() throws {
        ended = true
        if let timeline, pointsRead != timeline.points { throw timelineDiffers() }
    }

    private func timelineDiffers() -> Failure {
        let held = ended ? "\(pointsRead)" : "more"
        return Failure(
            .badInput,
            "\(timeline?.path ?? path) names \(timeline?.points ?? 0) points, but \(path) holds \(held); "
                + "it belongs to another file: move it away, or record again")
    }

    /// Turns gathered points into protobuf; on failure names the first point that cannot be read.
    private func protobuf(of gathered: GatheredPoints, firstPoint: Int, now: Int64) throws -> [UInt8] {
        if form.points == .protobuf { return gathered.bytes }
        do {
            return try transcoder.protobuf(gathered.bytes, form: form.points, now: now)
        } catch {
            for (index, line) in gathered.lines.enumerated() {
                do { _ = try transcoder.protobuf(gathered.point(index), form: form.points, now: now) } catch {
                    throw unreadable("line \(line)", because: error)
                }
            }
            throw unreadable("points \(firstPoint) to \(firstPoint + gathered.count - 1)", because: error)
        }
    }

    private func unreadable(_ place: String, because cause: any Error) -> Failure {
        Failure(
            .badInput,
            "\(path) is not readable as \(form.points.rawValue) at \(place); correct or remove it", cause: cause)
    }
}

/// The points of one body in their own form, before they are transcoded.
private struct GatheredPoints {
    var bytes: [UInt8] = []
    /// Line on which each point starts; empty for protobuf.
    var lines: [Int] = []
    private var starts: [Int] = []
    private(set) var count = 0

    /// Appends the reader's next point; false at the end.
    mutating func add(from reader: inout PointReader, form: ReplayForm.Points) throws -> Bool {
        let start = bytes.count
        guard try reader.next(into: &bytes) else { return false }
        count += 1
        if form != .protobuf {
            bytes.append(UInt8(ascii: "\n"))
            lines.append(reader.line)
            starts.append(start)
        }
        return true
    }

    func point(_ index: Int) -> [UInt8] {
        Array(bytes[starts[index]..<(index + 1 < count ? starts[index + 1] : bytes.count)])
    }
}
