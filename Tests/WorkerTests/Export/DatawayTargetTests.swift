import Linking
import NIOCore
import Shared
import Testing

@testable import Worker

@Suite struct DatawayTargetTests {
    private let recorder = Recorder()

    private func fanOut(port: Int, isGzip: Bool = false, requestTimeout: TimeAmount = .seconds(30)) throws
        -> ExportFanOut
    {
        let address = try DatawayAddress("http://127.0.0.1:\(port)?token=tkn_secret&x=1")
        let transport = HTTPTransport.dataway(
            address, connections: PostingTarget.requestsMax, connectTimeout: .seconds(2),
            requestTimeout: requestTimeout)
        let target = PostingTarget(
            format: .protobuf, rules: DatawayRules(),
            transport: transport, packing: isGzip ? .gzip : nil, queue: recorder.queue("dataway"), waiting: hurried,
            observer: recorder, logger: quiet)
        return ExportFanOut(targets: [target], encoder: MarkingEncoder())
    }

    /// Three blocks with 600 spans, ids 0 ..< 600, of 10 KB: several bodies a block.
    private func submitAll(_ fanOut: ExportFanOut) async throws {
        try await fanOut.start()
        for block in 1...3 as ClosedRange<UInt64> {
            let ids = (block - 1) * 200..<block * 200
            await fanOut.submit(makeBatch(block: block, ids: ids, partitions: [1, 2], pointBytes: 10_000))
        }
    }

    private func idsTaken(_ server: MiniServer) -> [UInt64] {
        server.taken.flatMap { ids(inProtobuf: $0.body) }.sorted()
    }

    @Test func everyPointArrivesAsItWasSentAndBlocksAreAcknowledged() async throws {
        let server = MiniServer { _ in .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.flush()
        #expect(fanOut.acknowledged == VerdictBlockID(3))
        await fanOut.close(grace: .seconds(5))
        #expect(idsTaken(server).elementsEqual(0..<600))
        #expect(recorder.spans("dataway") == 600)
        for request in server.requests {
            #expect(request.uri == "/v1/write/tracing?token=tkn_secret&x=1")
            #expect(request.headers["Content-Type"] == ["application/protobuf; proto=com.guance.Point"])
            #expect(request.headers["X-Points"] == [String(ids(inProtobuf: request.body).count)])
            #expect(request.headers["Content-Encoding"].isEmpty)
            #expect(request.body.count <= PostingTarget.bodyBytesMax)
        }
        #expect(server.underWayMax <= 4)
        await server.die()
    }

    @Test func gzipBodiesUnpackToTheSamePoints() async throws {
        let server = MiniServer { _ in .answer(200) }
        let fanOut = try fanOut(port: try await server.start(), isGzip: true)
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(10))
        let bodies = try server.taken.map { try Gzip().decompress($0.body, limit: 2_000_000) }
        #expect(bodies.flatMap { ids(inProtobuf: $0) }.sorted() == Array(0..<600))
        #expect(server.requests.allSatisfy { $0.headers["Content-Encoding"] == ["gzip"] })
        await server.die()
    }

    @Test func a400DropsItsSpansUnderItsReasonAndNoOthers() async throws {
        let server = MiniServer { $0 == 1 ? .answer(400) : .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(10))
        let dropped = recorder.spans("dataway", .dropped(.status(400)))
        #expect(dropped > 0)
        #expect(recorder.spans("dataway") + dropped == 600)
        #expect(idsTaken(server).count == 600 - dropped)
        #expect(fanOut.acknowledged == VerdictBlockID(3))
        await server.die()
    }

    @Test func dataBeyondTheAllowanceIsDroppedAndFlagged() async throws {
        let server = MiniServer { _ in .answer(403, [], #"{"error_code":"beyondDataUsage"}"#) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(10))
        #expect(recorder.spans("dataway", .dropped(.status(403))) == 600)
        #expect(recorder.state.withLock { $0.isBeyond["dataway"] } == true)
        await server.die()
    }

    @Test(arguments: [500, 503, 408, 429, 302])
    func theseAnswersAreRetriedUntilAllArrived(status: Int) async throws {
        let server = MiniServer { $0 < 5 ? .answer(status, [("Retry-After", "1")]) : .answer(200) }
        let fanOut = try fanOut(port: try await server.start())
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(20))
        #expect(idsTaken(server).elementsEqual(0..<600))
        #expect(recorder.spans("dataway") == 600)
        #expect(recorder.state.withLock { $0.retries["http_\(status)"] } == 5)
        await server.die()
    }

    @Test func aHangAndABrokenConnectionAreRetried() async throws {
        let server = MiniServer { $0 == 0 ? .hang : $0 == 2 ? .close : .answer(200) }
        let fanOut = try fanOut(port: try await server.start(), requestTimeout: .seconds(1))
        try await submitAll(fanOut)
        await fanOut.close(grace: .seconds(20))
        // On a slow machine an answer may come after the time-out: then its body comes again, with the same ids.
        #expect(Set(idsTaken(server)).sorted().elementsEqual(0..<600))
        #expect(recorder.spans("dataway") == 600)
        #expect(recorder.state.withLock { $0.retries["network", default: 0] } >= 2)
        await server.die()
    }

    @Test func aReceiverThatDiesAndComesBackGetsEverything() async throws {
        let server = MiniServer { _ in .answer(200) }
        let port = try await server.start()
        let fanOut = try fanOut(port: port)
        try await fanOut.start()
        await fanOut.submit(makeBatch(block: 1, ids: 0..<50))
        #expect(await eventually { fanOut.acknowledged == VerdictBlockID(1) })
        await server.die()
        await fanOut.submit(makeBatch(block: 2, ids: 50..<100))
        let recorder = recorder
        #expect(await eventually { recorder.state.withLock { $0.retries["network", default: 0] } >= 3 })
        #expect(fanOut.acknowledged == VerdictBlockID(1))
        _ = try await server.start(port: port)
        #expect(await eventually { fanOut.acknowledged == VerdictBlockID(2) })
        await fanOut.close(grace: .seconds(5))
        #expect(idsTaken(server) == Array(0..<100))
        await server.die()
    }

    @Test func closingWhileTheReceiverIsAwayLeavesTheBlockUnacknowledged() async throws {
        let server = MiniServer { _ in .hang }
        let fanOut = try fanOut(port: try await server.start())
        try await fanOut.start()
        await fanOut.submit(makeBatch(block: 1, ids: 0..<50))
        await fanOut.close(grace: .milliseconds(200))
        #expect(fanOut.acknowledged == nil)
        #expect(recorder.spans("dataway") == 0)
        await server.die()
    }
}
