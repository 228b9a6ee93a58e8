/// What a setting's text may say: its type, unit and range.
public enum SettingKind: Sendable {
    case duration(ClosedRange<Duration>)
    /// A share from 0 to 1.
    case rate
    case boolean
    case count(ClosedRange<Int>)
    case bytes(ClosedRange<Int>)
    case choice([String])
    case address
    case path
    case text
    /// Names separated by commas, or a list.
    case names
    /// `name=value` pairs separated by commas, or a map.
    case tags
    /// Targets of finished traces.
    case targets
    /// Addresses of other processes, `http://HOST:PORT`.
    case urls

    /// The word that stands for the value in `--help`.
    public var valueName: String {
        switch self {
        case .duration: "duration"
        case .rate: "rate"
        case .boolean: "true|false"
        case .count: "number"
        case .bytes: "size"
        case .choice(let choices): choices.joined(separator: "|")
        case .address: "host:port"
        case .path: "path"
        case .text: "text"
        case .names: "name,name"
        case .tags: "name=value,…"
        case .targets: "target"
        case .urls: "url"
        }
    }

    /// What a valid value looks like, as the end of "expected …" and the range column of the reference page.
    public var expectation: String {
        switch self {
        case .duration(let range):
            "a duration such as 20s, 2m or 500ms, from \(DurationText.text(range.lowerBound))"
                + " to \(DurationText.text(range.upperBound))"
        case .rate: "a number from 0 to 1"
        case .boolean: "true or false"
        case .count(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range):
            "a size such as 64MiB or 16GiB, from \(ByteSizeText.text(range.lowerBound))"
                + " to \(ByteSizeText.text(range.upperBound))"
        case .choice(let choices): "one of " + choices.joined(separator: ", ")
        case .address: "an address HOST:PORT such as 127.0.0.1:9529; port 0 takes any free port"
        case .path: "a path"
        case .text: "a text"
        case .names: "names separated by commas"
        case .tags: "pairs NAME=VALUE separated by commas"
        case .targets: "file:PATH, stdout, dataway:URL, otlp:URL or none"
        case .urls: "a URL such as http://127.0.0.1:9531"
        }
    }
}
