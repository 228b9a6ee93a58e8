import Foundation
import Linking
import Logging
import Shared
import Synchronization

@testable import Router

/// A value of an attribute in a test's request.
enum TestValue {
    case text(String)
    case whole(Int64)
    case real(Double)
    case flag(Bool)
    case list([TestValue])
}

/// A span of a test's request.
struct TestSpan {
    var trace: TraceID
    var id: UInt64
    var parent: UInt64 = 0
    var name = "GET /"
    var kind: UInt64 = 2
    var start: UInt64 = 1_000_000_000
    var duration: UInt64 = 1_000_000
    var status: UInt64 = 0
    var message = ""
    var attributes: [(String, TestValue)] = []
    /// Bytes of further fields.
    var more: [UInt8] = []
}

/// Writes OTLP requests for tests, on its own: nothing of the product is used.
enum OTLPTestEncoder {
    /// One resource with one scope and its spans.
    static func request(
        service: String = "gw", scope: String = "ebpftrace", resource: [(String, TestValue)] = [], _ spans: [TestSpan]
    ) -> [UInt8] {
        var scoped = field(1, field(1, Array(scope.utf8)))
        for span in spans { scoped += field(2, bytes(span)) }
        let attributes = ([("service.name", TestValue.text(service))] + resource).flatMap { field(1, keyValue($0)) }
        return field(1, field(1, attributes) + field(2, scoped))
    }

    static func bytes(_ span: TestSpan) -> [UInt8] {
        var bytes = field(1, big(span.trace.high) + big(span.trace.low)) + field(2, big(span.id))
        if span.parent != 0 { bytes += field(4, big(span.parent)) }
        bytes += field(5, Array(span.name.utf8)) + varint(6 << 3) + varint(span.kind)
        bytes += fixed(7, span.start) + fixed(8, span.start &+ span.duration)
        for attribute in span.attributes { bytes += field(9, keyValue(attribute)) }
        if span.status != 0 || !span.message.isEmpty {
            bytes += field(15, field(2, Array(span.message.utf8)) + varint(3 << 3) + varint(span.status))
        }
        return bytes + span.more
    }

    private static func keyValue(_ attribute: (String, TestValue)) -> [UInt8] {
        field(1, Array(attribute.0.utf8)) + field(2, value(attribute.1))
    }

    private static func value(_ value: TestValue) -> [UInt8] {
        switch value {
        case .text(let text): field(1, Array(text.utf8))
        case .flag(let flag): varint(2 << 3) + varint(flag ? 1 : 0)
        case .whole(let number): varint(3 << 3) + varint(UInt64(bitPattern: number))
        case .real(let number): fixed(4, number.bitPattern)
        case .list(let items): field(5, items.flatMap { field(1, Self.value($0)) })
        }
    }

    static func field(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(UInt64(content.count)) + content
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func fixed(_ number: UInt64, _ value: UInt64) -> [UInt8] {
        varint(number << 3 | 1) + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func big(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}

/// A store in a folder of its own.
final class TestStore: Sendable {
    let folder: String
    let metrics = MetricsRegistry()
    private let current: Mutex<TraceStore>
    private let adjust: @Sendable (inout StoreOptions) -> Void

    init(_ adjust: @escaping @Sendable (inout StoreOptions) -> Void = { _ in }) throws {
        folder = NSTemporaryDirectory() + "/ebpftrace-store-\(UUID().uuidString)"
        self.adjust = adjust
        var options = StoreOptions(folder: folder)
        options.gatherNanoseconds = 5_000_000
        options.quietNanoseconds = 1_000_000
        adjust(&options)
        current = Mutex(try TraceStore(options: options, metrics: metrics, logger: quiet))
    }

    deinit {
        store.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    var store: TraceStore { current.withLock { $0 } }
    var path: String { folder + "/" + StoreDatabase.fileName }

    /// Ends the store and opens it again on the same files.
    func reopen() throws {
        store.stop()
        var options = StoreOptions(folder: folder)
        options.gatherNanoseconds = 5_000_000
        options.quietNanoseconds = 1_000_000
        adjust(&options)
        let next = try TraceStore(options: options, metrics: metrics, logger: quiet)
        current.withLock { $0 = next }
    }
}

extension TraceID {
    /// A trace id for tests.
    static func test(_ number: UInt64) -> TraceID { TraceID(high: 0xabcd, low: number) }
}
