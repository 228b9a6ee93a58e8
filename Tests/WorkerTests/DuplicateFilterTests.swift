import Linking
import Testing

@testable import Worker

@Suite struct DuplicateFilterTests {
    /// `#expect` cannot take a noncopyable value.
    private final class Filter {
        private var filter: DuplicateFilter
        init(lateWindowEpochs: UInt64?) { filter = DuplicateFilter(lateWindowEpochs: lateWindowEpochs) }
        func isDuplicate(_ facts: SpanFacts, epoch: Epoch) -> Bool { filter.isDuplicate(facts, epoch: epoch) }
    }

    private func facts(_ number: UInt64) -> SpanFacts {
        var facts = SpanFacts()
        facts.requestSequence = number
        facts.responseSequence = number &* 3
        facts.id = facts.computedID
        return facts
    }

    @Test("a repeat within late_window is a duplicate, in any epoch of it")
    func repeats() {
        for distance in 0...10 as ClosedRange<UInt64> {
            let filter = Filter(lateWindowEpochs: 10)
            #expect(!filter.isDuplicate(facts(1), epoch: Epoch(95)))
            #expect(filter.isDuplicate(facts(1), epoch: Epoch(95 + distance)), "after \(distance) epochs")
        }
    }

    @Test("beyond late_window it is a new span, wherever the stretches of the tables begin")
    func forgets() {
        for start in 90..<115 as Range<UInt64> {
            let filter = Filter(lateWindowEpochs: 10)
            #expect(!filter.isDuplicate(facts(1), epoch: Epoch(start)))
            #expect(!filter.isDuplicate(facts(1), epoch: Epoch(start + 11)), "from \(start)")
        }
    }

    @Test("a long pause forgets everything")
    func pause() {
        let filter = Filter(lateWindowEpochs: 10)
        #expect(!filter.isDuplicate(facts(1), epoch: Epoch(10)))
        #expect(!filter.isDuplicate(facts(1), epoch: Epoch(10_000)))
        // 256 epochs later the 8 bits of a slot's epoch are the same again.
        #expect(!filter.isDuplicate(facts(1), epoch: Epoch(10_000 + 256)))
    }

    @Test("without a window nothing is ever forgotten")
    func forEver() {
        let filter = Filter(lateWindowEpochs: nil)
        #expect(!filter.isDuplicate(facts(1), epoch: Epoch(1)))
        #expect(filter.isDuplicate(facts(1), epoch: Epoch(1_000_000)))
    }

    @Test("a hundred thousand different spans are no duplicates, and all are remembered while the tables grow")
    func many() {
        let filter = Filter(lateWindowEpochs: 10)
        var wrong = 0
        for number in 1...100_000 as ClosedRange<UInt64> {
            if filter.isDuplicate(facts(number), epoch: Epoch(20)) { wrong += 1 }
        }
        #expect(wrong == 0)
        var missed = 0
        for number in 1...100_000 as ClosedRange<UInt64> {
            if !filter.isDuplicate(facts(number), epoch: Epoch(25)) { missed += 1 }
        }
        #expect(missed == 0)
    }

    @Test("an equal given id with other facts is another span; with equal facts it is a duplicate")
    func givenIDs() {
        let filter = Filter(lateWindowEpochs: 10)
        var first = facts(1)
        first.flags = .givenID
        first.id = SpanID(0xabcd_ef01_2345_6789)
        var second = facts(2)
        second.flags = .givenID
        second.id = first.id
        #expect(!filter.isDuplicate(first, epoch: Epoch(1)))
        #expect(!filter.isDuplicate(second, epoch: Epoch(1)))
        #expect(filter.isDuplicate(first, epoch: Epoch(1)))
    }

    @Test("a window of more epochs than fit a slot is kept, its border within a 250th")
    func longWindow() {
        let filter = Filter(lateWindowEpochs: 10_000)
        #expect(!filter.isDuplicate(facts(1), epoch: Epoch(50_000)))
        #expect(filter.isDuplicate(facts(1), epoch: Epoch(59_900)))
        #expect(!filter.isDuplicate(facts(1), epoch: Epoch(60_100)))
    }
}
