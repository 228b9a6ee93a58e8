import Foundation
import ProductSupport
import Testing

/// What tests of crashes and damage do with a router.
extension LiveRouter {
    /// Posts bodies one after another, a pause between them; returns the keys of the spans that were answered 200.
    func post(
        _ bodies: SpanBodies, _ numbers: Range<Int>, pause: Duration = .milliseconds(150)
    ) async throws -> Set<String> {
        var accepted = Set<String>()
        for number in numbers {
            let answer = try? RawHTTP.post(agents, "/v1/bpftracing", bodies.body(number))
            if answer?.status == 200 {
                accepted.formUnion(bodies.lineProtocol[number].map { SpanBodies.key(line: $0) })
            }
            try await Task.sleep(for: pause)
        }
        return accepted
    }

    /// Every accepted span is exported, and nothing is exported twice.
    func expectOnce(_ accepted: Set<String>, lost expected: Set<String> = []) async throws {
        let spans = try await spans()
        let counts = Dictionary(grouping: spans, by: { SpanBodies.key($0) }).mapValues(\.count)
        let lost = accepted.filter { counts[$0] == nil && !expected.contains($0) }
        let twice = counts.filter { $0.value > 1 }
        #expect(lost.isEmpty, "\(lost.count) of \(accepted.count) spans are lost, as \(lost.prefix(3))")
        #expect(twice.isEmpty, "\(twice.count) spans come twice, as \(twice.prefix(3))")
        #expect(spans.byID.count == spans.count, "span ids repeat")
        let shown = expected.filter { counts[$0] != nil }
        #expect(shown.isEmpty, "\(shown.count) spans come out that cannot be known")
    }

    func workers() throws -> [Int32] { try status().workers.compactMap(\.pid) }

    /// Waits until nothing is held and so many spans are there, and then for a repeat that would come late.
    func settlesForGood(spans: Int) async throws {
        try await settles(accepted: 0)
        let isThere = try await becomes(true, within: 10) {
            try await Task.sleep(for: .milliseconds(300))
            return try self.lines().count >= spans
        }
        #expect(isThere, "nothing is held, but spans are missing")
        try await Task.sleep(for: .seconds(3))
        try await settles(accepted: 0)
    }
}
