import Foundation
import Linking
import Shared
import Synchronization
import Testing

@testable import Router

@Suite struct StoreTests {
    @Test func aTraceComesBackAsItWasPosted() async throws {
        let test = try TestStore()
        let trace = TraceID.test(1)
        let event = OTLPTestEncoder.field(11, OTLPTestEncoder.field(2, Array("oops".utf8)))
        let spans = [
            TestSpan(
                trace: trace, id: 1, name: "GET /home", start: 5_000, duration: 9_000, status: 2, message: "bad",
                attributes: [
                    ("http.response.status_code", .whole(500)), ("ratio", .real(0.5)), ("ebpftrace.late", .flag(true)),
                    ("list", .list([.whole(1), .text("a\"b")])),
                ], more: event),
            TestSpan(trace: trace, id: 2, parent: 1, name: "SELECT", kind: 3, start: 6_000, duration: 1_000),
        ]
        let result = try await test.store.insert(
            OTLPTestEncoder.request(service: "gw", resource: [("host.name", .text("n1"))], spans))
        #expect(result == InsertResult(accepted: 2))
        for _ in 0..<2 {
            let found = try #require(try await test.store.trace(trace))
            #expect(found.spans.map(\.id.bits) == [1, 2])
            #expect(found.spans.map(\.parent?.bits) == [nil, 1])
            let root = found.spans[0]
            #expect(root.name == "GET /home" && root.kind == 2 && root.start == 5_000 && root.end == 14_000)
            #expect(root.statusCode == 2 && root.statusMessage == "bad" && root.isApplication == false)
            #expect(
                root.attributes == [
                    Attribute("http.response.status_code", .int(500)), Attribute("ratio", .double(0.5)),
                    Attribute("ebpftrace.late", .bool(true)), Attribute("list", .json(#"[1,"a\"b"]"#)),
                ])
            #expect(root.rest == event)
            #expect(found.service(of: root) == "gw")
            #expect(found.resources[root.resource]["host.name"] == .string("n1"))
            #expect(found.summary.rootName == "GET /home" && found.summary.errorCount == 1)
            try test.reopen()
        }
        #expect(try await test.store.trace(.test(2)) == nil)
    }

    @Test func theStatusSaysWhatIsHeldWhatWaitsAndWhatWasRefused() async throws {
        let test = try TestStore { options in
            options.gatherNanoseconds = 400_000_000
            options.quietNanoseconds = 400_000_000
        }
        let before = test.store.status
        #expect(before.on && before.spans == 0 && before.oldest == nil && before.bytesMax == 2 << 30)
        let spans = (1...3).map { TestSpan(trace: .test(1), id: $0) } + [TestSpan(trace: .none, id: 9)]
        async let result = test.store.insert(OTLPTestEncoder.request(spans))
        while test.store.status.waiting == 0 { try await Task.sleep(for: .milliseconds(2)) }
        #expect(test.store.status.waiting == 3 && test.store.status.behindSeconds < 60)
        _ = try await result
        // Answers go out before the house is kept.
        while test.store.status.spans == 0 { try await Task.sleep(for: .milliseconds(2)) }
        let after = test.store.status
        #expect(after.spans == 3 && after.segments == 1 && after.bytes > 0 && after.written == 3)
        #expect(after.waiting == 0 && after.behindSeconds == 0 && after.refused == ["unreadable": 1])
        #expect(after.oldest ?? 0 > 1_000_000_000)
        try test.reopen()
        while test.store.status.spans == 0 { try await Task.sleep(for: .milliseconds(2)) }
        #expect(test.store.status.spans == 3 && test.store.status.written == 3)
    }

    @Test func latePiecesAndRepeatsJoinInOneTrace() async throws {
        let test = try TestStore()
        let trace = TraceID.test(7)
        for part in 0..<5 {
            let spans = (0..<4).map { index in
                TestSpan(
                    trace: trace, id: UInt64(part * 3 + index + 1), parent: part + index == 0 ? 0 : 1,
                    start: UInt64(1_000 * (part * 3 + index)))
            }
            try await test.store.insert(OTLPTestEncoder.request(service: "s\(part % 2)", spans))
            try await test.store.insert(OTLPTestEncoder.request([TestSpan(trace: .test(UInt64(100 + part)), id: 99)]))
        }
        let found = try #require(try await test.store.trace(trace))
        #expect(found.spans.map(\.id.bits) == Array(1...16))
        let hits = try await test.store.search(TraceSearch(limit: 100, spansPerSet: 100)).traces
        #expect(hits.count == 6)
        let hit = try #require(hits.first { $0.summary.id == trace })
        #expect(hit.summary.spanCount == 16 && hit.matched == 16)
        // No piece is as long as the trace, which a bound on the duration must see through.
        let long = try await test.store.search(
            TraceSearch(minDuration: hit.summary.durationNanoseconds, limit: 100)).traces
        #expect(long.map(\.summary.id) == [trace])
    }

    @Test func smallSegmentsBecomeOneAndNothingIsLost() async throws {
        let test = try TestStore()
        for number in 0..<40 {
            let spans = [TestSpan(trace: .test(UInt64(number)), id: UInt64(number + 1), start: UInt64(number) * 1_000)]
            try await test.store.insert(OTLPTestEncoder.request(spans))
        }
        try await eventually { (try? test.store.files.database.segments().count) ?? 99 < 16 }
        #expect(try test.store.files.database.segments().reduce(0) { $0 + $1.spans } == 40)
        for number in 0..<40 {
            let found = try #require(try await test.store.trace(.test(UInt64(number))))
            #expect(found.spans.map(\.id.bits) == [UInt64(number + 1)])
        }
        #expect(try await test.store.search(TraceSearch(limit: 100)).traces.count == 40)
    }

    @Test func spansWithoutIDsAreToldAndTheOthersKept() async throws {
        let test = try TestStore()
        let spans = [
            TestSpan(trace: .none, id: 1), TestSpan(trace: .test(1), id: 0), TestSpan(trace: .test(1), id: 3),
        ]
        let result = try await test.store.insert(OTLPTestEncoder.request(spans))
        #expect(result.accepted == 1 && result.rejected == 2)
        #expect(result.message.contains("trace_id"))
        #expect(try await test.store.trace(.test(1))?.spans.map(\.id.bits) == [3])
        await #expect(throws: Failure.self) { try await test.store.insert([0x0a, 0x7f, 1, 2]) }
    }

    @Test func theOldestGoWhenThereIsTooMuch() async throws {
        let test = try TestStore { options in
            options.bytesMax = 1 << 20
        }
        var generator = SystemRandomNumberGenerator()
        for number in 0..<60 {
            let spans = (0..<100).map { index in
                // Bytes that do not compress.
                let noise = (0..<40).map { _ in String(generator.next(), radix: 36) }.joined()
                return TestSpan(
                    trace: .test(UInt64(number)), id: UInt64(number * 100 + index + 1),
                    attributes: [("noise", .text(noise))])
            }
            try await test.store.insert(OTLPTestEncoder.request(spans))
        }
        try await eventually { ((try? test.store.files.database.liveBytes()) ?? .max) <= 1 << 20 }
        #expect(try await test.store.trace(.test(0)) == nil)
        #expect(try await test.store.trace(.test(59)) != nil)
        let size = try #require(
            try FileManager.default.attributesOfItem(atPath: test.path)[.size] as? Int)
        #expect(size < 2 << 20)
        #expect(test.metrics.counter(Metric.storeExpired, "bytes").value > 1_000)
    }

