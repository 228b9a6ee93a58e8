import Foundation
import Linking
import ProductSupport
import Shared
import Testing

/// Bits of the logs that turn round on the disk: the spans they were about are counted, all others are exported.
extension Integration {
    @Suite(.serialized) struct DamageTests {
        /// Traces stay open long enough to damage their facts, and lost ones are given up soon after.
        private static let settings = ["--window", "6s", "--max-trace-age", "6s"]
        private static let damaged = 7..<9

        /// Posts all spans, one body a commit; returns their keys, and where the commits lie.
        private func fill(
            _ router: LiveRouter, _ bodies: SpanBodies
        ) async throws -> (accepted: Set<String>, commits: [FactsBlock.Header]) {
            let count = bodies.lineProtocol.count
            let accepted = try await router.post(bodies, 0..<count, pause: .milliseconds(20))
            let reader = SpanLogReader(disk: RealDisk(), folder: router.folder.file("data/span-log"))
            var commits: [FactsBlock.Header] = []
            var place = LogPosition(0)
            while let (record, next) = try reader.next(from: place) {
                if case .commit(let block) = record { commits.append(block.header) }
                place = next
            }
            #expect(commits.map { Int($0.rowCount) } == bodies.lineProtocol.map(\.count), "a commit is a body")
            return (accepted, commits)
        }

        /// Turns bits round in the headers and rows of commits.
        private func damage(_ commits: ArraySlice<FactsBlock.Header>, in router: LiveRouter) throws {
            let path = router.folder.file("data/span-log/facts/0000000000000000.seg")
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            for (number, commit) in commits.enumerated() {
                // Bytes 32 of the segment's header, 24 of the record's: its length first, then something in the body.
                let offset = commit.position.offset + 32 + (number == 0 ? 8 : 500)
                try file.seek(toOffset: offset)
                let bytes = try #require(try file.read(upToCount: 4))
                try file.seek(toOffset: offset)
                try file.write(contentsOf: bytes.map { $0 ^ 0x5a })
            }
            try file.close()
        }

        private func keys(_ bodies: SpanBodies, _ numbers: Range<Int>) -> Set<String> {
            Set(numbers.flatMap { bodies.lineProtocol[$0].map { SpanBodies.key(line: $0) } })
        }

        /// All spans of sound commits are exported, those of the damaged ones counted.
        private func expectOnlyTheDamagedLost(
            _ router: LiveRouter, _ bodies: SpanBodies, _ accepted: Set<String>
        ) async throws {
            try await router.settles(accepted: UInt64(bodies.spans), within: 60)
            let lost = Self.damaged.reduce(0) { $0 + bodies.lineProtocol[$1].count }
            let status = try router.status()
            #expect(status.spansAccepted == UInt64(bodies.spans))
            #expect(status.spansDropped == ["unreadable_facts": UInt64(lost)])
            #expect(status.spansExported["file"] == UInt64(bodies.spans - lost))
            try await router.expectOnce(accepted, lost: keys(bodies, Self.damaged))
            #expect(try router.metric("invariant_violations_total") == 0)
            try await router.run.stop()
        }

        @Test("facts of open traces damaged under running workers: their spans are counted, all others exported")
        func whileRunning() async throws {
            let router = try await LiveRouter(settings: Self.settings)
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            let (accepted, commits) = try await fill(router, bodies)
            try damage(commits[Self.damaged], in: router)
            #expect(try router.status().spansHeld == UInt64(bodies.spans), "nothing was decided before the damage")
            try await expectOnlyTheDamagedLost(router, bodies, accepted)
        }

        @Test("facts damaged between a kill of everything and the next start: their spans are counted, others exported")
        func betweenRuns() async throws {
            let first = try await LiveRouter(settings: Self.settings)
            let bodies = try await SpanBodies(fixture: "real/threads-chain")
            let (accepted, commits) = try await fill(first, bodies)
            // The ledger is kept every 2 s; what it does not count yet would be lost without a number.
            try await Task.sleep(for: .milliseconds(2600))
            let pids = try first.workers()
            #expect(try first.status().spansHeld == UInt64(bodies.spans), "nothing was decided before the damage")
            for pid in pids { kill(pid, SIGKILL) }
            try await first.run.killNow()
            try damage(commits[Self.damaged], in: first)
            let second = try await LiveRouter(folder: first.folder, settings: Self.settings)
            try await expectOnlyTheDamagedLost(second, bodies, accepted)
        }
    }
}
