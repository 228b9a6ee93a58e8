import Foundation
import ProductSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Processes that are killed while spans come in (DESIGN 11): nothing lost, nothing twice.
extension Integration {
    @Suite(.serialized) struct CrashTests {
        /// Posts bodies one after another, a pause between them; returns the keys of the spans that were answered 200.
        private func post(
            _ bodies: SpanBodies, _ numbers: Range<Int>, to router: LiveRouter, pause: Duration = .milliseconds(150)
        ) async throws -> Set<String> {
            var accepted = Set<String>()
            for number in numbers {
                let answer = try? RawHTTP.post(router.agents, "/v1/bpftracing", bodies.body(number))
                if answer?.status == 200 {
                    accepted.formUnion(bodies.lineProtocol[number].map { SpanBodies.key(line: $0) })
                }
                try await Task.sleep(for: pause)
            }
            return accepted
        }

        /// Every accepted span is exported, and nothing is exported twice.
        private func expectOnce(_ accepted: Set<String>, _ router: LiveRouter) async throws {
            let spans = try await router.spans()
            let counts = Dictionary(grouping: spans, by: { SpanBodies.key($0) }).mapValues(\.count)
            let lost = accepted.filter { counts[$0] == nil }
            let twice = counts.filter { $0.value > 1 }
            #expect(lost.isEmpty, "\(lost.count) of \(accepted.count) spans are lost, as \(lost.prefix(3))")
            #expect(twice.isEmpty, "\(twice.count) spans come twice, as \(twice.prefix(3))")
            #expect(spans.byID.count == spans.count, "span ids repeat")
        }

        private func workers(_ router: LiveRouter) throws -> [Int32] { try router.status().workers.compactMap(\.pid) }

        @Test("a worker killed while spans come in is started again; nothing is lost, nothing comes twice")
        func workerIsKilled() async throws {
            let router = try await LiveRouter()
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            let count = bodies.lineProtocol.count
            var accepted = try await post(bodies, 0..<count / 2, to: router)
            let victim = try #require(try workers(router).first)
            kill(victim, SIGKILL)
            accepted.formUnion(try await post(bodies, count / 2..<count, to: router))
            #expect(accepted.count == 5486, "the router takes spans while a worker is away")
            try await router.settles(accepted: 5486)
            try await expectOnce(accepted, router)
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
            let posting = Task { try await post(bodies, 0..<bodies.lineProtocol.count, to: router) }
            for round in 0..<4 {
                try await Task.sleep(for: .milliseconds(1300))
                let pids = try workers(router)
                if let victim = pids[safe: round % 2] { kill(victim, SIGKILL) }
            }
            let accepted = try await posting.value
            #expect(accepted.count == bodies.spans)
            try await router.settles(accepted: UInt64(bodies.spans))
            try await expectOnce(accepted, router)
            try await router.run.stop()
        }

        @Test("workers of a router that was killed stop; started again, it exports every span it answered, once")
        func routerIsKilled() async throws {
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            let count = bodies.lineProtocol.count
            let first = try await LiveRouter()
            var accepted = try await post(bodies, 0..<count / 2, to: first)
            try await killed(first)
            let second = try await LiveRouter(folder: first.folder)
            accepted.formUnion(try await post(bodies, count / 2..<count, to: second))
            #expect(accepted.count == 5486)
            try await settled(second, spans: accepted.count)
            try await expectOnce(accepted, second)
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
                accepted.formUnion(try await post(bodies, count * round / 4..<count * (round + 1) / 4, to: router))
                guard round < 3 else { break }
                try await Task.sleep(for: .milliseconds([100, 2600, 4000][round]))
                try await killed(router)
                router = try await LiveRouter(folder: router.folder)
            }
            #expect(accepted.count == bodies.spans)
            try await settled(router, spans: accepted.count)
            try await expectOnce(accepted, router)
            try await router.run.stop()
        }

        /// SIGKILL to the router; its workers must end by themselves.
        private func killed(_ router: LiveRouter) async throws {
            let pids = try workers(router)
            #expect(pids.count == 2)
            try await router.run.killNow()
            let haveEnded = await becomes(true, within: 8) { pids.allSatisfy { !isAlive($0) } }
            #expect(haveEnded, "workers live on without their router")
        }

        /// Waits until nothing is held and so many spans are there, and then for a repeat that would come late.
        private func settled(_ router: LiveRouter, spans: Int) async throws {
            try await router.settles(accepted: 0)
            let isThere = try await becomes(true, within: 10) {
                try await Task.sleep(for: .milliseconds(300))
                return try router.lines().count >= spans
            }
            #expect(isThere, "nothing is held, but spans are missing")
            try await Task.sleep(for: .seconds(3))
            try await router.settles(accepted: 0)
        }
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
