import Linking
import Shared

#if canImport(Glibc)
import Glibc
#endif

/// Decodes recorded bodies again and again, for callgrind to count its instructions (scripts/gates.sh).
///
///     decode-gate TIMES FILE…      prints the points of all files; each file is one PBPoints body.
///
/// Exit 65: a file is no readable body. Run with two different TIMES, the difference has no start-up in it.
@main
struct DecodeGate {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        guard let times = arguments.first.flatMap({ Int($0) }), times > 0, arguments.count > 1 else {
            fail("usage: decode-gate TIMES FILE…", code: 64)
        }
        let bodies = arguments.dropFirst().map { path in
            guard let body = read(path) else { fail("\(path) cannot be read", code: 66) }
            return body
        }
        let walker = PointWalker(rules: IngestRules())
        var batch = FactsBatch()
        var points = 0
        for _ in 0..<times {
            points = 0
            for body in bodies { points += decode(body, walker, &batch) }
        }
        print(points)
    }

    /// Decodes one body into the batch that is used again; the points in it.
    ///
    /// Not inlined, and without a closure that throws: Swift 6.3.1 crashes when it inlines that into `main`.
    @inline(never)
    private static func decode(
        _ body: UnsafeRawBufferPointer, _ walker: PointWalker, _ batch: inout FactsBatch
    ) -> Int {
        batch.removeAll()
        do throws(BodyError) {
            try walker.decode(body, scope: 1, into: &batch)
        } catch {
            fail("not decoded: \(error)", code: 65)
        }
        return batch.rows.count + batch.dropped.total
    }

    /// The content of a file, in memory that lives as long as the program.
    private static func read(_ path: String) -> UnsafeRawBufferPointer? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var body: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = fread(&part, 1, part.count, file)
            guard count > 0 else { break }
            body += part[..<count]
        }
        let content = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count, alignment: 16)
        content.copyBytes(from: body)
        return UnsafeRawBufferPointer(content)
    }

    private static func fail(_ text: String, code: Int32) -> Never {
        let line = Array("decode-gate: \(text)\n".utf8)
        _ = write(2, line, line.count)
        exit(code)
    }
}
