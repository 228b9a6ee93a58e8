import Linking

/// Where every span went: the equation that must hold for each (partition, epoch) and each target t,
///
///     accepted = exported{t} + dropped{t, reason} + dropped{every target, reason} + held{t}
///
/// A pure value. Counts come in batches (a commit, a verdict block, an answer of a target), never span by span. Epochs
/// that are settled are folded into the totals, so memory grows only with the epochs that still hold spans. A count
/// that comes for a folded epoch makes `held` negative, and is found by `checkBalance`.
public struct Ledger: Sendable, Equatable {
    /// One part of the log: the unit in which spans are accounted for.
    public struct Slice: Hashable, Comparable, Sendable {
        public var epoch: Epoch
        public var partition: PartitionID
        public init(_ partition: PartitionID, _ epoch: Epoch) {
            self.partition = partition
            self.epoch = epoch
        }
        public static func < (left: Self, right: Self) -> Bool {
            left.epoch != right.epoch ? left.epoch < right.epoch : left.partition < right.partition
        }
    }

    /// A target or a reason, by its small number in this ledger.
    public struct Name: Hashable, Sendable {
        var number: UInt16
        /// In place of a target: all of them.
        public static let everyTarget = Name(number: 0)
        /// In place of a reason: the span was exported.
        static let exported = Name(number: 0)
    }

    /// More spans left a slice than came in.
    public struct Violation: Hashable, Sendable, CustomStringConvertible {
        public var slice: Slice
        public var target: String
        public var accepted: UInt64
        public var resolved: UInt64
        public var description: String {
            "partition \(slice.partition), epoch \(slice.epoch), target \(target): \(resolved) of \(accepted) left"
        }
    }

    /// One line of the totals: spans that left for one reason.
    public struct Line: Hashable, Sendable {
        /// Empty: every target.
        public var target: String
        /// Nil: exported.
        public var reason: String?
        public var count: UInt64
    }

    struct Column: Hashable, Comparable, Sendable {
        var target: Name
        var reason: Name
        static func < (left: Self, right: Self) -> Bool {
            (left.target.number, left.reason.number) < (right.target.number, right.reason.number)
        }
    }

    struct Account: Sendable, Equatable {
        var accepted: UInt64 = 0
        /// Few entries: a list is faster than a table.
        var resolved: [(column: Column, count: UInt64)] = []

        static func == (left: Account, right: Account) -> Bool {
            left.accepted == right.accepted
                && Dictionary(left.resolved.map { ($0.column, $0.count) }, uniquingKeysWith: &+)
                    == Dictionary(right.resolved.map { ($0.column, $0.count) }, uniquingKeysWith: &+)
        }

        mutating func add(_ column: Column, _ count: UInt64) {
            if let index = resolved.firstIndex(where: { $0.column == column }) {
                resolved[index].count = resolved[index].count.plus(count)
            } else {
                resolved.append((column, count))
            }
        }

        /// Spans that left for a target, those that left for every target included.
        func resolved(for target: Name) -> UInt64 {
            resolved.reduce(0) {
                $1.column.target == target || $1.column.target == .everyTarget ? $0.plus($1.count) : $0
            }
        }
    }

    /// Names of targets and reasons; index 0 stands for "every target" and "exported".
    var targetNames = [""]
    var reasonNames = [""]
    var open: [Slice: Account] = [:]
    /// The account holders; nil: every target that was named.
    private var holders: [Name]?
    /// All that was ever counted in slices that are folded.
    var folded = Account()
    /// Violations that were found when their slice was folded.
    public internal(set) var violationCount: UInt64 = 0

    public init() {}

    // MARK: Names

    /// The number of a target, which is an account holder from then on: what is accepted is held for it.
    ///
    /// Fails with `.limit` beyond 65,535 names.
    public mutating func target(_ name: String) throws(Failure) -> Name { try Self.number(of: name, in: &targetNames) }

    /// The number of a reason. Fails with `.limit` beyond 65,535 names.
    public mutating func reason(_ name: String) throws(Failure) -> Name { try Self.number(of: name, in: &reasonNames) }

    private static func number(of name: String, in names: inout [String]) throws(Failure) -> Name {
        precondition(!name.isEmpty, "a target or reason has a name")
        if let index = names.firstIndex(of: name) { return Name(number: UInt16(index)) }
        guard names.count <= UInt16.max else {
            throw Failure(.limit, "the ledger knows too many names to add \(name); reasons must be few")
        }
        names.append(name)
        return Name(number: UInt16(names.count - 1))
    }

    /// The targets that hold accounts.
    public var targets: [Name] { holders ?? (1..<max(1, targetNames.count)).map { Name(number: UInt16($0)) } }

    // MARK: Counting

    /// Spans came into a slice. O(1).
    public mutating func accept(_ slice: Slice, _ count: UInt64) {
        guard count > 0 else { return }
        open[slice, default: Account()].accepted.add(count)
    }

    /// Spans of a slice reached a target. O(1).
    public mutating func export(_ slice: Slice, to target: Name, _ count: UInt64) {
        guard count > 0 else { return }
        open[slice, default: Account()].add(Column(target: target, reason: .exported), count)
    }