    @Test func theOldGoAfterTheirTime() async throws {
        let shared = Shift(1_000_000_000_000_000)
        let test = try TestStore { options in
            options.ageNanoseconds = 3_600_000_000_000
            options.wallClock = { shared.now }
        }
        try await test.store.insert(OTLPTestEncoder.request([TestSpan(trace: .test(1), id: 1)]))
        shared.move(to: 1_000_000_000_000_000 + 3_700_000_000_000)
        try await test.store.insert(OTLPTestEncoder.request([TestSpan(trace: .test(2), id: 2)]))
        try await eventually { ((try? test.store.files.database.segments().count) ?? 0) == 1 }
        #expect(try await test.store.trace(.test(1)) == nil)
        #expect(try await test.store.trace(.test(2)) != nil)
    }

    /// A clock that a test moves.
    private final class Shift: Sendable {
        private let value: Mutex<Int>
        init(_ start: Int) { value = Mutex(start) }
        var now: Int { value.withLock { $0 } }
        func move(to time: Int) { value.withLock { $0 = time } }
    }

    @Test func aTransactionCutOffLeavesWhatWasCommitted() async throws {
        let test = try TestStore()
        try await test.store.insert(OTLPTestEncoder.request([TestSpan(trace: .test(1), id: 1)]))
        let copy = test.folder + "/copy"
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        struct Stop: Error {}
        let database = test.store.files.database
        #expect(throws: Stop.self) {
            try database.pool.write { db in
                try db.execute(sql: "DELETE FROM segment; DELETE FROM chunk; DELETE FROM lookup")
                for suffix in ["", "-wal"] {
                    try FileManager.default.copyItem(
                        atPath: test.path + suffix, toPath: copy + "/" + StoreDatabase.fileName + suffix)
                }
                throw Stop()
            }
        }
        let killed = try TraceStore(options: StoreOptions(folder: copy), metrics: MetricsRegistry(), logger: quiet)
        #expect(try await killed.trace(.test(1))?.spans.count == 1)
        killed.stop()
        #expect(!FileManager.default.fileExists(atPath: copy + "/traces.sqlite.damaged-1"))
    }

    @Test(arguments: [0, 100, 5_000, 20_000])
    func aDamagedDatabaseIsPutAside(at offset: Int) async throws {
        let test = try TestStore()
        let spans = (0..<200).map { TestSpan(trace: .test(UInt64($0 / 4)), id: UInt64($0 + 1)) }
        try await test.store.insert(OTLPTestEncoder.request(spans))
        test.store.stop()
        let pool = test.store.files.database.pool
        try await pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        let file = try #require(FileHandle(forUpdatingAtPath: test.path))
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: Data((0..<30_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }))
        try file.close()
        // Whatever is damaged: it opens, reads fail at most with a failure, and it takes spans again soon.
        try test.reopen()
        _ = try? await test.store.trace(.test(1))
        _ = try? await test.store.search(TraceSearch())
        var last: (any Error)?
        for _ in 0..<5 {
            do {
                try await test.store.insert(OTLPTestEncoder.request([TestSpan(trace: .test(1_000), id: 9)]))
                last = nil
                break
            } catch {
                last = error
            }
        }
        #expect(last == nil)
        #expect(try await test.store.trace(.test(1_000))?.spans.count == 1)
        if offset == 0 { #expect(FileManager.default.fileExists(atPath: test.path + ".damaged-1")) }
    }

    @Test func readsGoOnWhileItIsWritten() async throws {
        let test = try TestStore()
        let state = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<2 {
                group.addTask {
                    for number in 0..<60 {
                        let trace = TraceID.test(UInt64(number))
                        let spans = (0..<10).map {
                            TestSpan(trace: trace, id: UInt64(writer * 10_000 + number * 10 + $0 + 1))
                        }
                        try await test.store.insert(OTLPTestEncoder.request(spans))
                        #expect(try await test.store.trace(trace)?.spans.count ?? 0 >= 10)
                    }
                    state.raise()
                }
            }
            group.addTask {
                var least = 0
                while state.count < 2 {
                    let count = try await test.store.search(TraceSearch(limit: 1_000)).traces.count
                    #expect(count >= least)
                    least = count
                }
            }
            try await group.waitForAll()
        }
        #expect(try await test.store.search(TraceSearch(limit: 1_000)).traces.map(\.summary.spanCount) == Array(
            repeating: 20, count: 60))
    }

    private final class Flag: Sendable {
        private let value = Mutex(0)
        var count: Int { value.withLock { $0 } }
        func raise() { value.withLock { $0 += 1 } }
    }

    @Test func applicationTracesJoinByTheirIDs() async throws {
        let test = try TestStore()
        let application = TraceID.test(500)
        let ebpf = TraceID.test(1)
        try await test.store.insert(
            OTLPTestEncoder.request(
                service: "client", scope: "otel",
                [TestSpan(trace: application, id: 10, name: "call", kind: 3, start: 1_000, duration: 9_000)]))
        try await test.store.insert(
            OTLPTestEncoder.request(
                service: "gw",
                [
                    TestSpan(
                        trace: ebpf, id: 20, start: 2_000, duration: 7_000,
                        attributes: [
                            ("ebpf.app_trace_id", .text(TraceIDText.hex(application))),
                            ("ebpf.app_parent_id", .text("000000000000000a")),
                        ])
                ]))
        try await test.store.insert(
            OTLPTestEncoder.request(
                service: "gw", scope: "otel",
                [TestSpan(trace: application, id: 30, parent: 10, name: "handle", start: 3_000, duration: 5_000)]))
        for id in [application, ebpf] {
            let found = try #require(try await test.store.trace(id))
            #expect(found.spans.map(\.id.bits) == [10, 20, 30])
            #expect(found.spans.map(\.parent?.bits) == [nil, 10, 20])
            #expect(found.spans.map(\.isApplication) == [true, false, true])
            #expect(found.spans[2].attributes["ebpftrace.original_parent_id"] == .string("000000000000000a"))
        }
        #expect(try await test.store.search(TraceSearch()).traces.count == 1)
    }
}
