import Foundation
import Shared
import Testing

@testable import Router

@Suite struct ReplayInputTests {
    private let folder: ReplayFolder
    init() throws { folder = try ReplayFolder() }

    private func bodies(_ path: String, timed: Bool = false) throws -> [ReplayBody] {
        try ReplayInput(paths: [path], timed: timed).all()
    }

    @Test func everyFormOfTheSamePointsGivesTheSameBodies() throws {
        let count = 600
        let objects = ReplaySamples.jsonObjects(0..<count)
        let forms: [String: [UInt8]] = [
            "pb": ReplaySamples.protobuf(0..<count),
            "lp": Array(ReplaySamples.lineProtocol(0..<count).utf8),
            "jsonl": Array(objects.joined(separator: "\n").utf8),
            "json": Array("[\n\(objects.joined(separator: " ,\n"))\n]\n".utf8),
        ]
        let expected = [(0, 256), (256, 256), (512, 88)].map { first, count in
            (first, ReplaySamples.protobuf(first..<(first + count)))
        }
        for (ending, bytes) in forms {
            let (front, back) = (Array(bytes[..<(bytes.count / 2)]), Array(bytes[(bytes.count / 2)...]))
            let files = [
                try folder.write("all.\(ending)", bytes),
                try folder.write("all.\(ending).gz", ReplaySamples.gzip(bytes)),
                try folder.write("all.\(ending).zst", ReplaySamples.zstd(bytes)),
                try folder.write("two.\(ending).gz", ReplaySamples.gzip(front) + ReplaySamples.gzip(back)),
                try folder.write("two.\(ending).zst", ReplaySamples.zstd(front) + ReplaySamples.zstd(back)),
            ]
            for file in files {
                let bodies = try bodies(file)
                #expect(bodies.map(\.firstPoint) == expected.map(\.0), "\(file)")
                #expect(bodies.map(\.bytes) == expected.map(\.1), "\(file)")
                #expect(bodies.allSatisfy { $0.agent == nil && $0.arrival == nil })
            }
        }
    }

    @Test func blankLinesCommentsAndLineEndsAreNoPoints() throws {
        let text = "\r\n# note \"\n\n  m a=1i 1\r\n\n#\nm a=2i 2"
        let bodies = try bodies(try folder.write("odd.lp", text))
        #expect(bodies.map(\.points) == [2])
    }

    @Test func fileWithoutPointsGivesNoBodies() throws {
        for name in ["a.pb", "a.lp", "a.json"] { #expect(try bodies(try folder.write(name, "")).isEmpty) }
        #expect(try bodies(try folder.write("b.json", "[]")).isEmpty)
        #expect(try bodies(try folder.write("b.lp.gz", ReplaySamples.gzip([]))).isEmpty)
    }

    @Test func truncatedFilesAreBadInput() throws {
        let protobuf = ReplaySamples.protobuf(0..<300)
        let json = Array(ReplaySamples.jsonObjects(0..<300).joined(separator: "\n").utf8)
        let files = [
            try folder.write("a.pb", Array(protobuf.dropLast())),
            try folder.write("b.pb.gz", Array(ReplaySamples.gzip(protobuf).dropLast())),
            try folder.write("c.pb.zst", Array(ReplaySamples.zstd(protobuf).dropLast())),
            try folder.write("d.jsonl", Array(json.dropLast())),
            try folder.write("e.json", "[{}"),
            try folder.write("f.lp.gz", []),
        ]
        for file in files {
            let failure = failure { _ = try bodies(file) }
            #expect(failure?.code == .badInput, "\(file)")
            #expect(failure?.message.contains(file) == true)
        }
    }

    @Test func garbageIsBadInputThatNamesThePlace() throws {
        let cases: [(String, [UInt8], String)] = [
            ("a.pb", ReplaySamples.protobuf(0..<2) + [0x12, 0], "byte \(ReplaySamples.protobuf(0..<2).count)"),
            ("b.pb", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], "byte 0"),
            ("c.pb", [0x0A, 0xFF, 0xFF, 0xFF, 0x7F], "larger than"),
            ("d.lp", Array("m a=1i 1\n\nm a= 2\n".utf8), "line 3"),
            ("e.jsonl", Array((ReplaySamples.jsonObjects(0..<1)[0] + "\n{\"fields\":3}").utf8), "line 2"),
            ("f.jsonl", Array("17".utf8), "line 1"),
            ("g.pb.gz", Array("no gzip at all".utf8), "gzip"),
            ("h.pb.zst", Array("no zstd at all".utf8), "zstd"),
        ]
        for (name, bytes, place) in cases {
            let failure = failure { _ = try bodies(try folder.write(name, bytes)) }
            #expect(failure?.code == .badInput, "\(name)")
            #expect(failure?.message.contains(place) == true, "\(name): \(failure?.message ?? "no failure")")
        }
    }

