import Shared

/// The rules of OTLP over HTTP. Pure.
///
///     2xx                    done; a partial success counts its rejected spans as dropped and is never sent again
///     429, 502, 503, 504     keep and retry; `Retry-After` is obeyed
///     all other              drop, counted as http_<status>: the specification forbids to send it again
///     no answer, time-out    keep and retry (the caller's case: there is no answer to look at)
struct OTLPRules: DeliveryRules {
    /// Most of a receiver's message that goes to the log, characters.
    static let messageMax = 200

    func decision(_ answer: HTTPAnswer, unixSeconds: Int64) -> DeliveryDecision {
        switch answer.status {
        case 200..<300:
            guard let partial = OTLPAnswer.partialSuccess(answer.body) else { return .done }
            let message = String(partial.message.prefix(Self.messageMax))
            return .partly(rejected: partial.rejected, message: message)
        case 429, 502, 503, 504:
            let after = answer.retryAfter.flatMap { RetryAfter.parse($0, unixSeconds: unixSeconds) }
            return .retry(reason: "http_\(answer.status)", after: after)
        default:
            return .drop(.status(answer.status), isBeyondDataUsage: false)
        }
    }
}
