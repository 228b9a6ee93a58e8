import Testing

@testable import Router

@Suite struct TopScreenTests {
    private static func point(_ time: Double, accepted: UInt64, exported: UInt64) -> StatusHistory.Point {
        StatusHistory.Point(
            time: time, accepted: accepted, exported: ["file": exported], dropped: ["sampled": accepted - exported],
            held: 0, openSpans: 5, lagSeconds: 0.5, cpuSeconds: time, memoryBytes: 123_456_789)
    }

    private static func screen(
        points: [StatusHistory.Point], problems: [String] = [], store: StoreStatus = StoreStatus()
    ) -> TopScreen {
        let status = RouterPages.Status(
            version: "1.2.3", upSeconds: 75, workers: [], partitions: [], spansAccepted: 12_345, spansHeld: 67,
            spansExported: ["file": 1_200], spansDropped: ["sampled": 11_000, "duplicate": 78], openSpans: 5,
            watermark: 40, newestMark: 42, waitingEpochs: 1, traces: ["keep": 3, "drop": 27],
            edges: ["net": 9, "thread": 4, "process": 0], problems: problems, store: store)
        return TopScreen(
            status: status, history: StatusHistory.Page(stepSeconds: 2, points: points), address: "http://x:1")
    }

    @Test func ratesAreThoseOfTheLastTwoPoints() {
        let text = Self.screen(points: [
            Self.point(10, accepted: 1_000, exported: 100), Self.point(12, accepted: 5_000, exported: 500),
        ]).lines().joined(separator: "\n")
        #expect(text.contains("2,000 /s"))
        #expect(text.contains("200 /s"))
        #expect(text.contains("1.00 cores"))
        #expect(text.contains("12,345"))
        #expect(text.contains("dropped: sampled"))
        #expect(text.contains("net 9  thread 4"))
        #expect(!text.contains("process 0"))
    }

    @Test func theStoreIsShownOrSaidToBeOff() {
        let store = StoreStatus(
            on: true, spans: 54_321, segments: 7, bytes: 3 << 20, bytesMax: 64 << 20, refused: ["behind": 42],
            waiting: 1_000, behindSeconds: 6.25)
        let text = Self.screen(points: [], store: store).lines().joined(separator: "\n")
        for part in ["54,321", "segments 7", "3.1 MB of 67.1 MB", "behind 42", "waiting  1,000", "behind 6.2 s"] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
        #expect(Self.screen(points: []).lines().contains("  store    off"))
    }

    @Test func nothingMergedYetIsNoLag() {
        #expect(RouterPages.lag(newest: 3_590_815_515, merged: 0, epochNanoseconds: 500_000_000) == 0)
        #expect(RouterPages.lag(newest: nil, merged: 7, epochNanoseconds: 500_000_000) == 0)
        #expect(RouterPages.lag(newest: 12, merged: 7, epochNanoseconds: 500_000_000) == 2.5)
        #expect(RouterPages.lag(newest: 6, merged: 7, epochNanoseconds: 500_000_000) == 0)
    }

    @Test func withoutHistoryTotalsAreShownAndNoRates() {
        let lines = Self.screen(points: []).lines()
        #expect(lines.contains { $0.hasPrefix("  in       –") && $0.contains("12,345") })
    }

    @Test func noLineIsWiderThanTheScreenAndNoFrameHigher() {
        var screen = Self.screen(
            points: [Self.point(10, accepted: 1_000, exported: 100), Self.point(12, accepted: 5_000, exported: 500)],
            problems: [String(repeating: "long ", count: 50)])
        (screen.width, screen.height, screen.hasColours) = (40, 12, true)
        let lines = screen.lines()
        #expect(lines.count == 12)
        for line in lines {
            let visible = line.replacing(/\u{1B}\[[0-9]+m/, with: "")
            #expect(visible.count <= 40, "\(visible)")
        }
    }
}
