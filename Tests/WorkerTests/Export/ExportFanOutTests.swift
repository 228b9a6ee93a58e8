import Foundation
import Glibc
import Linking
import NIOCore
import Shared
import Testing

@testable import Worker

/// Takes a body only when the test lets it.
struct GatedTransport: PostingTransport {
    let isOpen: @Sendable () -> Bool
    var answer = HTTPAnswer(status: 200)
    func post(_ body: ByteBuffer, spans: Int, encoding: String?) async throws -> HTTPAnswer {
        while !isOpen() { try await Task.sleep(for: .milliseconds(2)) }
        return answer
    }
    func shutdown() async {}
}

@Suite struct ExportFanOutTests {
    private let recorder = Recorder()

    private func dataway(_ name: String, bytesMax: Int = 64 << 20, _ transport: GatedTransport) -> PostingTarget {
        PostingTarget(
            format: .protobuf, rules: DatawayRules(),
            transport: transport, packing: nil, queue: recorder.queue(name, bytesMax: bytesMax), waiting: hurried,
            observer: recorder, logger: quiet)
    }

    @Test func aSlowTargetHoldsOthersUpOnlyOnceItsQueueIsFull() async throws {
        let gate = Counter()
        let slow = dataway("slow", bytesMax: 100_000, GatedTransport(isOpen: { gate.count > 0 }))
        let fast = dataway("fast", GatedTransport(isOpen: { true }))
        let fanOut = ExportFanOut(targets: [slow, fast], encoder: MarkingEncoder())
        try await fanOut.start()
        let submitted = Counter()
        let producer = Task {
            for block in 1...100 as ClosedRange<UInt64> {
                await fanOut.submit(makeBatch(block: block, ids: block * 10..<block * 10 + 10, pointBytes: 1000))
                submitted.add(1)
            }
        }
        let recorder = recorder
        // 10 KB a block: nine blocks fit; the fast target gets the one that waits as well.
        #expect(await eventually { recorder.spans("fast") >= 100 })
        try await Task.sleep(for: .milliseconds(100))
        #expect(submitted.count == 9)
        #expect(recorder.spans("fast") == 100)
        #expect(recorder.spans("slow") == 0)
        #expect(fanOut.acknowledged == nil)
        gate.add(1)
        await producer.value
        await fanOut.close(grace: .seconds(10))
        #expect(recorder.spans("slow") == 1000)
        #expect(recorder.spans("fast") == 1000)
        #expect(recorder.state.withLock { $0.queueMax["slow", default: 0] } <= 100_000)
        #expect(fanOut.acknowledged == VerdictBlockID(100))
    }

    @Test func aFailingTargetDoesNotAffectAnother() async throws {
        let failing = dataway("failing", GatedTransport(isOpen: { true }, answer: HTTPAnswer(status: 500)))
        let refusing = dataway("refusing", GatedTransport(isOpen: { true }, answer: HTTPAnswer(status: 401)))
        let good = dataway("good", GatedTransport(isOpen: { true }))
        let fanOut = ExportFanOut(targets: [failing, refusing, good], encoder: MarkingEncoder())
        try await fanOut.start()
        for block in 1...20 as ClosedRange<UInt64> {
            await fanOut.submit(makeBatch(block: block, ids: block * 10..<block * 10 + 10))
        }
        let recorder = recorder
        #expect(
            await eventually {
                recorder.spans("good") == 200 && recorder.spans("refusing", .dropped(.status(401))) == 200
            })
        #expect(good.queue.acknowledged == VerdictBlockID(20))
        #expect(failing.queue.acknowledged == nil)
        await fanOut.close(grace: .milliseconds(50))
    }

    @Test func spansAreEncodedOncePerForm() async throws {
        let encoder = MarkingEncoder()
        let targets: [any ExportTarget] = [
            dataway("one", GatedTransport(isOpen: { true })), dataway("two", GatedTransport(isOpen: { true })),
            NoTarget(queue: recorder.queue("none")),
        ]
        let fanOut = ExportFanOut(targets: targets, encoder: encoder)
        try await fanOut.start()
        await fanOut.submit(makeBatch(block: 1, ids: 0..<10))
        await fanOut.close(grace: .seconds(5))
        #expect(encoder.calls.count == 1)
        #expect(["one", "two", "none"].map { recorder.spans($0) } == [10, 10, 10])
    }

    @Test func pointsThatCannotBeReadAreCountedAndTheOthersGo() async throws {
        let target = dataway("one", GatedTransport(isOpen: { true }))
        let fanOut = ExportFanOut(targets: [target], encoder: MarkingEncoder())
        try await fanOut.start()
        await fanOut.submit(makeBatch(block: 1, ids: 1_000_000..<1_000_010, partitions: [1, 2]))
        await fanOut.close(grace: .seconds(5))
        #expect(recorder.spans("one") == 9)
        #expect(recorder.spans("one", .dropped(.unreadablePoint)) == 1)
        #expect(fanOut.acknowledged == VerdictBlockID(1))
    }

    @Test func aBlockSubmittedTwiceIsTakenOnce() async throws {
        let target = dataway("one", GatedTransport(isOpen: { true }))
        let fanOut = ExportFanOut(targets: [target], encoder: MarkingEncoder())
        try await fanOut.start()
        for _ in 0..<2 { await fanOut.submit(makeBatch(block: 1, ids: 0..<10)) }
        await fanOut.close(grace: .seconds(5))
        #expect(recorder.spans("one") == 10)
    }

    @Test func standardOutputCarriesWholeLines() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let reader = Task.detached { () -> [UInt8] in
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 30_000)
            while true {
                let count = read(reading, &buffer, buffer.count)
                guard count > 0 else { return all }
                all += buffer[..<count]
            }
        }
        let target = StandardOutputTarget(
            descriptor: writing, queue: recorder.queue("stdout"), waiting: hurried, observer: recorder, logger: quiet)
        let fanOut = ExportFanOut(targets: [target], encoder: MarkingEncoder())
        try await fanOut.start()
        for block in 1...3 as ClosedRange<UInt64> {
            await fanOut.submit(makeBatch(block: block, ids: block * 50_000..<block * 50_000 + 50_000))
        }
        await fanOut.close(grace: .seconds(10))
        close(writing)
        let text = String(decoding: await reader.value, as: UTF8.self)
        #expect(ids(inLines: text).elementsEqual(50_000..<200_000))
        #expect(recorder.spans("stdout") == 150_000)
        close(reading)
    }

    @Test func outputIsCutAtLineEndsUnlessALineIsLonger() {
        var bytes: [UInt8] = []
        for length in [10, 65_000, 600, 200_000, 5] { bytes += [UInt8](repeating: 0x61, count: length) + [0x0A] }
        var pieces: [[UInt8]] = []
        bytes.withUnsafeBytes { all in LineWriter.pieces(of: all) { pieces.append(Array($0)) } }
        #expect(pieces.flatMap { $0 } == bytes)
        #expect(pieces.allSatisfy { $0.count <= LineWriter.pieceBytes })
        #expect(pieces.map(\.count).prefix(2) == [65_012, 601])
        #expect(pieces.last?.last == 0x0A)
    }
}
