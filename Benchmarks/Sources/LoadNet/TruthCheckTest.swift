import LoadModel

/// Shows that the truth check finds each kind of fault, and none in a perfect export.
public enum TruthCheckTest {
    public static func run(_ truth: Truth, _ check: (String, Bool, String) -> Void) {
        let perfect = export(truth) { _ in true }
        check("check: a perfect export has no fault", fault(perfect, truth, 1) == TruthReport(), "")
        check("check: at sampling 0.1 it is implausible", fault(perfect, truth, 0.1).implausibleShare == 1, "")
        let tenth = export(truth) { RandomSource.mix(UInt64($0)) % 10 == 0 }
        check("check: a tenth of the traces is right at 0.1", fault(tenth, truth, 0.1) == TruthReport(), "")
        check("check: and incomplete at 1", fault(tenth, truth, 1).missing > 0, "")

        check("check: a missing span", fault(Array(perfect.dropLast()), truth, 1).missing == 1, "")
        check("check: a repeated span", fault(perfect + [perfect[7]], truth, 1).duplicates == 1, "")
        var changed = perfect
        changed[11].identity ^= 1
        check("check: an unknown span", fault(changed, truth, 1).unknown == 1, "")
        changed = perfect
        guard let child = perfect.firstIndex(where: { $0.parentID != 0 }) else { return }
        changed[child].parentID ^= 1
        check("check: a wrong parent", fault(changed, truth, 1).wrongParents == 1, "")
        changed = perfect
        changed[child].traceHash = 12_345
        check("check: a split trace", fault(changed, truth, 1).splitTraces == 1, "")
        changed = perfect.map { ExportedSpan(identity: $0.identity, spanID: $0.spanID, parentID: $0.parentID,
                                             traceHash: $0.traceHash == 1 ? 2 : $0.traceHash) }
        check("check: a mixed trace", fault(changed, truth, 1).mixedTraces == 1, "")
    }

    private static func export(_ truth: Truth, keeping: (UInt32) -> Bool) -> [ExportedSpan] {
        (0..<truth.count).filter { keeping(truth.traces[$0]) }.map { index in
            let parent = truth.parents[index]
            return ExportedSpan(
                identity: truth.identities[index], spanID: UInt64(index + 1),
                parentID: parent == Truth.noParent ? 0 : UInt64(parent) + 1, traceHash: UInt64(truth.traces[index]))
        }
    }

    /// The report without the counts that are no faults.
    private static func fault(_ spans: [ExportedSpan], _ truth: Truth, _ rate: Double) -> TruthReport {
        var report = TruthCheck.compare([spans], as: .dataway, with: truth, samplingRate: rate)
        report.keptSpans = 0
        report.keptTraces = 0
        return report
    }
}