    /// Spans of a slice are given up, for one target or for `.everyTarget`. O(1).
    public mutating func drop(_ slice: Slice, for target: Name = .everyTarget, reason: Name, _ count: UInt64) {
        guard count > 0 else { return }
        open[slice, default: Account()].add(Column(target: target, reason: reason), count)
    }

    /// Makes some targets the only account holders, as after a change of the configuration.
    ///
    /// What removed targets got stays in the totals. What had ended before a target was added is dropped for it under
    /// `reason`: it is not exported again. Fails with `.limit`. O(open slices).
    public mutating func retarget(to names: [String], reason: String) throws(Failure) {
        let old = targets
        var new: [Name] = []
        for name in names { new.append(try target(name)) }
        holders = new
        let before = try self.reason(reason)
        for (slice, account) in open {
            let ended = old.map { account.resolved(for: $0) - account.resolved(for: .everyTarget) }.max() ?? 0
            for target in new where !old.contains(target) { drop(slice, for: target, reason: before, ended) }
            let isGone = { (column: Column) in column.target != .everyTarget && !new.contains(column.target) }
            for entry in account.resolved where isGone(entry.column) { folded.add(entry.column, entry.count) }
            open[slice]?.resolved.removeAll { isGone($0.column) }
        }
    }

    /// Drops all that is still held of some slices, for every account holder; returns how many spans, for the holder
    /// that had most. O(open slices).
    @discardableResult
    public mutating func settle(where isLost: (Slice) -> Bool, reason: Name) -> UInt64 {
        var dropped: UInt64 = 0
        for (slice, account) in open where isLost(slice) {
            let held = accountHolders.map { holder -> (holder: Name, spans: UInt64) in
                let resolved = account.resolved(for: holder)
                return (holder, account.accepted > resolved ? account.accepted - resolved : 0)
            }
            let common = held.map(\.spans).min() ?? 0
            drop(slice, reason: reason, common)
            for (holder, spans) in held where spans > common {
                drop(slice, for: holder, reason: reason, spans - common)
            }
            dropped.add(held.map(\.spans).max() ?? 0)
        }
        return dropped
    }

    // MARK: Asking

    /// Spans that came in, ever.
    public var accepted: UInt64 { open.values.reduce(folded.accepted) { $0.plus($1.accepted) } }

    /// Spans that are still held for a target, or for no target at all when none is named. O(open slices).
    public func held(for target: Name = .everyTarget) -> UInt64 {
        open.values.reduce(0) {
            let resolved = $1.resolved(for: target)
            return $0.plus($1.accepted > resolved ? $1.accepted - resolved : 0)
        }
    }

    /// Spans of one slice that are still held for a target; 0 for a slice that is folded.
    public func held(_ slice: Slice, for target: Name = .everyTarget) -> UInt64 {
        guard let account = open[slice] else { return 0 }
        let resolved = account.resolved(for: target)
        return account.accepted > resolved ? account.accepted - resolved : 0
    }

    /// What left, ever, by target and reason, in a fixed order. O(open slices).
    public var lines: [Line] {
        var sums = folded
        for account in open.values { for entry in account.resolved { sums.add(entry.column, entry.count) } }
        return sums.resolved
            .sorted { $0.column < $1.column }
            .map { entry in
                let reason = entry.column.reason
                return Line(
                    target: targetNames[Int(entry.column.target.number)],
                    reason: reason == .exported ? nil : reasonNames[Int(reason.number)], count: entry.count)
            }
    }

    /// The newest epoch with a slice that is not folded. O(open slices).
    public var newestOpenEpoch: Epoch? { open.keys.lazy.map(\.epoch).max() }

    /// How many slices are not folded.
    public var openSlices: Int { open.count }

    /// Where the equation does not hold: more left than came in. Empty when all is right. O(open slices).
    public func checkBalance() -> [Violation] {
        open.keys.sorted().flatMap { slice in open[slice].map { violations(slice, $0) } ?? [] }
    }

    private var accountHolders: [Name] { targets.isEmpty ? [.everyTarget] : targets }

    private func violations(_ slice: Slice, _ account: Account) -> [Violation] {
        accountHolders.compactMap { target in
            let resolved = account.resolved(for: target)
            if resolved <= account.accepted { return nil }
            return Violation(
                slice: slice, target: targetNames[Int(target.number)], accepted: account.accepted, resolved: resolved)
        }
    }

    /// Folds the slices up to an epoch that hold nothing any more; returns the violations among them, counted once.
    ///
    /// Slices that still hold spans stay open. O(open slices).
    public mutating func fold(through epoch: Epoch) -> [Violation] {
        var found: [Violation] = []
        for slice in open.keys.filter({ $0.epoch <= epoch }).sorted() {
            guard let account = open[slice],
                accountHolders.allSatisfy({ account.resolved(for: $0) >= account.accepted })
            else { continue }
            found += violations(slice, account)
            folded.accepted.add(account.accepted)
            for entry in account.resolved { folded.add(entry.column, entry.count) }
            open[slice] = nil
        }
        violationCount.add(UInt64(found.count))
        return found
    }
}

extension UInt64 {
    /// The sum, or the largest number: a counter that came from a damaged snapshot must not trap.
    fileprivate func plus(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    fileprivate mutating func add(_ other: UInt64) { self = plus(other) }
}
