import Foundation
import Linking
import NIOCore
import Shared
import Testing

@testable import Worker

/// The OTLP target against a small real HTTP server.
@Suite struct OTLPTargetTests {
    private let recorder = Recorder()

    private func fanOut(
        port: Int, compression: TargetCompression = .none, requestTimeout: TimeAmount = .seconds(30),
        waiting: ExportWaiting = hurried
    ) throws -> ExportFanOut {
        let transport = HTTPTransport.otlp(
            try OTLPAddress("http://127.0.0.1:\(port)?key=k"),
            headers: [OTLPSpec.Header(name: "Authorization", value: Secret("Bearer tkn"))],
            connections: PostingTarget.requestsMax, connectTimeout: .seconds(2), requestTimeout: requestTimeout)
        let target = PostingTarget(
            format: .otlp(.none), rules: OTLPRules(), transport: transport,
            packing: PostingTarget.Packing(compression), queue: recorder.queue("otlp"), waiting: waiting,
            observer: recorder, logger: quiet)
        return ExportFanOut(targets: [target], encoder: SplicingEncoder(rules: try ExportRules()))
    }

    /// Points that parse: one field `service` and filling.
    private static func batch(block: UInt64, ids: Range<UInt64>, filling: Int = 6_000) -> ExportBatch {
        var point: [UInt8] = []
        func field(_ key: String, _ text: [UInt8]) {
            var inner: [UInt8] = [0x0a, UInt8(key.utf8.count)] + Array(key.utf8)
            inner += [0x5a] + varint(text.count) + text
            point += [0x12] + varint(inner.count) + inner
        }
        func varint(_ value: Int) -> [UInt8] {
            value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7f) | 0x80] + varint(value >> 7)
        }
        field("service", Array("gw".utf8))
        field("resource", [UInt8](repeating: UInt8(ascii: "x"), count: filling))
        var batch = makeBatch(block: block, ids: ids, partitions: [1, 2])
        batch.points = point.withUnsafeBytes { PointBuffer($0, points: [0..<point.count]) }
        for index in batch.spans.indices { batch.spans[index].point = 0 }
        return batch
    }

    /// Three blocks with 600 spans, ids 1 ... 600, of 6 KB: two bodies a block.
    private func submitAll(_ fanOut: ExportFanOut) async throws {
        try await fanOut.start()
        for block in 1...3 as ClosedRange<UInt64> {
            await fanOut.submit(Self.batch(block: block, ids: (block - 1) * 200 + 1..<block * 200 + 1))
        }
    }

    /// The span ids of a body: after each trace id of the batch, tag and length.
    private static func ids(_ body: [UInt8]) -> [UInt64] {
        let mark: [UInt8] = [0x0a, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0x12, 8]
        return Data(body).ranges(of: Data(mark)).map { range in
            body[range.upperBound..<range.upperBound + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private func idsTaken(_ server: MiniServer) -> [UInt64] { server.taken.flatMap { Self.ids($0.body) }.sorted() }

    @Test func everySpanArrivesWithTheHeadersOfTheUser() async throws {
        let server = MiniServer { _ in .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.flush()
        #expect(fanOut.acknowledged == VerdictBlockID(3))
        await fanOut.close(grace: .seconds(120))
        #expect(idsTaken(server) == Array(1...600))
        #expect(recorder.spans("otlp") == 600)
        for request in server.requests {
            #expect(request.uri == "/v1/traces?key=k")
            #expect(request.headers["Content-Type"] == ["application/x-protobuf"])
            #expect(request.headers["Authorization"] == ["Bearer tkn"])
            #expect(request.headers["Content-Encoding"].isEmpty)
            #expect(request.headers["X-Points"].isEmpty)
            #expect(request.body.count <= PostingTarget.bodyBytesMax)
        }
        await server.die()
    }

    @Test(arguments: [TargetCompression.gzip, .zstd])
    func packedBodiesUnpackToTheSameSpans(compression: TargetCompression) async throws {
        let server = MiniServer { _ in .answer(200) }
        let fanOut = try fanOut(port: try await server.start(), compression: compression)
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(120))
        let bodies = try server.taken.map { request in
            compression == .gzip
                ? try Gzip().decompress(request.body, limit: 2_000_000)
                : try Zstd().decompress(request.body, limit: 2_000_000)
        }
        #expect(bodies.flatMap { Self.ids($0) }.sorted() == Array(1...600))
        #expect(server.requests.allSatisfy { $0.headers["Content-Encoding"] == [compression.rawValue] })
        await server.die()
    }

    @Test(arguments: [429, 502, 503, 504])
    func theseAnswersAreRetriedUntilAllArrived(status: Int) async throws {
        let server = MiniServer { $0 < 5 ? .answer(status, [("Retry-After", "1")]) : .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(120))
        #expect(idsTaken(server) == Array(1...600))
        #expect(recorder.spans("otlp") == 600)
        #expect(recorder.state.withLock { $0.retries["http_\(status)"] } == 5)
        await server.die()
    }

    @Test(arguments: [301, 400, 401, 404, 408, 413, 500, 501])
    func theseAnswersDropTheirSpansAndNoOthers(status: Int) async throws {
        let server = MiniServer { $0 == 1 ? .answer(status, [("Retry-After", "1")]) : .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(120))
        let dropped = recorder.spans("otlp", .dropped(.status(status)))
        #expect(dropped > 0)
        #expect(recorder.spans("otlp") + dropped == 600)
        #expect(idsTaken(server).count == 600 - dropped)
        #expect(recorder.state.withLock { $0.retries.isEmpty })
        #expect(fanOut.acknowledged == VerdictBlockID(3))
        await server.die()
    }

    @Test func rejectedSpansOfAPartialSuccessAreDroppedAndNeverSentAgain() async throws {
        // partial_success { rejected_spans: 3, error_message: "old" }
        let answer = String(decoding: [0x0a, 7, 0x08, 3, 0x12, 3] as [UInt8] + Array("old".utf8), as: UTF8.self)
        let server = MiniServer { $0 == 0 ? .answer(200, [], answer) : .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(120))
        #expect(recorder.spans("otlp", .dropped(.rejectedByReceiver)) == 3)
        #expect(recorder.spans("otlp") == 597)
        #expect(idsTaken(server) == Array(1...600))
        #expect(fanOut.acknowledged == VerdictBlockID(3))
        await server.die()
    }

    @Test func aHangAndABrokenConnectionAreRetried() async throws {
        let server = MiniServer { $0 == 0 ? .hang : $0 == 2 ? .close : .answer(200) }
        let fanOut = try fanOut(port: try await server.start(), requestTimeout: .seconds(1))
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(120))
        #expect(Set(idsTaken(server)) == Set(1...600))
        #expect(recorder.spans("otlp") == 600)
        #expect(recorder.state.withLock { $0.retries["network", default: 0] } >= 2)
        await server.die()
    }

    @Test func answersDecideByStatus() {
        func decision(_ status: Int, _ after: String? = nil) -> DeliveryDecision {
            OTLPRules().decision(HTTPAnswer(status: status, retryAfter: after), unixSeconds: 784_111_770)
        }
        #expect(decision(200) == .done)
        #expect(decision(202) == .done)
        #expect(decision(503) == .retry(reason: "http_503", after: nil))
        #expect(decision(429, "12") == .retry(reason: "http_429", after: .seconds(12)))
        let date = decision(503, "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(date == .retry(reason: "http_503", after: .seconds(7)))
        #expect(decision(500) == .drop(.status(500), isBeyondDataUsage: false))
        #expect(decision(403) == .drop(.status(403), isBeyondDataUsage: false))
    }

    @Test(arguments: [
        ("http://h:4318", "http://h:4318/v1/traces"), ("http://h:4318/", "http://h:4318/v1/traces"),
        ("HTTPS://h?key=k", "https://h/v1/traces?key=k"), ("http://h/otlp/traces?key=k", "http://h/otlp/traces?key=k"),
        ("http://h/otlp/", "http://h/otlp/"), ("http://[::1]:4318#part", "http://[::1]:4318/v1/traces"),
    ])
    func theAddressIsAsGivenWhenItHasAPath(text: String, url: String) throws {
        #expect(try OTLPAddress(text).url == url)
    }

    @Test func splitsOfRunsKeepTheirSum() {
        let runs = [(1, 3), (2, 2)].map { PartitionCount(partition: PartitionID($0.0), spans: $0.1) }
        for first in -1...7 {
            let (front, back) = PartitionCount.split(runs, first: first)
            #expect(front.reduce(0) { $0 + $1.spans } == min(5, max(0, first)))
            #expect((front + back).reduce(0) { $0 + $1.spans } == 5)
            #expect((front + back).allSatisfy { $0.spans > 0 })
        }
    }
}
