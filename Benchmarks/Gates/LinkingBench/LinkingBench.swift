import Linking
import Shared

#if canImport(Glibc)
import Glibc
#endif

/// The cost of the linking pass alone: partial graphs, merge, verdicts, in memory, on one thread.
///
///     linking-bench [--require 'ns<=200'] [--epochs N] FILE
///
/// FILE: `.pb` (PBPoints, as `ebpftrace-bench generate` writes it) or `.lp` (line protocol).
///
/// Prints CPU nanoseconds a span of each stage, the smallest of three passes, bytes a span, and what came out.
@main
struct LinkingBench {
    static let passes = 3

    static func main() {
        var arguments = Array(CommandLine.arguments.dropFirst())
        var bound = Double.infinity
        if arguments.first == "--require", arguments.count > 1 {
            guard arguments[1].hasPrefix("ns<="), let value = Double(arguments[1].dropFirst(4)) else {
                fail("write --require 'ns<=X'", code: 64)
            }
            bound = value
            arguments.removeFirst(2)
        }
        var epochs = LinkingLoad.epochCount
        if arguments.first == "--epochs", arguments.count > 1, let number = Int(arguments[1]), number > 0 {
            epochs = number
            arguments.removeFirst(2)
        }
        guard arguments.count == 1, let bytes = readWhole(arguments[0]) else {
            fail("usage: linking-bench [--require 'ns<=X'] [--epochs N] FILE.pb|FILE.lp", code: 64)
        }
        let load = LinkingLoad(bytes: bytes, isText: arguments[0].hasSuffix(".lp"), epochCount: epochs)
        guard load.spanCount > 0 else { fail("\(arguments[0]) holds no points", code: 65) }
        let total = report(load, closesByTime: true)
        _ = report(load, closesByTime: false)
        if total > bound { fail("linking takes \(Int(total)) ns a span, more than \(bound)", code: 1) }
    }

    /// Runs the passes and prints their best; nanoseconds a span of all stages.
    private static func report(_ load: LinkingLoad, closesByTime: Bool) -> Double {
        var best: LinkingPass?
        for _ in 0..<passes {
            let pass = LinkingPass.run(load, closesByTime: closesByTime)
            if pass.nanoseconds < best?.nanoseconds ?? .max { best = pass }
        }
        guard let best else { return 0 }
        let count = Double(load.spanCount)
        func perSpan(_ nanoseconds: Int) -> Int { Int((Double(nanoseconds) / count).rounded()) }
        print("""
            \(closesByTime ? "closing by window" : "everything at flush"): \(load.spanCount) spans, \
            \(load.epochs.count) epochs
              pair and encode  \(perSpan(best.encode)) ns
              decode and join  \(perSpan(best.insert)) ns
              close and link   \(perSpan(best.close)) ns
              verdict blocks   \(perSpan(best.verdicts)) ns
              all              \(perSpan(best.nanoseconds)) ns a span
              partial graphs   \(Double(best.graphBytes * 10 / load.spanCount) / 10) bytes a span
              open spans       \(best.recordBytes / max(1, best.openSpans)) record bytes a span at the peak
              traces kept \(best.kept), dropped \(best.dropped)
            """)
        return Double(best.nanoseconds) / count
    }

    static func fail(_ text: String, code: Int32) -> Never {
        let line = Array("linking-bench: \(text)\n".utf8)
        _ = write(2, line, line.count)
        exit(code)
    }

    private static func readWhole(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = fread(&part, 1, part.count, file)
            guard count > 0 else { return bytes }
            bytes += part[..<count]
        }
    }
}
