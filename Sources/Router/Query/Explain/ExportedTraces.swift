import Foundation
import Linking
import Shared

/// The spans of a file that the file target or `replay --local --out` wrote, as traces that can be explained.
///
/// A span's place is its eBPF trace and its `ebpf_parent_id`. Fields become attributes under `ebpf.`, as in the store.
enum ExportedTraces {
    /// Most spans that are taken in, about 3 KB each; later ones are left out.
    static let mostSpans = 1_000_000

    /// - Throws: `Failure(.fileMissing)`, `Failure(.badInput)` naming the line.
    static func read(_ path: String) throws -> TraceList {
        let packing = ReplayForm(fileName: path)?.packing ?? .plain
        var reader = PointReader(
            stream: try FileStream(path: path).unpacked(packing), path: path,
            cutter: PointCutter(form: .json, largestPoint: Limits().pointBytes * 2))
        var traces: [TraceID: StoredTrace] = [:]
        var resources: [TraceID: [[Attribute]: Int]] = [:]
        var line: [UInt8] = []
        var count = 0
        while count < mostSpans, try reader.next(into: &line) {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
                throw Failure(.badInput, "\(path):\(reader.line) is no JSON object; name a file this program wrote")
            }
            line.removeAll(keepingCapacity: true)
            // A part's first line lists what is in it.
            guard var span = span(object) else { continue }
            let resource = self.resource(object)
            var trace = traces[span.traceID] ?? StoredTrace(id: span.traceID, resources: [], spans: [])
            let place = resources[span.traceID]?[resource] ?? trace.resources.count
            if place == trace.resources.count { trace.resources.append(resource) }
            resources[span.traceID, default: [:]][resource] = place
            span.resource = place
            trace.spans.append(span)
            traces[span.traceID] = trace
            count += 1
        }
        return TraceList(
            traces.values.map { trace in
                var trace = trace
                trace.spans.sort { ($0.start, $0.id) < ($1.start, $1.id) }
                return trace
            })
    }

    // MARK: One line

    private static func span(_ fields: [String: Any]) -> StoredSpan? {
        func text(_ key: String) -> String { value(fields[key])?.text ?? "" }
        func number(_ key: String) -> Int64 { (fields[key] as? NSNumber)?.int64Value ?? Int64(text(key)) ?? 0 }
        guard let id = SpanID(hex: text("span_id")), let trace = TraceID(hex: text("ebpf_trace_id")) else { return nil }
        let isIncoming = text("direction") == "incoming"
        let microseconds = number("start") > 0 ? number("start") : number("time") / 1_000
        let start = UInt64(clamping: microseconds).multipliedReportingOverflow(by: 1_000).partialValue
        let duration = number("duration")
        var attributes = attributes(fields)
        if duration < 0 { attributes.append(Attribute("ebpftrace.open", .bool(true))) }
        let length = UInt64(clamping: duration).multipliedReportingOverflow(by: 1_000).partialValue
        return StoredSpan(
            traceID: trace, id: id, parent: SpanID(hex: text("ebpf_parent_id")),
            name: [text("resource"), text("operation")].first { !$0.isEmpty } ?? "", kind: isIncoming ? 2 : 3,
            start: start, end: start.addingReportingOverflow(length).partialValue,
            statusCode: text("status") == "error" ? 2 : 0, statusMessage: "", resource: 0, scope: "ebpftrace",
            attributes: attributes, isApplication: false)
    }

    private static let marks = ["late", "root_missing", "truncated"]

    private static func attributes(_ fields: [String: Any]) -> [Attribute] {
        var attributes: [Attribute] = []
        for key in fields.keys.sorted() {
            guard let value = value(fields[key]) else { continue }
            if key == "link_evidence" {
                attributes.append(Attribute("ebpftrace.evidence", value))
            } else if marks.contains(key) {
                if !["", "0", "false"].contains(value.text) {
                    attributes.append(Attribute("ebpftrace." + key, .bool(true)))
                }
            } else {
                attributes.append(Attribute("ebpf." + key, value))
            }
        }
        return attributes
    }

    private static func resource(_ fields: [String: Any]) -> [Attribute] {
        [("service.name", "service"), ("host.name", "host")].compactMap { name, key in
            value(fields[key]).map { Attribute(name, $0) }
        }
    }

    private static func value(_ value: Any?) -> AttributeValue? {
        switch value {
        case let text as String: .string(text)
        case let number as NSNumber: .init(number)
        default: nil
        }
    }
}

extension AttributeValue {
    /// A number of a JSON object as Foundation reads it; whole ones stay whole.
    fileprivate init(_ number: NSNumber) {
        switch String(cString: number.objCType) {
        case "c", "B": self = .bool(number.boolValue)
        case "d", "f": self = .double(number.doubleValue)
        case "Q" where number.uint64Value > UInt64(Int64.max): self = .string(String(number.uint64Value))
        default: self = .int(number.int64Value)
        }
    }
}
