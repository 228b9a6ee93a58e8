import Foundation

/// One exported line: what parity needs of it, and all of it.
public struct ExportedSpan: Sendable {
    public var spanID: String
    public var ebpfTraceID: String
    public var ebpfParentID: String
    public var traceID: String
    public var parentID: String
    public var evidence: String?
    public var isLate: Bool
    /// `req_seq/resp_seq/direction`: what a span is known by over several runs.
    public var identity: String
    private let line: Data
    /// Every field as text; integers in decimal.
    public var fields: [String: String]

    public init(line: some DataProtocol) throws {
        guard let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
            throw Problem("an exported line is no JSON object: \(String(decoding: line, as: UTF8.self))")
        }
        fields = object.mapValues { "\($0)" }
        self.line = Data(line)
        spanID = fields["span_id"] ?? ""
        ebpfTraceID = fields["ebpf_trace_id"] ?? ""
        ebpfParentID = fields["ebpf_parent_id"] ?? ""
        traceID = fields["trace_id"] ?? ""
        parentID = fields["parent_id"] ?? ""
        evidence = fields["link_evidence"]
        isLate = fields["late"] != nil
        identity = [fields["req_seq"] ?? "", fields["resp_seq"] ?? "", fields["direction"] ?? ""].joined(separator: "/")
    }

    /// The line with its fields in the order of their names.
    public var canonical: String {
        guard let object = try? JSONSerialization.jsonObject(with: line),
            let sorted = try? JSONSerialization.data(
                withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        else { return "" }
        return String(decoding: sorted, as: UTF8.self)
    }

    /// All lines of a JSON lines file.
    public static func read(_ path: String) throws -> [ExportedSpan] {
        guard let bytes = FileManager.default.contents(atPath: path) else { throw Problem("\(path) is missing") }
        return try bytes.split(separator: 0x0A).map { try ExportedSpan(line: $0) }
    }
}

extension Sequence<ExportedSpan> {
    /// The span of each id; with two of one id, the first.
    public var byID: [String: ExportedSpan] { Dictionary(map { ($0.spanID, $0) }) { first, _ in first } }

    public var byIdentity: [String: [ExportedSpan]] { Dictionary(grouping: self, by: \.identity) }
}

/// JSON lines of fixtures, plain or packed.
public enum JSONLines {
    /// Fails the test that reads when the file is missing or damaged.
    public static func read<Line: Decodable>(_ type: Line.Type, _ path: String) async throws -> [Line] {
        var bytes = Data()
        if path.hasSuffix(".gz") {
            let unpacked = try await ProductRun.tool(["gzip", "-dc", path])
            guard unpacked.status == 0 else { throw Problem("cannot unpack \(path): \(unpacked.errors)") }
            bytes = Data(unpacked.output.utf8)
        } else {
            bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try bytes.split(separator: 0x0A).map { try decoder.decode(type, from: $0) }
    }
}
