/// What a receiver answered to one body.
struct HTTPAnswer: Sendable {
    var status: Int
    /// Value of `Retry-After`, as sent.
    var retryAfter: String?
    /// The first bytes of the answer's body.
    var body: [UInt8]

    init(status: Int, retryAfter: String? = nil, body: [UInt8] = []) {
        self.status = status
        self.retryAfter = retryAfter
        self.body = body
    }
}

/// What an answer means to one kind of receiver. Pure.
protocol DeliveryRules: Sendable {
    /// - Parameter unixSeconds: now, for a `Retry-After` that is a date.
    func decision(_ answer: HTTPAnswer, unixSeconds: Int64) -> DeliveryDecision
}

/// Dataway's and DataKit's rules.
struct DatawayRules: DeliveryRules {
    func decision(_ answer: HTTPAnswer, unixSeconds: Int64) -> DeliveryDecision {
        DeliveryDecision(answer, unixSeconds: unixSeconds)
    }
}

/// What to do with a body after an answer. Pure. `init` holds Dataway's rules:
///
///     2xx                          done
///     408, 429, 5xx, 1xx, 3xx      keep and retry; `Retry-After` is obeyed
///     other 4xx                    drop, counted as http_<status>; 403 with "beyondDataUsage" raises the gauge
///     no answer, time-out          keep and retry (the caller's case: there is no answer to look at)
enum DeliveryDecision: Equatable, Sendable {
    case done
    /// Taken but for some spans, which the receiver does not want again; its words for the log.
    case partly(rejected: Int, message: String)
    case drop(ExportDropReason, isBeyondDataUsage: Bool)
    case retry(reason: String, after: Duration?)

    /// - Parameter unixSeconds: now, for a `Retry-After` that is a date.
    init(_ answer: HTTPAnswer, unixSeconds: Int64) {
        switch answer.status {
        case 200..<300:
            self = .done
        case 408, 429, ..<400, 500...:
            let after = answer.retryAfter.flatMap { RetryAfter.parse($0, unixSeconds: unixSeconds) }
            self = .retry(reason: "http_\(answer.status)", after: after)
        default:
            let isBeyond = answer.status == 403 && DeliveryDecision.contains(answer.body, "beyondDataUsage")
            self = .drop(.status(answer.status), isBeyondDataUsage: isBeyond)
        }
    }

    private static func contains(_ bytes: [UInt8], _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        let word = UnsafeBufferPointer(start: word.utf8Start, count: count)
        return (0...bytes.count - count).contains { bytes[$0..<$0 + count].elementsEqual(word) }
    }
}

/// The header `Retry-After`: seconds, or a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
enum RetryAfter {
    /// Nil for what is neither, or lies in the past.
    static func parse(_ text: String, unixSeconds: Int64) -> Duration? {
        let trimmed = text.drop { $0 == " " }.prefix(64)
        let words = trimmed.split(separator: " ")
        if words.count == 1, let seconds = Int64(words[0]) {
            return seconds >= 0 ? .seconds(min(seconds, 86_400)) : nil
        }
        guard let date = date(trimmed) else { return nil }
        return date > unixSeconds ? .seconds(min(date - unixSeconds, 86_400)) : nil
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func date(_ text: Substring) -> Int64? {
        let pieces = text.split(separator: " ")
        guard pieces.count == 6, let day = Int64(pieces[1]), let month = months.firstIndex(of: String(pieces[2])),
            let year = Int64(pieces[3]), (1970...9999).contains(year), (1...31).contains(day)
        else { return nil }
        let clock = pieces[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3, clock.allSatisfy({ (0...60).contains($0) }) else { return nil }
        // Days since 1970, with years that begin in March.
        let shiftedYear = month < 2 ? year - 1 : year
        let shiftedMonth = Int64(month < 2 ? month + 10 : month - 2)
        let dayOfYear = (153 * shiftedMonth + 2) / 5 + day - 1
        let days = shiftedYear * 365 + shiftedYear / 4 - shiftedYear / 100 + shiftedYear / 400 + dayOfYear - 719_468
        return days * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }
}
