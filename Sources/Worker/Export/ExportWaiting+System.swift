import Glibc

extension ExportWaiting {
    /// The machine's clocks and random numbers.
    static let system = ExportWaiting(
        sleep: { try await Task.sleep(for: $0) },
        random: { Double.random(in: 0..<1) },
        now: { ContinuousClock.now },
        unixSeconds: { Int64(time(nil)) })
}