    @Test func pointLargerThanTheLimitIsRefusedWithoutReadingItWhole() throws {
        let huge = try folder.write("a.jsonl", "{\"a\":\"" + String(repeating: "x", count: 6 << 20) + "\"}")
        #expect(failure { _ = try bodies(huge) }?.message.contains("larger than") == true)
        let line = try folder.write("a.lp", "m a=\"" + String(repeating: "x", count: 6 << 20) + "\"")
        #expect(failure { _ = try bodies(line) }?.code == .badInput)
    }

    @Test func missingFileAndUnknownEndingHaveTheirOwnCodes() throws {
        #expect(failure { _ = try bodies(folder.path + "/none.pb") }?.code == .fileMissing)
        #expect(failure { _ = try bodies(try folder.write("points.txt", "")) }?.code == .usage)
        #expect(failure { _ = try ReplayInput(paths: [], timed: false) }?.code == .usage)
        #expect(failure { _ = try bodies(folder.path) }?.code == .fileMissing)
    }

    @Test func directoryStandsForItsInputFileInOrder() throws {
        try folder.write("input.lp.gz", "")
        #expect(try ReplayInput.inputFile(at: folder.path).hasSuffix("/input.lp.gz"))
        try folder.write("input.jsonl.gz", "")
        #expect(try ReplayInput.inputFile(at: folder.path).hasSuffix("/input.jsonl.gz"))
        try folder.write("input.pb.gz", "")
        #expect(try ReplayInput.inputFile(at: folder.path).hasSuffix("/input.pb.gz"))
    }

    @Test func filesFollowOneAnotherWithoutTimes() throws {
        let first = try folder.write("1.pb", ReplaySamples.protobuf(0..<3))
        let second = try folder.write("2.lp", ReplaySamples.lineProtocol(3..<5))
        let input = try ReplayInput(paths: [first, second], timed: false)
        #expect(try input.all().map(\.bytes) == [ReplaySamples.protobuf(0..<3), ReplaySamples.protobuf(3..<5)])
        #expect(input.points == 5)
        #expect(input.bodies == 2)
        #expect(input.fraction == 1)
        #expect(input.totalPoints == nil)
    }

    @Test func cutterSeesTheSamePointsHoweverTheBytesAreSplit() throws {
        let text = "# c\\\n\nm,a\\ b=c\"\\,d x=\"q\\\"\nr\\\\\",y=1 5\nm x=1,y=\"\\\\\" 6\r\nm\\\\ x=2"
        let json = #" [ {"a":"}{\"\\","b":[{},{"c":[]}]} , {} ] {"d":1} "#
        let forms: [(ReplayForm.Points, [UInt8], Int)] = [
            (.lineProtocol, Array(text.utf8), 3), (.json, Array(json.utf8), 3),
            (.protobuf, ReplaySamples.protobuf(0..<3), 3),
        ]
        for (form, bytes, count) in forms {
            let whole = try Self.cut(bytes, form, step: bytes.count)
            #expect(whole.count == count)
            for step in 1..<40 { #expect(try Self.cut(bytes, form, step: step) == whole, "\(form) by \(step)") }
        }
    }

    /// Cuts bytes that come in pieces of `step`.
    private static func cut(_ bytes: [UInt8], _ form: ReplayForm.Points, step: Int) throws -> [[UInt8]] {
        var reader = PointReader(
            stream: PieceStream(bytes, step: step), path: "test",
            cutter: PointCutter(form: form, largestPoint: 1 << 20))
        var points: [[UInt8]] = []
        var point: [UInt8] = []
        while try reader.next(into: &point) {
            points.append(point)
            point = []
        }
        return points
    }
}

/// Gives bytes in pieces of a fixed size.
private final class PieceStream: ByteStream {
    private var rest: ArraySlice<UInt8>
    private let step: Int
    init(_ bytes: [UInt8], step: Int) {
        rest = bytes[...]
        self.step = step
    }
    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let piece = rest.prefix(step)
        room.copyBytes(from: piece)
        rest = rest.dropFirst(step)
        return piece.count
    }
}
