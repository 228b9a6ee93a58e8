import Foundation
import Hummingbird
import HummingbirdTesting
import Shared
import SharedNet
import Synchronization
import Testing

@Suite struct AdminTests {
    private struct Page: Codable, Sendable, Equatable {
        var workers: Int
    }

    private func router(_ readiness: Readiness) -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router()
        AdminEndpoints(
            readiness: { readiness }, status: { Page(workers: 2) }, metrics: { "ebpftrace_leader 1\n" }
        ).register(on: router)
        return router
    }

    @Test func pagesAnswer() async throws {
        try await Application(router: router(.ready)).test(.router) { client in
            try await client.execute(uri: "/livez", method: .get) { #expect($0.status == .ok) }
            try await client.execute(uri: "/readyz", method: .get) { response in
                #expect(response.status == .ok)
                #expect(String(buffer: response.body) == #"{"ready":true,"reasons":[]}"#)
            }
            try await client.execute(uri: "/status", method: .get) { response in
                #expect(response.headers[.contentType] == "application/json")
                let page = try JSONDecoder().decode(Page.self, from: Data(response.body.readableBytesView))
                #expect(page == Page(workers: 2))
            }
            try await client.execute(uri: "/metrics", method: .get) { response in
                #expect(response.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
                #expect(String(buffer: response.body) == "ebpftrace_leader 1\n")
            }
        }
    }

    @Test func unreadyProcessSaysWhy() async throws {
        try await Application(router: router(Readiness(reasons: ["log full"]))).test(.router) { client in
            try await client.execute(uri: "/readyz", method: .get) { response in
                #expect(response.status == .serviceUnavailable)
                #expect(String(buffer: response.body) == #"{"ready":false,"reasons":["log full"]}"#)
            }
        }
    }

    @Test func boundPortIsToldAndATakenOneIsNamed() async throws {
        let bound = Mutex<ListenAddress?>(nil)
        let address = ListenAddress(host: "127.0.0.1", port: 0)
        let listener = HTTPListener(
            purpose: "console", setting: "console", address: address, router: router(.ready), logger: quiet
        ) { address in bound.withLock { $0 = address } }
        let task = Task { try await listener.run() }
        try await eventually { bound.withLock { $0 } != nil }
        let taken = try #require(bound.withLock { $0 })
        #expect(taken.port != 0)
        let page = try await blocking {
            try SocketClient(port: taken.port).exchange("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        }
        #expect(page.status == 200 && page.body == #"{"live":true}"#)

        let second = HTTPListener(
            purpose: "console", setting: "console", address: taken, router: router(.ready), logger: quiet)
        let failure = await #expect(throws: Failure.self) { try await second.run() }
        #expect(failure?.code.exitStatus == 69)
        #expect(failure?.message.contains("127.0.0.1:\(taken.port)") == true)
        #expect(failure?.message.contains("--console") == true)
        task.cancel()
        _ = await task.result
    }
}
