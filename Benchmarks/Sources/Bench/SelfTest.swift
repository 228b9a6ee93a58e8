import Glibc
import LoadModel
import LoadNet

/// Checks the measuring instruments against each other, without the product.
///
/// A measurement that cannot fail says nothing.
enum SelfTest {
    /// Prints each check; true when all hold.
    static func run(_ options: Options) -> Bool {
        var holds = true
        func check(_ name: String, _ condition: Bool, _ detail: String = "") {
            print((condition ? "ok    " : "FAILED ") + name + (detail.isEmpty ? "" : ": \(detail)"))
            if !condition { holds = false }
        }
        for profile in Profile.allCases { generator(profile, options, check) }
        transport(options, check)
        var few = options.load
        few.spanCount = min(few.spanCount, 100_000)
        OTLPSinkTest.run(few, check)
        shop(check)
        return holds
    }

    /// What fills the store is OTLP as the sink reads it.
    private static func shop(_ check: Check) {
        guard let sink = SpanSink(.otlp) else { return check("a socket on 127.0.0.1", false, "") }
        let sent = StoreFiller(ShopTraces(start: 1_760_000_000_000_000_000), count: 5_000)
            .run(port: sink.port, connections: 4)
        let received = sink.soFar()
        sink.stop()
        check("traces of the shop: the OTLP sink reads every span",
              sent.failures == 0 && received.spans == 5_000 * ShopTraces.spansPerTrace && received.unreadable == 0,
              "\(received.spans)")
    }

    private typealias Check = (String, Bool, String) -> Void

    private static func generator(_ profile: Profile, _ options: Options, _ check: Check) {
        var settings = options.load
        settings.profile = profile
        settings.spanCount = min(settings.spanCount, 500_000)
        let begin = monotonicNanoseconds()
        let (truth, bytes, hash) = generate(settings)
        let seconds = Double(monotonicNanoseconds() - begin) / 1e9
        check("\(profile): at least 500,000 spans a second", Double(truth.count) / seconds >= 500_000,
              "\(fixed(Double(truth.count) / seconds, 0))")
        let mean = Double(bytes) / Double(truth.count)
        let expected = profile == .plain ? 590.0...670.0 : 970.0...1090.0
        check("\(profile): bytes a point", expected.contains(mean), fixed(mean, 0))
        check("\(profile): identities are unique", Set(truth.identities).count == truth.count, "\(truth.count)")
        let twins = truth.count - Set(truth.timeIdentities).count
        check("\(profile): spans known by their times, too, but for one in 100,000",
              twins * 100_000 <= truth.count, "\(twins) of \(truth.count)")
        check("\(profile): equal seeds give equal bytes", generate(settings).2 == hash, "")
        let perTrace = Double(truth.count) / Double(truth.traceCount)
        check("\(profile): 8 to 14 spans a trace", (8.0...14.0).contains(perTrace), fixed(perTrace, 1))
    }

    private static func generate(_ settings: LoadSettings) -> (Truth, Int, UInt64) {
        let queue = BodyQueue(capacity: 1)
        var bytes = 0
        var hash: UInt64 = 0
        func take(_ body: BodyBuffer) {
            bytes += body.count
            for byte in body.body.suffix(64) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            queue.release(body)
        }
        let generator = LoadGenerator(settings: settings, makeBuffer: { queue.buffer() })
        while generator.step(take) {}
        generator.finish(take)
        return (generator.truth, bytes, hash)
    }

    /// The sink plays the agents' endpoint: everything must arrive, and the check must notice that nothing is linked.
    private static func transport(_ options: Options, _ check: Check) {
        guard let sink = SpanSink(.dataway) else { return check("a socket on 127.0.0.1", false, "") }
        let queue = BodyQueue(capacity: 64)
        var settings = options.load
        settings.spanCount = min(settings.spanCount, 300_000)
        let begin = monotonicNanoseconds()
        let sender = LoadSender(port: sink.port, connections: options.connections, queue: queue)
        let truth = Producer(settings: settings, pace: 0, agentFlush: 0, queue: queue).run()
        let sent = sender.finish()
        let seconds = Double(monotonicNanoseconds() - begin) / 1e9
        let received = sink.soFar()
        sink.stop()
        check("every body is answered with 200", sent.failures == 0 && sent.spans == truth.count,
              "\(sent.bodies) bodies")
        check("every span arrives", received.spans == truth.count && received.unreadable == 0,
              "\(received.spans) in \(fixed(seconds, 2)) s")
        let report = sink.check(truth, samplingRate: 1)
        check("no span is unknown, missing or doubled", report.unknown + report.missing + report.duplicates == 0, "")
        check("spans without ids count as wrong", report.wrongParents == truth.count, "\(report.wrongParents)")
        check("one trace id for all counts as mixed", report.mixedTraces == 1, "")
        TruthCheckTest.run(truth, check)
    }
}
