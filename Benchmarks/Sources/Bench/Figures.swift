/// What was measured, by name: for `--json` and `--require`.
struct Figures {
    var named: [(name: String, value: Double)]

    /// The figures as one JSON object.
    func json() -> String {
        "{" + named.map { "\"\($0.name)\":\(fixed($0.value, 4))" }.joined(separator: ",") + "}\n"
    }

    /// Sentences about the requirements that do not hold.
    func breaches(_ requirements: [String]) -> [String] {
        requirements.compactMap { text in
            let isUpper = text.contains("<=")
            let parts = text.split(whereSeparator: { "<>=".contains($0) })
            guard parts.count == 2, isUpper || text.contains(">="), let bound = Double(parts[1]) else {
                return "\(text): write NAME<=X or NAME>=X"
            }
            guard let value = named.first(where: { $0.name == parts[0] })?.value else {
                return "\(text): not measured"
            }
            return (isUpper ? value <= bound : value >= bound) ? nil : "\(text): it is \(fixed(value, 3))"
        }
    }
}
