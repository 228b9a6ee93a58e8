import Testing

@testable import Shared

@Suite("Texts of settings")
struct ConfigTextTests {
    @Test(
        "a duration is read exactly",
        arguments: [
            ("20s", 20_000_000_000), ("2m", 120_000_000_000), ("500ms", 500_000_000), ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000), ("0.1s", 100_000_000), ("1h0m1ns", 3_600_000_000_001), ("250us", 250_000),
            ("250µs", 250_000), ("0", 0), ("0.000000001s", 1), ("9223372036s", 9_223_372_036_000_000_000),
            ("0.3333333333m", 19_999_999_998),
        ])
    func durationIsExact(text: String, nanoseconds: Int64) {
        #expect(DurationText.parse(text)?.exactNanoseconds == nanoseconds)
    }

    @Test(
        "what is no duration is refused",
        arguments: [
            "", "20", "s", "-5s", "+5s", "1 s", "1.s", ".5s", "5x", "20S", "1s2", "9223372037s", "1e3s",
            "0.0000000001s", "٣s", "99999999999999999999s", "1.0000000001s",
        ])
    func badDuration(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test("a duration's text reads back as itself")
    func durationTextRoundTrip() {
        for nanoseconds: Int64 in [0, 1, 999, 1_000, 1_000_001, 500_000_000, 20_000_000_000, 90_061_000_000_007] {
            let duration = Duration.nanoseconds(nanoseconds)
            #expect(DurationText.parse(DurationText.text(duration)) == duration)
        }
        #expect(DurationText.text(.seconds(90)) == "1m30s")
        #expect(DurationText.text(.milliseconds(500)) == "500ms")
        #expect(Duration.seconds(2).wholeMilliseconds == 2_000)
    }

    @Test("sizes are read in powers of 1024 and of 1000")
    func sizes() {
        #expect(ByteSizeText.parse("16GiB") == 16 << 30)
        #expect(ByteSizeText.parse("64mib") == 64 << 20)
        #expect(ByteSizeText.parse("500 MB") == 500_000_000)
        #expect(ByteSizeText.parse("4096") == 4096)
        for bad in ["", "GiB", "1.5GiB", "-1", "8EiB", "99999999999TiB"] { #expect(ByteSizeText.parse(bad) == nil) }
        #expect(ByteSizeText.text(16 << 30) == "16GiB")
        #expect(ByteSizeText.text(1500) == "1500B")
    }

    @Test("DataKit's booleans: all but six texts are true")
    func datakitBooleans() {
        for text in ["", "f", "false", "FALSE", "False", "0"] { #expect(!BooleanText.datakit(text)) }
        for text in ["true", "1", "t", "no", "off", "F", "fALSE", "00", " ", "yes", "x"] {
            #expect(BooleanText.datakit(text))
        }
    }

    @Test("our booleans: other texts are refused")
    func booleans() {
        for text in ["true", "TRUE", "yes", "on", "1", "t"] { #expect(BooleanText.parse(text) == true) }
        for text in ["false", "False", "no", "off", "0", "f"] { #expect(BooleanText.parse(text) == false) }
        for text in ["", "2", "maybe", " true"] { #expect(BooleanText.parse(text) == nil) }
    }

    @Test("addresses")
    func addresses() {
        #expect(ListenAddress("127.0.0.1:9529") == ListenAddress(host: "127.0.0.1", port: 9529))
        #expect(ListenAddress("[::1]:0") == ListenAddress(host: "::1", port: 0))
        #expect(ListenAddress("[::1]:80")?.description == "[::1]:80")
        #expect(ListenAddress(":9529")?.isLoopback == false)
        for loopback in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"] {
            #expect(ListenAddress(loopback)?.isLoopback == true)
        }
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.com:1"] {
            #expect(ListenAddress(open)?.isLoopback == false)
        }
        for bad in ["", "9529", "a:", "a:b", "a:65536", "::1:80", "[a]:80", "/run/x.sock", "http://a:80", "a:+1"] {
            #expect(ListenAddress(bad) == nil, "\(bad)")
        }
        #expect(ListenAddress(host: "a", port: 9540).movedPort(by: 3)?.port == 9543)
        #expect(ListenAddress(host: "a", port: 0).movedPort(by: 3)?.port == 0)
        #expect(ListenAddress(host: "a", port: 65535).movedPort(by: 1) == nil)
    }

    @Test("the nearest word counts swapped letters as one edit")
    func nearestWord() {
        #expect(NearestWord.edits("windwo", "window") == 1)
        #expect(NearestWord.edits("", "abc") == 3)
        #expect(NearestWord.of("sample_rate", in: ["window", "sampling_rate", "fsync"]) == "sampling_rate")
    }

    @Test("a secret shows itself nowhere")
    func secret() {
        let secret = Secret("tkn_abc")
        var dumped = ""
        dump([secret], to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), String(describing: [secret]), dumped] {
            #expect(!text.contains("tkn_abc"))
        }
        #expect(
            Secret.hidden(in: "https://u:p@h:1/x?token=tkn&a=b,http://h2?k=v rest")
                == "https://(hidden)@h:1/x?token=(hidden)&a=(hidden),http://h2?k=(hidden) rest")
        #expect(Secret.hidden(in: "20s") == "20s")
    }
}
