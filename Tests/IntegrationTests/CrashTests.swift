import Foundation
import ProductSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Processes that are killed while spans come in (DESIGN 11): nothing lost, nothing twice.
extension Integration {
    @Suite(.serialized) struct CrashTests {
        @Test("a worker killed while spans come in is started again; nothing is lost, nothing comes twice")
        func workerIsKilled() async throws {
            let router = try await LiveRouter()
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            let count = bodies.lineProtocol.count
            var accepted = try await router.post(bodies, 0..<count / 2)
            let victim = try #require(try router.workers().first)
            kill(victim, SIGKILL)
            accepted.formUnion(try await router.post(bodies, count / 2..<count))
            #expect(accepted.count == 5486, "the router takes spans while a worker is away")
            try await router.settles(accepted: 5486)
            try await router.expectOnce(accepted)
            let status = try router.status()
            #expect(status.workers.map(\.restarts).reduce(0, +) == 1)
            #expect(status.workers.allSatisfy { $0.state == "running" })
            #expect(status.spansAccepted == 5486 && status.spansExported["file"] == 5486, "\(status)")
            #expect(try router.metric("invariant_violations_total") == 0)
            try await router.run.stop()
        }

        @Test("a worker killed again and again while it exports loses and repeats nothing")
        func workersAreKilledWhileExporting() async throws {
            let router = try await LiveRouter()
            let bodies = try await SpanBodies(fixture: "real/nginx-dnat")
            let posting = Task { try await router.post(bodies, 0..<bodies.lineProtocol.count) }
            for round in 0..<4 {
                try await Task.sleep(for: .milliseconds(1300))
                let pids = try router.workers()
                if let victim = pids[safe: round % 2] { kill(victim, SIGKILL) }
            }
            let accepted = try await posting.value
            #expect(accepted.count == bodies.spans)
            try await router.settles(accepted: UInt64(bodies.spans))
            try await router.expectOnce(accepted)
            try await router.run.stop()
        }

        @Test("workers of a router that was killed stop; started again, it exports every span it answered, once")
        func routerIsKilled() async throws {
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            let count = bodies.lineProtocol.count
            let first = try await LiveRouter()
            var accepted = try await first.post(bodies, 0..<count / 2)
            try await killed(first)
            let second = try await LiveRouter(folder: first.folder)
            accepted.formUnion(try await second.post(bodies, count / 2..<count))
            #expect(accepted.count == 5486)
            try await second.settlesForGood(spans: accepted.count)
            try await second.expectOnce(accepted)
            #expect(try second.metric("invariant_violations_total") == 0)
            #expect(try second.status().spansAccepted == 5486, "the ledger survives the router")
            #expect(try second.status().spansExported["file"] == 5486)
            try await second.run.stop()
        }

        @Test("a router killed three times, before, while and after traces close, exports every span once")
        func routerIsKilledOften() async throws {
            let bodies = try await SpanBodies(fixture: "real/dd-pool")
            let count = bodies.lineProtocol.count
            var router = try await LiveRouter()
            var accepted = Set<String>()
            for round in 0..<4 {
                accepted.formUnion(try await router.post(bodies, count * round / 4..<count * (round + 1) / 4))
                guard round < 3 else { break }
                try await Task.sleep(for: .milliseconds([100, 2600, 4000][round]))
                try await killed(router)
                router = try await LiveRouter(folder: router.folder)
            }
            #expect(accepted.count == bodies.spans)
            try await router.settlesForGood(spans: accepted.count)
            try await router.expectOnce(accepted)
            try await router.run.stop()
        }

        /// SIGKILL to the router; its workers must end by themselves.
        private func killed(_ router: LiveRouter) async throws {
            let pids = try router.workers()
            #expect(pids.count == 2)
            try await router.run.killNow()
            let haveEnded = await becomes(true, within: 8) { pids.allSatisfy { !isAlive($0) } }
            #expect(haveEnded, "workers live on without their router")
        }
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
