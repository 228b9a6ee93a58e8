import Testing

@testable import Router

@Suite struct ReplayProgressTests {
    @Test func countsHaveSeparators() {
        #expect([0, 999, 1000, 1_234_567, -1000].map(Figures.count) == ["0", "999", "1,000", "1,234,567", "-1,000"])
        #expect(Figures.count(.min) == "-9,223,372,036,854,775,808")
    }

    @Test func durationsHaveTheirUnit() {
        let cases: [(Duration, String)] = [
            (.zero, "0 us"), (.microseconds(999), "999 us"), (.microseconds(1000), "1 ms"),
            (.microseconds(12_440), "12.4 ms"), (.microseconds(999_400), "999 ms"), (.microseconds(999_600), "1 s"),
            (.milliseconds(3210), "3.2 s"), (.milliseconds(59_940), "59.9 s"), (.milliseconds(59_960), "1 m 00 s"),
            (.seconds(125), "2 m 05 s"), (.seconds(3600), "1 h 00 m"), (.seconds(3_600_000), "1,000 h 00 m"),
            (.milliseconds(-3), "-3 ms"),
        ]
        for (duration, text) in cases { #expect(Figures.time(duration) == text) }
    }

    @Test func textOfOthersCannotDrawOnTheTerminal() {
        #expect(Figures.oneLine("a\nb\u{1B}[2J\u{202E}c", atMost: 20) == "a b [2J c")
        #expect(Figures.oneLine("abcdef", atMost: 4) == "abc…")
    }

    @Test func lineTellsCountShareRateAndTimeLeft() {
        let progress = Progress(noun: "spans sent", isTerminal: false, start: .zero)
        #expect(
            progress.line(done: 12_345, fraction: 0.25, elapsed: .seconds(5))
                == "12,345 spans sent, 25 %, 2,469 spans/s, 15 s left")
        #expect(progress.line(done: 7, fraction: nil, elapsed: .zero) == "7 spans sent, - spans/s")
        #expect(progress.line(done: 7, fraction: 1, elapsed: .seconds(1)) == "7 spans sent, 100 %, 7 spans/s")
        #expect(Progress.timeLeft(fraction: 0.01, elapsed: .seconds(1)) == nil)
    }

    @Test func logsGetALineEveryFiveSeconds() {
        var progress = Progress(noun: "spans", isTerminal: false, start: .seconds(100))
        let shown = (0...16).filter { progress.update(done: 1, fraction: nil, now: .seconds(100 + $0)) != nil }
        #expect(shown == [5, 10, 15])
        #expect(progress.interrupt() == "")
    }

    @Test func terminalGetsOneLineThatIsWrittenOver() {
        var progress = Progress(noun: "spans", isTerminal: true, start: .zero)
        #expect(progress.interrupt() == "")
        #expect(progress.update(done: 1, fraction: nil, now: .milliseconds(199)) == nil)
        let line = progress.update(done: 1, fraction: nil, now: .milliseconds(200))
        #expect(line == "\r1 spans, 5 spans/s\u{1B}[K")
        #expect(progress.interrupt() == "\r\u{1B}[K")
        #expect(progress.interrupt() == "")
    }

    @Test func summaryListsGroupsAndWhatIsMissing() {
        var summary = ReplaySummary(
            spansIn: 5486, exported: 5000, dropped: ["sampled": 400, "duplicate": 86], traces: 381,
            edges: ["net": 2703, "thread": 2322, "process": 0], elapsed: .milliseconds(500))
        #expect(
            summary.text == """
                spans in  5,486
                exported  5,000
                dropped   486 (sampled 400, duplicate 86)
                traces    381
                edges     5,025 (net 2,703, thread 2,322)
                time      500 ms, 10,972 spans/s
                """)
        summary.exported -= 1
        #expect(summary.unaccounted == 1 && summary.text.contains("unaccounted  1 "))
    }
}
