import Linking
import Shared

/// Pulls the bytes of one point after another out of a stream; memory is one point and one read ahead.
struct PointReader {
    private let stream: any ByteStream
    private let path: String
    private var cutter: PointCutter
    private var buffer: [UInt8]
    /// The bytes of `buffer` that are read but not consumed.
    private var held = 0..<0
    private var streamEnded = false

    /// Byte of the unpacked file at which the next point (or what stands before it) starts.
    private(set) var offset = 0
    /// Line of the last point, from 1.
    var line: Int { cutter.pointLine }

    /// Bytes asked from the stream at a time.
    private static let readSize = 1 << 16

    init(stream: any ByteStream, path: String, cutter: PointCutter) {
        self.stream = stream
        self.path = path
        self.cutter = cutter
        buffer = [UInt8](repeating: 0, count: Self.readSize * 4)
    }

    /// Appends the next point's bytes to `bytes`; false at the end of the stream.
    /// - Throws: `Failure(.badInput)` naming file, place and remedy.
    mutating func next(into bytes: inout [UInt8]) throws -> Bool {
        while true {
            switch try cut() {
            case .point(let range, let consumed):
                let start = held.lowerBound
                bytes.append(contentsOf: buffer[(start + range.lowerBound)..<(start + range.upperBound)])
                consume(consumed)
                return true
            case .needMore(let consumed):
                consume(consumed)
                if streamEnded { return false }
                try readOn()
            }
        }
    }

    private mutating func cut() throws -> PointCutter.Cut {
        let held = held
        let isLast = streamEnded
        do {
            return try buffer.withUnsafeBytes {
                try cutter.next(in: UnsafeRawBufferPointer(rebasing: $0[held]), isLast: isLast)
            }
        } catch let complaint as PointCutter.Complaint {
            throw unreadable(complaint)
        }
    }

    private func unreadable(_ complaint: PointCutter.Complaint) -> Failure {
        let place = cutter.form == .protobuf ? "byte \(offset)" : "line \(cutter.pointLine), near byte \(offset)"
        return Failure(
            .badInput,
            "\(path) is not readable as \(cutter.form.rawValue) at \(place): \(complaint.reason); "
                + "cut the file there, or name it by what it holds (\(ReplayForm.endings))")
    }

    private mutating func consume(_ count: Int) {
        held = (held.lowerBound + count)..<held.upperBound
        offset += count
    }

    /// Moves what is held to the front, makes room, and reads more.
    private mutating func readOn() throws {
        if held.lowerBound > 0, buffer.count - held.upperBound < Self.readSize {
            let kept = held
            buffer.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[kept])) }
            held = 0..<kept.count
        }
        if buffer.count - held.upperBound < Self.readSize {
            // Bounded: the cutter complains once a point is larger than it may be.
            buffer.append(contentsOf: repeatElement(0, count: max(Self.readSize, buffer.count)))
        }
        let end = held.upperBound
        let stream = stream
        let count = try buffer.withUnsafeMutableBytes {
            try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[end...].prefix(Self.readSize)))
        }
        if count == 0 { streamEnded = true }
        held = held.lowerBound..<(end + count)
    }
}
