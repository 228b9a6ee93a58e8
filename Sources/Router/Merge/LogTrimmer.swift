/// Decides up to where the span log is not needed any more. Pure.
///
/// Payload goes once every target has ended with it. Facts stay for `late_window + max_trace_age + window` besides, so
/// that a merge that starts anew comes to the same traces.
struct LogTrimmer {
    /// Least bytes that are worth a trim: less than a segment is never freed.
    private static let step: UInt64 = 1 << 20

    /// Where the facts log ended when an epoch's mark was written, oldest first.
    private var marks: [(epoch: UInt64, end: UInt64)] = []
    private var trimmedFacts: UInt64 = 0
    private var trimmedPayload: UInt64 = 0

    init() {}

    /// Notes the newest mark.
    mutating func note(epoch: UInt64, end: UInt64) {
        if let last = marks.last, last.epoch >= epoch { return }
        marks.append((epoch, end))
    }

    /// What to trim now; nil when it is not worth it.
    ///
    /// - Parameters:
    ///   - lowWater: everything below has ended in every target.
    ///   - payload: the payload position that belongs to it.
    ///   - horizon: facts of older epochs are not needed by a merge that starts anew.
    mutating func due(lowWater: UInt64, payload: UInt64, horizon: UInt64) -> (facts: UInt64, payload: UInt64)? {
        var old: UInt64 = 0
        while let first = marks.first, first.epoch < horizon {
            old = first.end
            guard marks.count > 1, marks[1].epoch < horizon else { break }
            marks.removeFirst()
        }
        let facts = max(trimmedFacts, min(lowWater, old))
        guard facts >= trimmedFacts + Self.step || payload >= trimmedPayload + Self.step else { return nil }
        trimmedFacts = facts
        trimmedPayload = max(trimmedPayload, payload)
        return (trimmedFacts, trimmedPayload)
    }
}
