import Linking
import Shared

#if canImport(Glibc)
import Glibc
#endif

/// The cost of the linking pass alone: partial graphs, merge, verdicts, in memory, on one thread.
///
///     linking-bench [--require 'ns<=200'] [--epochs N] [--passes N] FILE
///
/// FILE: `.pb` (PBPoints, as `ebpftrace-bench generate` writes it) or `.lp` (line protocol).
///
/// Prints CPU nanoseconds a span of each stage, the smallest of some passes (3), bytes a span, and what came out.
/// Exit 1 when a span has no verdict or a truth about the data does not hold.
@main
struct LinkingBench {
    private struct Options {
        var bound = Double.infinity
        var epochs = LinkingLoad.epochCount
        var passes = 3
        var path = ""

        /// Nil when the arguments are none of ours.
        init?(_ arguments: [String]) {
            var rest = arguments[...]
            while let name = rest.popFirst() {
                guard name.hasPrefix("--") else {
                    guard path.isEmpty else { return nil }
                    path = name
                    continue
                }
                guard let value = rest.popFirst() else { return nil }
                switch name {
                case "--require" where value.hasPrefix("ns<="):
                    guard let number = Double(value.dropFirst(4)) else { return nil }
                    bound = number
                case "--epochs": epochs = Int(value) ?? 0
                case "--passes": passes = Int(value) ?? 0
                default: return nil
                }
            }
            guard epochs > 0, passes > 0 else { return nil }
        }
    }

    static func main() {
        guard let options = Options(Array(CommandLine.arguments.dropFirst())), let bytes = map(options.path)
        else { fail("usage: linking-bench [--require 'ns<=X'] [--epochs N] [--passes N] FILE.pb|FILE.lp", code: 64) }
        let load = LinkingLoad(bytes: bytes, isText: options.path.hasSuffix(".lp"), epochCount: options.epochs)
        guard load.spanCount > 0 else { fail("\(options.path) holds no points", code: 65) }
        let total = report(load, options.passes, closesByTime: true)
        _ = report(load, options.passes, closesByTime: false)
        if total > options.bound { fail("linking takes \(Int(total)) ns a span, more than \(options.bound)", code: 1) }
    }

    /// Runs the passes and prints their best; nanoseconds a span of all stages.
    private static func report(_ load: LinkingLoad, _ passes: Int, closesByTime: Bool) -> Double {
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
        if best.rows != load.spanCount || best.violations > 0 {
            fail("\(best.rows) of \(load.spanCount) spans have a verdict, \(best.violations) violations", code: 1)
        }
        return Double(best.nanoseconds) / count
    }

    static func fail(_ text: String, code: Int32) -> Never {
        let line = Array("linking-bench: \(text)\n".utf8)
        _ = write(2, line, line.count)
        exit(code)
    }

    /// The bytes of a file, read by the kernel as they are wanted.
    private static func map(_ path: String) -> UnsafeRawBufferPointer? {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let size = Int(lseek(file, 0, SEEK_END))
        guard size > 0, let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), start != MAP_FAILED else {
            return nil
        }
        return UnsafeRawBufferPointer(start: start, count: size)
    }
}
