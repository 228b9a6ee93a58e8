import Linking

/// A trace as the console's waterfall reads it: times in microseconds, starts relative to the trace's.
struct ConsoleTrace {
    let trace: StoredTrace

    init(_ trace: StoredTrace) { self.trace = trace }

    private static let flags = ["late", "root_missing", "truncated", "open"]
    private static let prefix = "ebpftrace."

    var json: [UInt8] {
        let start = trace.spans.map(\.start).min() ?? 0
        let end = trace.spans.map(\.end).max() ?? start
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("traceID", trace.id.hex)
            writer.member("start", start / 1_000)
            writer.member("duration", (end - start) / 1_000)
            writer.member("resources", array: { writer in
                for resource in trace.resources { writer.object { Self.write(resource, &$0) } }
            })
            writer.member("spans", array: { writer in
                for span in trace.spans { writer.object { Self.write(span, start, &$0) } }
            })
        }
        return writer.bytes
    }

    private static func write(_ attributes: [Attribute], _ writer: inout JSONWriter) {
        var seen: Set<String> = []
        for attribute in attributes where seen.insert(attribute.key).inserted {
            writer.key(attribute.key)
            writer.value(attribute.value)
        }
    }

    private static func write(_ span: StoredSpan, _ start: UInt64, _ writer: inout JSONWriter) {
        let flags = flags.filter { span.attributes[prefix + $0] == .bool(true) }
        let isOpen = flags.contains("open")
        writer.member("id", span.id.hex)
        writer.key("parent")
        if let parent = span.parent { writer.string(parent.hex) } else { writer.null() }
        writer.member("resource", span.resource)
        writer.member("name", span.name)
        writer.member("kind", QueryValue.kind(span.kind).text)
        writer.member("start", (span.start - start) / 1_000)
        writer.key("duration")
        if isOpen { writer.null() } else { writer.number(span.duration / 1_000) }
        writer.member("status", QueryValue.status(span.statusCode).text)
        if !span.statusMessage.isEmpty { writer.member("statusMessage", span.statusMessage) }
        writer.key("evidence")
        if let evidence = span.attributes[prefix + "evidence"] {
            writer.string(evidence.text)
        } else {
            writer.null()
        }
        if span.isApplication {
            writer.key("application")
            writer.bool(true)
        }
        writer.member("flags", array: { writer in for flag in flags { writer.string(flag) } })
        let told = Set((Self.flags + ["evidence"]).map { prefix + $0 })
        writer.member("attributes", object: { write(span.attributes.filter { !told.contains($0.key) }, &$0) })
        write(SpanExtras(span.rest), of: span, start, &writer)
    }

    /// Members of what most spans do not have are left out when there is nothing to say.
    private static func write(
        _ extras: SpanExtras, of span: StoredSpan, _ start: UInt64, _ writer: inout JSONWriter
    ) {
        if !extras.traceState.isEmpty { writer.member("traceState", extras.traceState) }
        if !extras.events.isEmpty {
            writer.member("events", array: { writer in
                for event in extras.events { writer.object { write(event, of: span, start, &$0) } }
            })
        }
        if !extras.links.isEmpty {
            writer.member("links", array: { writer in
                for link in extras.links { writer.object { write(link, &$0) } }
            })
        }
        let dropped = [
            ("droppedAttributes", extras.droppedAttributes), ("droppedEvents", extras.droppedEvents),
            ("droppedLinks", extras.droppedLinks),
        ]
        for (name, count) in dropped where count > 0 { writer.member(name, min(count, JSONWriter.largestExact)) }
    }

    /// An SDK may stamp an event before or after its span; one that it did not stamp counts as the span's start.
    private static func write(
        _ event: SpanExtras.Event, of span: StoredSpan, _ start: UInt64, _ writer: inout JSONWriter
    ) {
        let time = event.time == 0 ? span.start : event.time
        writer.member("time", (Int64(clamping: time) - Int64(clamping: start)) / 1_000)
        writer.member("name", event.name)
        writer.member("attributes", object: { write(event.attributes, &$0) })
    }

    private static func write(_ link: SpanExtras.Link, _ writer: inout JSONWriter) {
        writer.member("traceID", link.traceID.hex)
        writer.member("spanID", link.spanID.hex)
        if !link.traceState.isEmpty { writer.member("traceState", link.traceState) }
        writer.member("attributes", object: { write(link.attributes, &$0) })
    }
}
