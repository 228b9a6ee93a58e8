import GRDB
import Linking
import Shared

/// Spans of a segment that fulfil a plan.
struct SpanMask {
    /// 1 for each span that does, or may.
    var bits: [UInt8]
    /// Whether the ones do for sure; zeros never do.
    var isExact: Bool

    static func all(_ count: Int, isExact: Bool) -> SpanMask {
        SpanMask(bits: Array(repeating: 1, count: count), isExact: isExact)
    }

    static func none(_ count: Int) -> SpanMask { SpanMask(bits: Array(repeating: 0, count: count), isExact: true) }

    var isEmpty: Bool { !bits.contains(1) }

    mutating func formAnd(_ other: SpanMask) {
        for index in bits.indices { bits[index] &= other.bits[index] }
        isExact = isExact && other.isExact
    }

    mutating func formOr(_ other: SpanMask) {
        for index in bits.indices { bits[index] |= other.bits[index] }
        isExact = isExact && other.isExact
    }

    func inverted() -> SpanMask {
        guard isExact else { return .all(bits.count, isExact: false) }
        return SpanMask(bits: bits.map { $0 ^ 1 }, isExact: true)
    }
}

/// Evaluates plans on the columns of one segment.
struct SegmentSearch {
    let segment: StoredSegment
    let reader: SegmentReader
    let db: Database

    func mask(_ plan: SearchPlan) throws -> SpanMask {
        switch plan {
        case .all: return .all(segment.spans, isExact: true)
        case .none: return .none(segment.spans)
        case .maybe: return .all(segment.spans, isExact: false)
        case .and(let parts): return try all(parts)
        case .or(let parts):
            var mask = SpanMask.none(segment.spans)
            for part in parts { mask.formOr(try self.mask(part)) }
            return mask
        case .not(let part): return try mask(part).inverted()
        case .duration(let range): return try durations(range)
        case .root(let part): return try roots(part)
        case .resources(let ids):
            return try column(ColumnID.resource) { bytes in
                bytes.count == 4
                    && ids.contains(bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) })
            } prints: { nil }
        case .column(let id, let test):
            return try attribute(id, test)
        }
    }

    private func all(_ parts: [SearchPlan]) throws -> SpanMask {
        var mask = SpanMask.all(segment.spans, isExact: true)
        for part in parts {
            mask.formAnd(try self.mask(part))
            if mask.isEmpty { return .none(segment.spans) }
        }
        return mask
    }

    private func durations(_ range: ClosedRange<UInt32>) throws -> SpanMask {
        guard range.lowerBound <= segment.longest else { return .none(segment.spans) }
        let low = range.lowerBound
        let high = range.upperBound
        let bits = try reader.durations(of: segment, db).map { ($0 >= low ? 1 : 0) & ($0 <= high ? 1 : 0) as UInt8 }
        return SpanMask(bits: bits, isExact: true)
    }

    /// Spreads what holds for the root over its trace. A piece without the root, or with another piece, may be any.
    private func roots(_ plan: SearchPlan) throws -> SpanMask {
        let inner = try mask(plan)
        var bits = [UInt8](repeating: 0, count: segment.spans)
        for entry in try reader.piece(of: segment, db).directory.entries
        where inner.bits[entry.root] == 1 || entry.continues || !entry.hasRoot {
            for index in entry.first..<entry.first + entry.count { bits[index] = 1 }
        }
        return SpanMask(bits: bits, isExact: false)
    }

    private func attribute(_ id: UInt32, _ test: ColumnTest) throws -> SpanMask {
        if test.comparison == .absent {
            var present = test
            present.comparison = .exists
            return try attribute(id, present).inverted()
        }
        return try column(id) { test.holds($0) } prints: { test.comparison == .exists ? [] : test.prints }
    }

    /// - Parameters:
    ///   - holds: decides a value that the column keeps.
    ///   - prints: fingerprints to look for; nil: cannot be told, so every value may do; none: every value does.
    private func column(
        _ id: UInt32, holds: ([UInt8]) -> Bool, prints: () -> [UInt16]?
    ) throws -> SpanMask {
        guard let column = try reader.column(id, of: segment, db) else {
            return segment.isFullyIndexed ? .none(segment.spans) : .all(segment.spans, isExact: false)
        }
        switch column.form {
        case .values(let values, let codes):
            var table = [UInt8](repeating: 0, count: 256)
            var holdsAny = false
            for (index, value) in values.enumerated() where holds(value) {
                table[index + 1] = 1
                holdsAny = true
            }
            guard holdsAny else { return .none(segment.spans) }
            return SpanMask(bits: codes.map { table[Int($0)] }, isExact: true)
        case .prints(let found):
            guard let wanted = prints() else { return SpanMask(bits: found.map { $0 == 0 ? 0 : 1 }, isExact: false) }
            guard let first = wanted.first else { return SpanMask(bits: found.map { $0 == 0 ? 0 : 1 }, isExact: true) }
            let second = wanted.count > 1 ? wanted[1] : first
            return SpanMask(bits: found.map { $0 == first || $0 == second ? 1 : 0 }, isExact: false)
        }
    }
}
