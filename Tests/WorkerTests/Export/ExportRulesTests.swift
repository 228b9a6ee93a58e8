import Linking
import Shared
import Testing

@testable import Worker

@Suite struct ExportRulesTests {
    @Test(arguments: [
        ("https://host?token=tkn_x", "https://host/v1/write/tracing?token=tkn_x"),
        ("https://host:9528/?a=1&token=tkn_x&b=2", "https://host:9528/v1/write/tracing?a=1&token=tkn_x&b=2"),
        ("http://host/some/prefix/?token=t", "http://host/some/prefix/v1/write/tracing?token=t"),
        ("http://host/v1/write/tracing?token=t", "http://host/v1/write/tracing?token=t"),
        ("HTTP://127.0.0.1:9529", "http://127.0.0.1:9529/v1/write/tracing"),
        ("http://[::1]:9529?token=t#part", "http://[::1]:9529/v1/write/tracing?token=t"),
    ])
    func theAddressKeepsPrefixAndQuery(text: String, url: String) throws {
        let address = try DatawayAddress(text)
        #expect(address.url == url)
        #expect(!address.description.contains("token"))
    }

    @Test(arguments: ["", "host", "ftp://host", "https://", "https:///x", "https://ho st", "https://:80", "https:host"])
    func anAddressWithoutSchemeOrHostIsRefused(text: String) {
        #expect(throws: Failure.self) { try DatawayAddress(text) }
    }

    @Test func delaysDoubleUpToTheLongestAndKeepRetryAfter() {
        let delays = RetryDelays()
        let most = (1...9).map { delays.delay(beforeRetry: $0, random: 1) }
        #expect(most == [0.5, 1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
        let least = (1...9).map { delays.delay(beforeRetry: $0, random: 0) }
        #expect(least == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15].map { .seconds($0) })
        #expect(delays.delay(beforeRetry: 1, random: 0, retryAfter: .seconds(7)) == .seconds(7))
        #expect(delays.delay(beforeRetry: 9, random: 1, retryAfter: .seconds(7)) == .seconds(30))
        #expect(delays.delay(beforeRetry: 1, random: 0, retryAfter: .seconds(9999)) == .seconds(300))
        #expect(delays.delay(beforeRetry: .max, random: 2) == .seconds(30))
    }

    @Test func retryAfterIsSecondsOrADate() {
        #expect(RetryAfter.parse("12", unixSeconds: 0) == .seconds(12))
        #expect(RetryAfter.parse(" 12 ", unixSeconds: 0) == .seconds(12))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:49:37 GMT", unixSeconds: 784_111_770) == .seconds(7))
        #expect(RetryAfter.parse("Thu, 29 Feb 2024 00:00:00 GMT", unixSeconds: 1_709_164_799) == .seconds(1))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:49:37 GMT", unixSeconds: 784_111_777) == nil)
        for text in ["", "-1", "soon", "1 2 3 4 5 6", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            #expect(RetryAfter.parse(text, unixSeconds: 0) == nil)
        }
    }

    @Test func answersDecideByStatus() {
        func decision(_ status: Int, _ body: String = "") -> DeliveryDecision {
            DeliveryDecision(HTTPAnswer(status: status, body: Array(body.utf8)), unixSeconds: 0)
        }
        #expect(decision(200) == .done)
        #expect(decision(204) == .done)
        #expect(decision(403, "…beyondDataUsage…") == .drop(.status(403), isBeyondDataUsage: true))
        #expect(decision(403, "no") == .drop(.status(403), isBeyondDataUsage: false))
        #expect(decision(413) == .drop(.status(413), isBeyondDataUsage: false))
        for status in [100, 301, 408, 429, 500, 502, 503, 504, 599] {
            #expect(decision(status) == .retry(reason: "http_\(status)", after: nil))
        }
    }

    @Test func targetsOfAKindAreNumbered() throws {
        let recorder = Recorder()
        let factory = ExportTargetFactory(
            worker: WorkerOrdinal(0), log: "log", ledger: recorder.ledger, observer: recorder,
            acknowledge: recorder.acknowledge, logger: quiet)
        let targets = try factory.targets(from: [.file(path: "/a"), .file(path: "/b"), .standardOutput])
        #expect(targets.map(\.name) == ["file", "file-2", "stdout"])
        #expect(try factory.targets(from: []).map(\.name) == ["none"])
        #expect(throws: Failure.self) { try factory.targets(from: [.file(path: "/a"), .file(path: "/a")]) }
        #expect(throws: Failure.self) { try factory.targets(from: [.standardOutput, .standardOutput]) }
    }

    @Test func aBlockIsAcknowledgedWhenItAndAllBeforeItEnded() {
        var tracker = BlockTracker()
        let (one, two) = (VerdictBlockID(1), VerdictBlockID(2))
        tracker.opened(one, isLast: false)
        tracker.opened(one, isLast: true)
        tracker.opened(two, isLast: false)
        var moves = [tracker.finished(two, count: 1), tracker.finished(one, count: 1)]
        #expect(moves == [false, false])
        #expect(tracker.isBusy)
        moves = [tracker.finished(one, count: 1)]
        #expect(moves == [true])
        #expect(tracker.acknowledged == one)
        #expect(!tracker.isBusy, "block two is not whole")
        tracker.opened(two, isLast: true)
        moves = [tracker.finished(two, count: 1)]
        #expect(moves == [true])
        #expect(tracker.acknowledged == two)
    }

    @Test func hoursAreInUniversalTime() {
        #expect(PartHeader.hour(ofNanoseconds: 0) == "19700101T00")
        #expect(PartHeader.hour(ofNanoseconds: threeOClock + 3_599_999_999_999) == "20260102T03")
        #expect(PartHeader.hour(ofNanoseconds: 1_709_254_799 * 1_000_000_000) == "20240301T00")
        #expect(PartHeader.hour(ofNanoseconds: 1_709_251_199 * 1_000_000_000) == "20240229T23")
    }

    @Test func headersSurviveTheirLineAndGarbageDoesNot() throws {
        let header = PartHeader(
            log: "a\"b\n", worker: 3, part: 7, hour: "20260102T03", firstBlock: 1, lastBlock: 2, firstEpoch: 9,
            spans: 4,
            pairs: [[1, 9, 1, 2]])
        let line = try header.line(paddedTo: 1000)
        #expect(line.count == 1000 && line.last == 0x0A && !line.dropLast().contains(0x0A))
        #expect(try PartHeader(line: line.dropLast()) == header)
        for text in ["", "{}", "{\"ebpftrace_part\":1}", "[]"] {
            #expect(throws: Failure.self) { try PartHeader(line: Array(text.utf8)) }
        }
        var wrong = header
        wrong.pairs = [[1, 2]]
        #expect(throws: Failure.self) { try PartHeader(line: wrong.line().dropLast()) }
    }
}
