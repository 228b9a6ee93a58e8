import Foundation
import Linking
import NIOCore
import NIOPosix
import Shared
import Testing

@testable import Router

@Suite(.serialized, .timeLimit(.minutes(1))) struct IngestPipelineTests {
    private let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../Fixtures/conformance")

    private struct Stand {
        var port: UInt16
        var disk: MemoryDisk
        var metrics: MetricsRegistry
    }

    /// The whole way: socket, listener, decoder, writer thread, log.
    private func withStand(_ body: (Stand) async throws -> Void) async throws {
        let disk = MemoryDisk()
        let metrics = MetricsRegistry()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let options = LogWriterThread.Options(clock: EpochClock(window: 8_000_000_000))
        let writer = LogWriterThread(options: options, metrics: metrics, logger: quiet)
        writer.start(log: try SpanLogWriter(disk: disk, folder: "log", segmentBytes: 512 << 10), on: group.any())
        let pipeline = IngestPipeline(rules: IngestRules(), writer: writer, metrics: metrics)
        let services = AgentServices(
            options: AgentListenerOptions(), sink: pipeline, metrics: metrics, metricsPage: { metrics.render() },
            version: "1", hostName: "h", logger: quiet)
        let listener = AgentListener(
            address: ListenAddress(host: "127.0.0.1", port: 0), group: group, services: services, logger: quiet)
        let channel = try await listener.bind()
        try await body(Stand(port: UInt16(channel.localAddress?.port ?? 0), disk: disk, metrics: metrics))
        try await channel.close()
        try await blocking { writer.stop() }
        try await group.shutdownGracefully()
    }

    private func rows(_ disk: any Disk) throws -> [(row: FactsRow, point: [UInt8])] {
        let reader = SpanLogReader(disk: disk, folder: "log")
        let buffer = PointBuffer()
        var rows: [(FactsRow, [UInt8])] = []
        var position = LogPosition(0)
        while let (record, next) = try reader.next(from: position) {
            position = next
            guard case .commit(let block) = record else { continue }
            let indices = Array(0..<UInt32(block.rowCount))
            try reader.readPoints(of: block, rows: indices, into: buffer)
            for index in indices { rows.append((block.row(at: index), Array(buffer[Int(index)]))) }
        }
        return rows
    }

    private static func post(_ body: [UInt8], _ headers: String) -> [UInt8] {
        Array(
            "POST /v1/bpftracing?input=ebpf HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.count)\r\n\r\n".utf8
        ) + body
    }

    private static let protobuf = "Content-Type: application/protobuf; proto=com.guance.Point\r\n"

    @Test func recordedBodiesReachTheLogWithTheirPoints() async throws {
        let folder = fixtures.appending(path: "app-datadog")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix("input") && $0.contains(".pb") }.sorted()
        let bodies = try names.map { ($0.hasSuffix(".gz"), [UInt8](try Data(contentsOf: folder.appending(path: $0)))) }
        #expect(!bodies.isEmpty)
        try await withStand { stand in
            let statuses = try await blocking {
                let client = try SocketClient(port: stand.port)
                return try bodies.map { gzip, bytes in
                    try client.send(Self.post(bytes, Self.protobuf + (gzip ? "Content-Encoding: gzip\r\n" : "")))
                    let response = try client.response()
                    return response.body.isEmpty ? response.status : -1
                }
            }
            #expect(statuses.allSatisfy { $0 == 200 })
            let rows = try rows(stand.disk)
            #expect(UInt64(rows.count) == stand.metrics.counter(Metric.spansAccepted).value && rows.count > 10)
            #expect(rows.allSatisfy { $0.row.facts.id != .none && !$0.point.isEmpty })
            #expect(rows.allSatisfy { String(decoding: $0.point, as: UTF8.self).contains("ebpf_span_type") })
        }
    }

    @Test func badBodiesAreRefusedAndTouchNoOther() async throws {
        try await withStand { stand in
            let line =
                "dketrace,direction=incoming,ebpf_span_type=entry"
                + " req_seq=7i,resp_seq=9i,pid=1i,tid=2i 1700000000000000000"
            let answers = try await blocking {
                let client = try SocketClient(port: stand.port)
                func ask(_ body: String, _ headers: String) throws -> SocketClient.Response {
                    try client.send(Self.post(Array(body.utf8), headers))
                    return try client.response()
                }
                return [
                    try ask("", Self.protobuf), try ask("\u{8}\u{8}garbage", Self.protobuf),
                    try ask("{not json", "Content-Type: application/json\r\n"), try ask("no line", ""),
                    try ask("not gzip", Self.protobuf + "Content-Encoding: gzip\r\n"), try ask(line, ""),
                ]
            }
            #expect(answers.map(\.status) == [400, 400, 400, 400, 400, 200])
            let codes = answers.dropLast().map { answer in
                answer.body.split(separator: "\"").dropFirst(2).first { $0.hasPrefix("datakit.") }.map(String.init)
                    ?? ""
            }
            #expect(
                codes == [
                    "datakit.noPoints", "datakit.invalidProtobufPoint", "datakit.invalidJsonPoint",
                    "datakit.invalidLinePoint",
                    "datakit.invalidProtobufPoint",
                ])
            let rows = try rows(stand.disk)
            #expect(rows.count == 1 && rows.first?.row.facts.requestSequence == 7)
            #expect(stand.metrics.counter(Metric.bodies, "refused").value == 5)
            #expect(stand.metrics.counter(Metric.bodies, "accepted").value == 1)
        }
    }

    @Test func scopeComesFromHeaderThenPeer() {
        func request(agent: String? = nil, forwarded: String? = nil, peer: String = "10.1.2.3") -> IngestRequest {
            IngestRequest(body: ByteBuffer(), peerAddress: peer, agent: agent, forwardedFor: forwarded)
        }
        let peer = AgentScope.of(request(), source: .address)
        let agent = AgentScope.of(request(agent: "node-1"), source: .address)
        #expect(peer != 0 && agent != 0 && peer != agent)
        #expect(AgentScope.of(request(peer: "::ffff:10.1.2.3"), source: .address) == peer)
        for loopback in ["127.0.0.1", "127.3.4.5", "::1", "::ffff:127.0.0.1", ""] {
            #expect(AgentScope.of(request(peer: loopback), source: .address) == 0)
            #expect(AgentScope.of(request(agent: "node-1", peer: loopback), source: .address) == agent)
        }
        #expect(AgentScope.of(request(forwarded: " 10.1.2.3 , 9.9.9.9", peer: "9.9.9.9"), source: .forwarded) == peer)
        #expect(AgentScope.of(request(forwarded: "8.8.8.8"), source: .address) == peer)
        #expect(AgentScope.of(request(), source: .forwarded) == peer)
        #expect(AgentScope.of(request(), source: .field) == 0)
        #expect(AgentScope.of(request(agent: "node-1"), source: .field) == agent)
    }
}
