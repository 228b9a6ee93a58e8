import Shared

/// Epochs in which own rows were lost, and why, until they are settled. Pure.
///
/// Few: one entry for each damaged part of a log or refused graph. Bounded: beyond, the rows are lost all the same, as
/// `DropReason.noVerdict`.
struct EpochLosses: Sendable {
    /// Most entries.
    private static let limit = 1024

    private var entries: [(epochs: ClosedRange<UInt64>, reason: String)] = []

    init() {}

    /// Notes a loss; the same one again changes nothing. O(entries).
    mutating func add(_ epochs: ClosedRange<UInt64>, _ reason: String) {
        guard entries.count < Self.limit, !entries.contains(where: { $0.epochs == epochs && $0.reason == reason })
        else { return }
        entries.append((epochs, reason))
    }

    /// Notes that rows of an epoch have no end; a loss that covers the epoch explains it. O(entries).
    mutating func addUnknown(_ epoch: UInt64) {
        guard !entries.contains(where: { $0.epochs.contains(epoch) }) else { return }
        // Beyond the limit as well: rows that were given up must be told.
        entries.append((epoch...epoch, DropReason.noVerdict))
    }

    /// Takes out the epochs up to and including one, in the order in which they were noted. O(entries).
    mutating func take(through epoch: UInt64) -> [(epochs: ClosedRange<UInt64>, reason: String)] {
        guard !entries.isEmpty else { return [] }
        var taken: [(epochs: ClosedRange<UInt64>, reason: String)] = []
        var rest: [(epochs: ClosedRange<UInt64>, reason: String)] = []
        for entry in entries {
            if entry.epochs.lowerBound > epoch {
                rest.append(entry)
                continue
            }
            taken.append((entry.epochs.lowerBound...min(epoch, entry.epochs.upperBound), entry.reason))
            if entry.epochs.upperBound > epoch { rest.append((epoch + 1...entry.epochs.upperBound, entry.reason)) }
        }
        entries = rest
        return taken
    }
}
