import Foundation
import Linking
import NIOCore
import NIOPosix
import ServiceLifecycle
import Shared
import Synchronization
import Testing

@testable import Router

@Suite(.serialized, .timeLimit(.minutes(1))) struct AgentListenerTests {
    /// Takes every body, remembers it, and answers as told.
    final class TestSink: BodySink {
        let requests = Mutex<[IngestRequest]>([])
        let answer: @Sendable (IngestRequest, any EventLoop) -> EventLoopFuture<IngestAnswer>

        init(_ answer: @escaping @Sendable (IngestRequest) -> IngestAnswer = { _ in .accepted }) {
            self.answer = { $1.makeSucceededFuture(answer($0)) }
        }

        init(later answer: @escaping @Sendable (IngestRequest, any EventLoop) -> EventLoopFuture<IngestAnswer>) {
            self.answer = answer
        }

        func accept(_ request: IngestRequest, on eventLoop: any EventLoop) -> EventLoopFuture<IngestAnswer> {
            requests.withLock { $0.append(request) }
            return answer(request, eventLoop)
        }

        var bodies: [String] { requests.withLock { $0.map { String(buffer: $0.body) } } }
    }

    struct Server {
        var port: UInt16
        var services: AgentServices
        var metrics: MetricsRegistry
    }

    private func withServer<Result>(
        _ sink: any BodySink, _ change: (inout AgentListenerOptions) -> Void = { _ in },
        _ body: (Server) async throws -> Result
    ) async throws -> Result {
        var options = AgentListenerOptions()
        change(&options)
        let metrics = MetricsRegistry()
        let services = AgentServices(
            options: options, sink: sink, metrics: metrics, metricsPage: { metrics.render() }, version: "1.2.3",
            hostName: "node-\"1\"", logger: quiet)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = AgentListener(
            address: ListenAddress(host: "127.0.0.1", port: 0), group: group, services: services, logger: quiet)
        let channel = try await listener.bind()
        let port = UInt16(channel.localAddress?.port ?? 0)
        do {
            let result = try await body(Server(port: port, services: services, metrics: metrics))
            try await channel.close()
            try await group.shutdownGracefully()
            return result
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func post(_ body: String, path: String = "/v1/bpftracing?input=ebpf", headers: String = "") -> String
    {
        "POST \(path) HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func goodBodyIsAnsweredWithAnEmpty200AndReachesTheSinkWhole() async throws {
        let sink = TestSink()
        try await withServer(sink) { server in
            let big = String(repeating: "0123456789abcdef", count: 40_000)
            let responses = try await blocking {
                let client = try SocketClient(port: server.port)
                let headers =
                    "Content-Type: application/protobuf; proto=com.guance.Point\r\nContent-Encoding: gzip\r\n"
                    + "X-Ebpftrace-Agent: node-7\r\nX-Forwarded-For: 10.0.0.9\r\n"
                return [
                    try client.exchange(Self.post("hello", headers: headers)), try client.exchange(Self.post(big)),
                    try client.exchange(Self.post("")),
                ]
            }
            for response in responses {
                #expect(response.status == 200 && response.body.isEmpty && response.headers["content-length"] == "0")
                #expect(response.headers["connection"] == nil)
            }
            #expect(sink.bodies == ["hello", big, ""])
            let first = try #require(sink.requests.withLock { $0.first })
            #expect(
                first.contentType == "application/protobuf; proto=com.guance.Point" && first.contentEncoding == "gzip")
            #expect(first.agent == "node-7" && first.forwardedFor == "10.0.0.9" && first.peerAddress == "127.0.0.1")
            #expect(server.services.heldBytes == 0)
            #expect(server.metrics.counter(Metric.httpRequests, "/v1/bpftracing", "200").value == 3)
        }
    }

    @Test func errorsCarryDataKitsBody() async throws {
        let sink = TestSink { request in
            switch request.body.readableBytes {
            case 1: .refused(code: "datakit.invalidProtobufPoint", message: "field \"3\" ends\n early")
            case 2: .tooLarge(message: "too many points")
            default: .busy(retryAfterSeconds: 7, message: "log full")
            }
        }
        try await withServer(sink) { server in
            let (bad, large, busy) = try await blocking {
                let client = try SocketClient(port: server.port)
                return (
                    try client.exchange(Self.post("a")), try client.exchange(Self.post("ab")),
                    try client.exchange(Self.post("abc"))
                )
            }
            #expect(bad.status == 400 && bad.headers["content-type"] == "application/json")
            #expect(bad.body == #"{"error_code":"datakit.invalidProtobufPoint","message":"field \"3\" ends\n early"}"#)
            #expect(large.status == 413 && large.body.contains("datakit.bodyTooLarge"))
            #expect(busy.status == 503 && busy.headers["retry-after"] == "7")
        }
    }

    @Test func smallPagesAnswer() async throws {
        try await withServer(TestSink()) { server in
            let (ping, metrics) = try await blocking {
                let client = try SocketClient(port: server.port)
                return (
                    try client.exchange("GET /v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"),
                    try client.exchange("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                )
            }
            #expect(ping.status == 200)
            #expect(ping.body == #"{"content":{"version":"1.2.3","uptime":"0s","host":"node-\"1\""}}"#)
            #expect(metrics.body.contains(#"ebpftrace_http_requests_total{path="/v1/ping",status="200"} 1"#))
            #expect(metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
        }
    }

    @Test func errorReportsAreTakenAndCounted() async throws {
        try await withServer(TestSink()) { server in
            let (good, bad) = try await blocking {
                let client = try SocketClient(port: server.port)
                let report = #"{"input":"ebpf","err_content":"no kernel headers"}"#
                return (
                    try client.exchange(Self.post(report, path: "/v1/lasterror")),
                    try client.exchange(Self.post("[1]", path: "/v1/lasterror"))
                )
            }
            #expect(good.status == 200 && good.body.isEmpty && bad.status == 400)
            #expect(server.metrics.counter(Metric.agentErrors).value == 1)
        }
    }

    @Test(arguments: [
        ("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "datakit.routeNotFound"),
        ("GET /v1/bpftracing HTTP/1.1\r\nHost: x\r\n\r\n", 405, "datakit.methodNotAllowed"),
        ("POST /v1/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 405, "datakit.methodNotAllowed"),
        ("POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413, "datakit.bodyTooLarge"),
    ])
    func wrongRequestsAreNamed(request: String, status: Int, code: String) async throws {
        try await withServer(TestSink()) { server in
            let response = try await blocking { try SocketClient(port: server.port).exchange(request) }
            #expect(response.status == status && response.body.contains("\"error_code\":\"\(code)\""))
        }
    }

    @Test func tooLargeBodyIsRefusedBeforeItIsSent() async throws {
        let sink = TestSink()
        try await withServer(sink, { $0.bodyBytes = 1_000 }) { server in
            let (early, chunked) = try await blocking {
                let client = try SocketClient(port: server.port)
                let early = try client.exchange(
                    "POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
                let other = try SocketClient(port: server.port)
                try other.send("POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                let chunk = "200\r\n" + String(repeating: "x", count: 512) + "\r\n"
                try other.send(chunk + chunk + chunk)
                return (early, try other.response())
            }
            #expect(early.status == 413 && early.headers["connection"] == "close")
            #expect(chunked.status == 413)
            #expect(sink.bodies.isEmpty)
            try await eventually { server.services.heldBytes == 0 }
        }
    }

    @Test func senderOfARefusedBodyGetsToReadTheAnswer() async throws {
        try await withServer(TestSink(), { $0.bodyBytes = 1_000 }) { server in
            let response = try await blocking {
                let client = try SocketClient(port: server.port)
                try client.send("POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n")
                try? client.send([UInt8](repeating: 1, count: 8_000_000))
                return try client.response()
            }
            #expect(response.status == 413)
        }
    }

    @Test func expectationIsMetBeforeTheBody() async throws {
        let sink = TestSink()
        try await withServer(sink) { server in
            let (first, second) = try await blocking {
                let client = try SocketClient(port: server.port)
                let first = try client.exchange(
                    "POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
                return (first, try client.exchange("body"))
            }
            #expect(first.status == 100 && second.status == 200 && sink.bodies == ["body"])
        }
    }

    @Test func chunkedAndPipelinedRequestsKeepTheirOrder() async throws {
        let sink = TestSink(later: { request, loop in
            // The first takes longest: answers must come in order all the same.
            let delay = TimeAmount.milliseconds(String(buffer: request.body) == "one" ? 80 : 1)
            return loop.scheduleTask(in: delay) {
                .refused(code: "datakit." + String(buffer: request.body), message: "")
            }.futureResult
        })
        try await withServer(sink) { server in
            let bodies = try await blocking {
                let client = try SocketClient(port: server.port)
                let chunked =
                    "POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "2\r\ntw\r\n1\r\no\r\n0\r\n\r\n"
                try client.send(Self.post("one") + chunked + Self.post("three"))
                return try (0..<3).map { _ in try client.response().body }
            }
            #expect(
                bodies.map { $0.prefix(30) }
                    == [
                        "{\"error_code\":\"datakit.one\",\"m", "{\"error_code\":\"datakit.two\",\"m",
                        "{\"error_code\":\"datakit.three\",\"",
                    ].map { $0.prefix(30) })
            #expect(sink.bodies == ["one", "two", "three"])
        }
    }

    @Test func halfClosedConnectionStillGetsItsAnswer() async throws {
        let sink = TestSink(later: { _, loop in loop.scheduleTask(in: .milliseconds(50)) { .accepted }.futureResult })
        try await withServer(sink) { server in
            let (status, ended) = try await blocking {
                let client = try SocketClient(port: server.port)
                try client.send(Self.post("spans"))
                client.finishSending()
                return (try client.response().status, client.readsEnd())
            }
            #expect(status == 200 && ended)
        }
    }

    @Test func halfABodyIsNoBody() async throws {
        let sink = TestSink()
        try await withServer(sink) { server in
            try await blocking {
                let client = try SocketClient(port: server.port)
                try client.send("POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
                client.finishSending()
                _ = client.readsEnd()
            }
            try await eventually {
                server.services.heldBytes == 0 && server.metrics.gauge(Metric.connections).value == 0
            }
            #expect(sink.bodies.isEmpty)
        }
    }

    @Test func senderThatGoesAwayWhileItsAnswerIsMadeFreesItsBytes() async throws {
        let promise = Mutex<EventLoopPromise<IngestAnswer>?>(nil)
        let sink = TestSink(later: { _, loop in
            let made = loop.makePromise(of: IngestAnswer.self)
            promise.withLock { $0 = made }
            return made.futureResult
        })
        try await withServer(sink) { server in
            try await blocking { try SocketClient(port: server.port).send(Self.post("spans")) }
            try await eventually { promise.withLock { $0 } != nil }
            #expect(server.services.heldBytes == 5)
            promise.withLock { $0 }?.succeed(.accepted)
            try await eventually {
                server.services.heldBytes == 0 && server.metrics.gauge(Metric.connections).value == 0
            }
        }
    }

    @Test func connectionsOverTheLimitAreClosed() async throws {
        try await withServer(TestSink(), { $0.connections = 2 }) { server in
            let (kept, refused, again) = try await blocking {
                let first = try SocketClient(port: server.port)
                let second = try SocketClient(port: server.port)
                let kept = [try first.exchange(Self.post("1")).status, try second.exchange(Self.post("2")).status]
                let refused = try SocketClient(port: server.port).readsEnd()
                return (kept, refused, try first.exchange(Self.post("3")).status)
            }
            #expect(kept == [200, 200] && refused && again == 200)
            #expect(server.metrics.counter(Metric.connectionsRefused, "limit").value == 1)
        }
    }

    @Test func slowSendersAreCutOff() async throws {
        let change: (inout AgentListenerOptions) -> Void = { options in
            options.firstHeadTime = .milliseconds(100)
            options.bodyTime = .milliseconds(100)
            options.idleTime = .milliseconds(100)
        }
        try await withServer(TestSink(), change) { server in
            let ends = try await blocking {
                let noHead = try SocketClient(port: server.port)
                try noHead.send("POST /v1/bpftracing HTT")
                let noBody = try SocketClient(port: server.port)
                try noBody.send("POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
                let idle = try SocketClient(port: server.port)
                let status = try idle.exchange(Self.post("x")).status
                return [noHead.readsEnd(), noBody.readsEnd(), status == 200, idle.readsEnd()]
            }
            #expect(ends == [true, true, true, true])
            #expect(server.metrics.counter(Metric.connectionsRefused, "slow").value == 3)
        }
    }

    @Test func bytesOfAllConnectionsTogetherAreBounded() async throws {
        try await withServer(TestSink(), { $0.heldBytes = 1_000 }) { server in
            let (busy, fine) = try await blocking {
                let first = try SocketClient(port: server.port)
                try first.send("POST /v1/bpftracing HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n")
                try first.send([UInt8](repeating: 1, count: 800))
                Thread.sleep(forTimeInterval: 0.1)
                let busy = try SocketClient(port: server.port).exchange(Self.post(String(repeating: "y", count: 300)))
                try first.send([UInt8](repeating: 1, count: 100))
                return (busy, try first.response())
            }
            #expect(busy.status == 503 && busy.headers["retry-after"] != nil && fine.status == 200)
        }
    }

    @Test func stoppingListenerAnswersWhatItHoldsAndEndsTheConnections() async throws {
        let promise = Mutex<EventLoopPromise<IngestAnswer>?>(nil)
        let sink = TestSink(later: { _, loop in
            let made = loop.makePromise(of: IngestAnswer.self)
            promise.withLock { $0 = made }
            return made.futureResult
        })
        let metrics = MetricsRegistry()
        let services = AgentServices(
            options: AgentListenerOptions(), sink: sink, metrics: metrics, metricsPage: { metrics.render() },
            version: "1", hostName: "h", logger: quiet)
        let port = Mutex<UInt16>(0)
        let listener = AgentListener(
            address: ListenAddress(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton,
            services: services, logger: quiet, onBound: { address in port.withLock { $0 = address.port } })
        let group = ServiceGroup(configuration: .init(services: [listener], logger: quiet))
        async let run: Void = group.run()
        try await eventually { port.withLock { $0 } != 0 }
        let number = port.withLock { $0 }
        async let response = blocking {
            let client = try SocketClient(port: number)
            return (try client.exchange(Self.post("spans")), client.readsEnd())
        }
        try await eventually { promise.withLock { $0 } != nil }
        await group.triggerGracefulShutdown()
        try await eventually { services.isDraining }
        #expect(throws: (any Error).self) { try SocketClient(port: number) }
        promise.withLock { $0 }?.succeed(.accepted)
        let (answer, ended) = try await response
        #expect(answer.status == 200 && answer.headers["connection"] == "close" && ended)
        try await run
        #expect(metrics.render().contains("ebpftrace_stage_cpu_seconds_total{stage=\"ingest_0\"}"))
    }

    @Test func notHTTPIsRefused() async throws {
        try await withServer(TestSink()) { server in
            let response = try await blocking {
                try SocketClient(port: server.port).exchange("\u{16}\u{3}\u{1} garbage\r\n\r\n")
            }
            #expect(response.status == 400)
        }
    }

    @Test func takenPortIsNamedWithTheRemedy() async throws {
        try await withServer(TestSink()) { server in
            let listener = AgentListener(
                address: ListenAddress(host: "127.0.0.1", port: server.port),
                group: MultiThreadedEventLoopGroup.singleton,
                services: server.services, logger: quiet)
            let failure = await #expect(throws: Failure.self) { _ = try await listener.bind() }
            #expect(failure?.code.exitStatus == 69 && failure?.message.contains("--listen") == true)
        }
    }

    @Test func uptimeReadsAsGoPrintsIt() {
        #expect(AgentServices.durationText(nanoseconds: 59_999_999_999) == "59s")
        #expect(AgentServices.durationText(nanoseconds: 61_000_000_000) == "1m1s")
        #expect(AgentServices.durationText(nanoseconds: 3_600_000_000_000) == "1h0m0s")
    }
}
