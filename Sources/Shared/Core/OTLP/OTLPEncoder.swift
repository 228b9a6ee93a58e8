import Linking

/// Which of a point's own fields an OTLP span keeps, under the prefix `ebpf.`.
public enum OTLPFields: String, Hashable, Sendable, CaseIterable {
    case none
    /// What the span was linked by, as far as no attribute says it: sequence numbers, thread and process keys, kernel
    /// time, application ids.
    case link
    /// Every field that the export keeps.
    case all
}

/// Encodes kept spans as the parts of an OTLP `ExportTraceServiceRequest`, spans with equal resources together.
///
///     request       0a LEN ResourceSpans …                 one for each resource
///     ResourceSpans 0a LEN Resource   12 LEN ScopeSpans
///     ScopeSpans    0a LEN scope      12 LEN Span …
///
/// Requests written one after the other are one request, since protobuf joins repeated fields. A span is encoded into
/// scratch memory that is reused, then waits there: `accept` takes it into the request, the next `encode` forgets it.
/// `write` copies the request out. One walk over the point's bytes, no object and no `String` a span (but for text
/// that is not ASCII). Belongs to one thread at a time.
public struct OTLPEncoder: ~Copyable {
    public let rules: ExportRules
    public let fields: OTLPFields
    /// Global tags that become attributes of every resource: those that no slot stands for.
    private let tagAttributes: [UInt8]
    /// Global tags that fill in a resource fact that the point lacks: slot, value.
    private let tagFacts: [(field: OTLPField, value: [UInt8])]

    /// One span of the request: where it lies in the scratch memory, and the next one of its resource.
    private struct Entry {
        var start: Int
        var length: Int
        var next: Int
    }

    var point = OTLPPoint()
    var writer = OTLPWriter(capacity: 64 << 10)
    private var resources = OTLPResources()
    private var entries: [Entry] = []
    /// The span that waits for `accept`: its place and resource; length 0: none.
    private var pending = (start: 0, length: 0, resource: 0)
    /// Upper bound of the bytes of the accepted spans' request.
    private var accepted = 0

    /// `InstrumentationScope` with tag and length.
    static let scope: [UInt8] = {
        let name = Array("ebpftrace".utf8)
        return [0x0a, UInt8(name.count + 2), 0x0a, UInt8(name.count)] + name
    }()
    /// Most that a `ResourceSpans` takes beside its resource, scope and spans: tags and lengths.
    private static let groupOverhead = 24

    /// - Parameters:
    ///   - rules: as of the other targets; `idEncoding` has no meaning here.
    ///   - fields: which fields of the point are kept beside the attributes.
    public init(rules: ExportRules, fields: OTLPFields) {
        self.rules = rules
        self.fields = fields
        (tagAttributes, tagFacts) = Self.split(rules.globalTags)
    }

    /// Accepted spans.
    public var spans: Int { entries.count }
    /// Upper bound of what `write` writes.
    public var bytes: Int { accepted }
    /// Upper bound of what `write` would write after `accept`.
    public var bytesWithPending: Int {
        pending.length == 0 ? accepted : accepted &+ cost(of: pending.length, in: pending.resource)
    }

    /// Encodes a span, which waits for `accept` then.
    ///
    /// - Parameter bytes: a `PBPoint` message without tag and length, as a `FactsRow` addresses it.
    /// - Returns: false when the point does not parse; nothing waits then.
    public mutating func encode(_ bytes: UnsafeRawBufferPointer, verdict: SpanVerdict) -> Bool {
        writer.cut(to: pending.start)
        pending.length = 0
        guard point.read(bytes) else { return false }
        pending.resource = findResource()
        writeSpan(verdict)
        pending.length = writer.count &- pending.start
        return true
    }

    /// Takes the span that waits into the request.
    public mutating func accept() {
        precondition(pending.length > 0, "there is no span to accept")
        accepted &+= cost(of: pending.length, in: pending.resource)
        let bytes = OTLPWriter.lengthDelimited(pending.length)
        let before = resources.append(entries.count, bytes: bytes, to: pending.resource)
        if before >= 0 { entries[before].next = entries.count }
        entries.append(Entry(start: pending.start, length: pending.length, next: -1))
        pending = (writer.count, 0, 0)
    }

    private func cost(of length: Int, in resource: Int) -> Int {
        let span = OTLPWriter.lengthDelimited(length)
        guard resources.all[resource].first < 0 else { return span }
        return span &+ resources.all[resource].encoded.count &+ Self.scope.count &+ Self.groupOverhead
    }

    /// Writes the request of the accepted spans and forgets them; a span that waits goes on waiting.
    ///
    /// - Parameter output: at least `bytes` long.
    /// - Returns: the bytes written.
    public mutating func write(to output: UnsafeMutableRawBufferPointer) -> Int {
        precondition(output.count >= accepted, "the room for a request must hold it")
        var count = 0
        if let start = output.baseAddress {
            var out = ByteWriter(base: start, capacity: output.count)
            for index in resources.all.indices where resources.all[index].first >= 0 { write(index, to: &out) }
            count = out.count
        }
        forget()
        return count
    }

