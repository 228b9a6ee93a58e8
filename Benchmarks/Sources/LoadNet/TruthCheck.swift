import LoadModel

/// How the exported spans compare with the answer key. Everything after `ambiguous` should be 0.
public struct TruthReport: Sendable, Equatable {
    public var keptSpans = 0
    public var keptTraces = 0
    /// Spans that share their identity with another one: that they came is checked, not how they are linked.
    public var ambiguous = 0
    /// Spans that no one sent.
    public var unknown = 0
    /// Spans that came again.
    public var duplicates = 0
    /// Spans missing from a trace of which others came; at sampling 1 every missing span.
    public var missing = 0
    /// Spans whose parent is another than the true one, or none.
    public var wrongParents = 0
    /// True traces whose spans carry several trace ids.
    public var splitTraces = 0
    /// Trace ids that stand for several true traces.
    public var mixedTraces = 0
    /// 1 when the share of kept traces is more than five deviations away from the sampling rate.
    public var implausibleShare = 0

    public init() {}

    /// Sum of everything that should be 0.
    public var wrong: Int {
        unknown + duplicates + missing + wrongParents + splitTraces + mixedTraces + implausibleShare
    }
}

/// Holds the exported spans against the truth. O(spans), about 40 bytes a span.
struct TruthCheck {
    private let truth: Truth
    private let rate: Double
    private var report = TruthReport()
    private var spanIDs: [UInt64]
    private var parentIDs: [UInt64]
    private var traceHashes: [UInt64]
    private var isKept: [Bool]
    /// Indices of the spans of an identity, where there are several; and whether a span is one of those.
    private var twins: [UInt64: [Int]] = [:]
    private var isTwin: [Bool]

    /// - Parameters:
    ///   - form: how the spans came, and so by what they are known.
    ///   - rate: the sampling rate the product ran with.
    static func compare(
        _ received: [[ExportedSpan]], as form: SinkForm, with truth: Truth, samplingRate rate: Double
    ) -> TruthReport {
        var check = TruthCheck(truth: truth, rate: rate)
        check.take(received, by: form == .otlp ? truth.timeIdentities : truth.identities)
        check.checkParents()
        check.checkTraces()
        return check.report
    }

    private init(truth: Truth, rate: Double) {
        self.truth = truth
        self.rate = rate
        let zeros = [UInt64](repeating: 0, count: truth.count)
        spanIDs = zeros
        parentIDs = zeros
        traceHashes = zeros
        isKept = Array(repeating: false, count: truth.count)
        isTwin = isKept
    }

    private mutating func take(_ received: [[ExportedSpan]], by identities: [UInt64]) {
        let indices = index(identities)
        for span in received.joined() {
            let twin = twins.isEmpty ? nil : twins[span.identity]?.first { !isKept[$0] }
            guard let index = twin ?? indices[span.identity].map(Int.init) else {
                report.unknown += 1
                continue
            }
            guard !isKept[index] else {
                report.duplicates += 1
                continue
            }
            isKept[index] = true
            spanIDs[index] = span.spanID
            parentIDs[index] = span.parentID
            traceHashes[index] = span.traceHash
            report.keptSpans += 1
        }
    }

    private mutating func index(_ identities: [UInt64]) -> [UInt64: Int32] {
        var indices: [UInt64: Int32] = [:]
        indices.reserveCapacity(truth.count)
        for (index, identity) in identities.enumerated() {
            guard let other = indices.updateValue(Int32(index), forKey: identity) else { continue }
            twins[identity, default: [Int(other)]].append(index)
        }
        for index in twins.values.joined() { isTwin[index] = true }
        report.ambiguous = isTwin.count { $0 }
        return indices
    }

    private mutating func checkParents() {
        for index in 0..<truth.count where isKept[index] && !isTwin[index] {
            let parent = truth.parents[index]
            if parent != Truth.noParent, isTwin[Int(parent)] { continue }
            let expected = parent == Truth.noParent ? 0 : spanIDs[Int(parent)]
            let isParentKept = parent == Truth.noParent || isKept[Int(parent)]
            if !isParentKept || spanIDs[index] == 0 || parentIDs[index] != expected { report.wrongParents += 1 }
        }
    }

    private mutating func checkTraces() {
        var traceOfHash: [UInt64: UInt32] = [:]
        var mixed: Set<UInt64> = []
        var first = 0
        while first < truth.count {
            let trace = truth.traces[first]
            var end = first
            while end < truth.count, truth.traces[end] == trace { end += 1 }
            let kept = (first..<end).filter { isKept[$0] }
            if !kept.isEmpty || rate >= 1 { report.missing += end - first - kept.count }
            if !kept.isEmpty { report.keptTraces += 1 }
            let sure = kept.filter { !isTwin[$0] }
            if let some = sure.first {
                if sure.contains(where: { traceHashes[$0] != traceHashes[some] }) { report.splitTraces += 1 }
                for hash in Set(sure.map { traceHashes[$0] }) {
                    if let other = traceOfHash.updateValue(trace, forKey: hash), other != trace { mixed.insert(hash) }
                }
            }
            first = end
        }
        report.mixedTraces = mixed.count
        checkShare()
    }

    /// The sampling decision is a hash of the trace id, so the number of kept traces is binomial.
    private mutating func checkShare() {
        guard rate > 0, rate < 1 else { return }
        let count = Double(truth.traceCount)
        let deviation = (count * rate * (1 - rate)).squareRoot()
        if abs(Double(report.keptTraces) - count * rate) > 5 * deviation + 1 { report.implausibleShare = 1 }
    }
}

extension SpanSink {
    /// Compares everything received so far with the truth.
    public func check(_ truth: Truth, samplingRate: Double) -> TruthReport {
        TruthCheck.compare(received(), as: form, with: truth, samplingRate: samplingRate)
    }
}
