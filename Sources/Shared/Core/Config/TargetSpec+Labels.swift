/// The names of targets in metrics, the ledger and logs: without secrets, and alike in router and workers.
extension TargetSpec {
    /// What kind of target it is.
    public var kind: String {
        switch self {
        case .file: "file"
        case .standardOutput: "stdout"
        case .dataway: "dataway"
        case .otlp: "otlp"
        }
    }

    /// A label for each target: its kind; the second of a kind is `kind-2`, and so on. No target at all is "none".
    public static func labels(of targets: [TargetSpec]) -> [String] {
        if targets.isEmpty { return ["none"] }
        var counts: [String: Int] = [:]
        return targets.map { target in
            counts[target.kind, default: 0] += 1
            let count = counts[target.kind] ?? 1
            return count == 1 ? target.kind : "\(target.kind)-\(count)"
        }
    }
}
