import Linking

/// Removes attributes that must not be stored from a trace request: `deny_fields`, for what SDKs post.
///
/// An attribute is on the list when its whole key is, or what follows its last dot: `authorization` stands for
/// `http.request.header.authorization` and `rpc.request.metadata.authorization`, too. ASCII case does not matter.
/// Looked at are the attributes of resources, scopes, spans, events and links; keys inside of values are not.
///
///     request ─ ResourceSpans ─ Resource ─ attribute
///                             └ ScopeSpans ─ scope ─ attribute
///                                          └ Span ─ attribute
///                                                 ├ Event ─ attribute
///                                                 └ Link ─ attribute
///
/// Spans of our own scope were made from points that the list was applied to: they are stepped over.
public struct OTLPDenyList: Sendable {
    private static let ownScope: StaticString = "ebpftrace"

    private let names: FieldDenyList
    private let isEmpty: Bool

    /// - Parameter names: as in the setting `deny_fields`.
    public init(_ names: [String]) {
        self.names = FieldDenyList(names)
        isEmpty = names.allSatisfy(\.isEmpty)
    }

    /// The request without the listed attributes, and how many they were; nil when there was none.
    ///
    /// Time and memory: O(bytes), nothing is copied when nothing is removed.
    public func stripped(_ request: UnsafeRawBufferPointer) -> (request: [UInt8], removed: Int)? {
        guard !isEmpty else { return nil }
        var removed = 0
        guard let request = stripped(request, .request, &removed) else { return nil }
        return (request, removed)
    }

    /// The messages that have attributes, or messages with attributes, in them.
    private enum Level {
        case request, resourceSpans, resource, scopeSpans, scope, span, event, link

        /// What a field is.
        enum Content {
            case message(Level)
            case attribute
            case other
        }

        func content(_ tag: UInt64) -> Content {
            switch (self, tag) {
            case (.request, 0x0a): .message(.resourceSpans)
            case (.resourceSpans, 0x0a): .message(.resource)
            case (.resourceSpans, 0x12): .message(.scopeSpans)
            case (.scopeSpans, 0x0a): .message(.scope)
            case (.scopeSpans, 0x12): .message(.span)
            case (.span, 0x5a): .message(.event)
            case (.span, 0x6a): .message(.link)
            case (.resource, 0x0a), (.scope, 0x1a), (.span, 0x4a), (.event, 0x1a), (.link, 0x22): .attribute
            default: .other
            }
        }
    }

    /// The message without what is listed; nil when nothing of it is. A malformed rest stays as it is, for the walker
    /// to refuse; of an event or a link, whose bytes nobody checks later, it goes.
    private func stripped(_ message: UnsafeRawBufferPointer, _ level: Level, _ removed: inout Int) -> [UInt8]? {
        if case .scopeSpans = level, isOwn(message) { return nil }
        var output: [UInt8]?
        var done = 0
        var fields = OTLPMessageFields(message)
        while let field = fields.next() {
            let change: [UInt8]?
            switch level.content(field.tag) {
            case .other: change = nil
            case .attribute: change = isListed(field.bytes) ? [] : nil
            case .message(let inner):
                change = stripped(field.bytes, inner, &removed).map { content in
                    var bytes: [UInt8] = []
                    Wire.appendVarint(field.tag, to: &bytes)
                    Wire.appendVarint(UInt64(content.count), to: &bytes)
                    return bytes + content
                }
            }
            done += field.whole.count
            guard let change else {
                output?.append(contentsOf: field.whole)
                continue
            }
            if change.isEmpty { removed += 1 }
            if output == nil { output = Array(message[..<(done - field.whole.count)]) }
            output?.append(contentsOf: change)
        }
        guard !fields.isWhole else { return output }
        switch level {
        case .event, .link: return output ?? Array(message[..<done])
        default:
            output?.append(contentsOf: message[done...])
            return output
        }
    }

    private func isOwn(_ scopeSpans: UnsafeRawBufferPointer) -> Bool {
        var fields = OTLPMessageFields(scopeSpans)
        var name = UnsafeRawBufferPointer(start: nil, count: 0)
        while let field = fields.next() {
            guard field.tag == OTLPWire.list else { continue }
            var scope = OTLPMessageFields(field.bytes)
            while let part = scope.next() { if part.tag == OTLPWire.list { name = part.bytes } }
        }
        let own = UnsafeRawBufferPointer(start: Self.ownScope.utf8Start, count: Self.ownScope.utf8CodeUnitCount)
        return name.elementsEqual(own)
    }

    private func isListed(_ keyValue: UnsafeRawBufferPointer) -> Bool {
        var fields = OTLPMessageFields(keyValue)
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        while let field = fields.next() { if field.tag == 0x0a { key = field.bytes } }
        guard let base = key.baseAddress else { return false }
        if names.holds(base, 0, key.count) { return true }
        guard let dot = key.lastIndex(of: UInt8(ascii: ".")) else { return false }
        return names.holds(base, dot + 1, key.count - dot - 1)
    }
}