    private func write(_ index: Int, to out: inout ByteWriter) {
        let resource = resources.all[index]
        let inner = Self.scope.count &+ resource.spanBytes
        out.expectRoom(resource.encoded.count &+ inner &+ Self.groupOverhead)
        out.write(0x0a)
        let length = resource.encoded.count &+ OTLPWriter.lengthDelimited(inner)
        out.write(varint: UInt64(truncatingIfNeeded: length))
        resource.encoded.withRawBytes { out.writeAll($0) }
        out.write(0x12)
        out.write(varint: UInt64(truncatingIfNeeded: inner))
        Self.scope.withRawBytes { out.writeAll($0) }
        var place = resource.first
        while place >= 0 {
            let entry = entries[place]
            out.write(0x12)
            out.write(varint: UInt64(truncatingIfNeeded: entry.length))
            out.write(UnsafeRawPointer(writer.base + entry.start), entry.length)
            place = entry.next
        }
    }

    private mutating func forget() {
        entries.removeAll(keepingCapacity: true)
        writer.keep(from: pending.start)
        pending.start = 0
        accepted = 0
        resources.removeSpans()
        if pending.length == 0, resources.all.count > OTLPResources.most { resources.removeAll() }
    }

    // MARK: Resource

    private static func split(
        _ tags: [ExportRules.GlobalTag]
    ) -> (attributes: [UInt8], facts: [(field: OTLPField, value: [UInt8])]) {
        var attributes: [UInt8] = []
        var facts: [(field: OTLPField, value: [UInt8])] = []
        let resourceFields = OTLPField.allCases.prefix(OTLPField.resourceCount)
        for tag in tags {
            if let field = resourceFields.first(where: { $0.names.contains(tag.name) }) {
                facts.append((field, Array(tag.value.utf8)))
            } else {
                attributes += OTLPAttributeBytes.text(OTLPWriter.resourceAttribute, tag.key, Array(tag.value.utf8))
            }
        }
        return (attributes, facts)
    }

    /// The place of the point's resource; a new one is added.
    private mutating func findResource() -> Int {
        let start = writer.count
        defer { writer.cut(to: start) }
        var rest = point.present & (1 &<< UInt64(OTLPField.resourceCount) &- 1)
        while rest != 0 {
            let slot = rest.trailingZeroBitCount
            rest &= rest &- 1
            appendToKey(slot)
        }
        let key = UnsafeRawBufferPointer(start: writer.base + start, count: writer.count &- start)
        let hash = StableHash.of(key)
        if let known = resources.find(key, hash: hash) { return known }
        return addResource(key: [UInt8](key), hash: hash)
    }

    /// Slot, kind, and the value: a length and the text, or eight bytes.
    @inline(__always) private mutating func appendToKey(_ slot: Int) {
        guard let field = OTLPField(rawValue: UInt8(truncatingIfNeeded: slot)) else { return }
        let value = point[field]
        let isLong = FieldKind(rawValue: value.kind).map { $0 == .text || $0 == .bytes || $0 == .any } ?? false
        writer.reserve(32 &+ (isLong ? value.length : 0))
        writer.byte(UInt8(truncatingIfNeeded: slot))
        writer.byte(value.kind)
        guard isLong else { return writer.fixed(value.bits) }
        writer.fixed(UInt64(truncatingIfNeeded: value.length))
        writer.bytes(point.base + value.start, value.length)
    }

    private mutating func addResource(key: [UInt8], hash: UInt64) -> Int {
        let start = writer.count
        defer { writer.cut(to: start) }
        writeResource()
        let length = writer.count - start
        var encoded: [UInt8] = [0x0a]
        Wire.appendVarint(UInt64(length + tagAttributes.count), to: &encoded)
        encoded += UnsafeRawBufferPointer(start: writer.base + start, count: length)
        encoded += tagAttributes
        return resources.add(OTLPResources.Resource(key: key, encoded: encoded), hash: hash)
    }

    private mutating func writeResource() {
        writeFact("service.name", .service)
        if point.text(.service) == nil, !hasTag(.service) {
            writer.attribute("service.name", "unknown_service", tag: OTLPWriter.resourceAttribute)
        }
        writeFact("host.name", .host)
        writeFact("k8s.namespace.name", .namespace)
        writeFact("k8s.pod.name", .pod)
        writeFact("k8s.node.name", .node)
        writeFact("k8s.deployment.name", .deployment)
        writeFact("k8s.cluster.name", .cluster)
        writeFact("k8s.service.name", .kubernetesService)
        writeFact("container.name", .containerName)
        writeFact("container.id", .containerID)
        writeFact("deployment.environment.name", .environment)
        writeFact("service.version", .version)
    }

    private func hasTag(_ field: OTLPField) -> Bool { tagFacts.contains { $0.field == field } }

    /// The point's text, else the global tag's.
    private mutating func writeFact(_ key: StaticString, _ field: OTLPField) {
        if let value = point.text(field) {
            return writer.attribute(
                key, point.base + value.start, value.length, tag: OTLPWriter.resourceAttribute)
        }
        guard let tag = tagFacts.first(where: { $0.field == field })?.value else { return }
        tag.withRawBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            writer.attribute(key, start, bytes.count, tag: OTLPWriter.resourceAttribute)
        }
    }
}

extension ByteWriter {
    /// Needs the room for it.
    @inline(__always) mutating func writeAll(_ bytes: UnsafeRawBufferPointer) {
        if let start = bytes.baseAddress { write(start, bytes.count) }
    }
}

/// Attributes with keys that are known at run time only; for what is encoded once.
enum OTLPAttributeBytes {
    static func text(_ tag: UInt8, _ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        delimited(tag, delimited(0x0a, key) + delimited(0x12, delimited(0x0a, value)))
    }

    private static func delimited(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [tag]
        Wire.appendVarint(UInt64(bytes.count), to: &result)
        return result + bytes
    }
}
