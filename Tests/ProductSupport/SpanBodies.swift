import Foundation

/// Bodies of recorded spans to post.
public struct SpanBodies: Sendable {
    /// Line protocol, at most 256 points each.
    public var lineProtocol: [[String]]

    /// The input of a fixture (`real/…`, `conformance/…`).
    public init(fixture: String, points: Int = 256) async throws {
        let path = Product.fixtures + "/" + fixture + "/input.lp.gz"
        let unpacked = try await ProductRun.tool(["gzip", "-dc", path])
        guard unpacked.status == 0 else { throw Problem("cannot unpack \(path): \(unpacked.errors)") }
        let lines = unpacked.output.split(separator: "\n").map(String.init)
        lineProtocol = stride(from: 0, to: lines.count, by: points).map {
            Array(lines[$0..<min($0 + points, lines.count)])
        }
    }

    public var spans: Int { lineProtocol.reduce(0) { $0 + $1.count } }

    public func body(_ number: Int) -> [UInt8] { Array(lineProtocol[number].joined(separator: "\n").utf8) }

    /// A span's key in a line of line protocol and in an exported span: fields that stay as they are.
    public static func key(line: String) -> String {
        keyFields.map { name in
            guard let start = line.range(of: "\(name)=") ?? line.range(of: ",\(name)=") else { return "" }
            return line[start.upperBound...].prefix { $0 != "," && $0 != " " }.filter { $0 != "\"" && $0 != "i" }
        }.joined(separator: "/")
    }

    public static func key(_ span: ExportedSpan) -> String {
        keyFields.map { name in (span.fields[name] ?? "").filter { $0 != "i" } }.joined(separator: "/")
    }

    private static let keyFields = ["direction", "req_seq", "resp_seq", "ktime", "src_port", "dst_port"]
}
