/// Names of fields that must not be stored (DESIGN 12), compared without regard to ASCII case.
struct FieldDenyList: Sendable {
    private let names: [[UInt8]]
    /// The quick test that comes before `holds`.
    let hints: FieldDenyHints

    init(_ names: [String]) {
        self.names = names.filter { !$0.isEmpty }.map { name in name.utf8.map(Self.lowered) }
        hints = FieldDenyHints(self.names)
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    @inline(never) func holds(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> Bool {
        names.contains { name in
            name.count == length
                && name.indices.allSatisfy { index in
                    name[index] == Self.lowered(base.load(fromByteOffset: start + index, as: UInt8.self))
                }
        }
    }

    /// True when a field of the point has a listed name. The point parses.
    @inline(never) func isInPoint(_ base: UnsafeRawPointer, _ range: Range<Int>) -> Bool {
        var found = false
        PointFields.forEach(base, range) { field in
            if holds(base, field.keyStart, field.keyLength) { found = true }
        }
        return found
    }

    /// The body without the listed fields and without points that do not parse, and how many fields were removed.
    ///
    /// - Complexity: O(bytes); the result is not longer than the body.
    func stripped(_ body: UnsafeRawBufferPointer) -> (body: [UInt8], removed: Int) {
        var output: [UInt8] = []
        var removed = 0
        guard let base = body.baseAddress else { return (output, 0) }
        output.reserveCapacity(body.count)
        var point: [UInt8] = []
        var reader = WireReader(base, from: 0, to: body.count)
        while !reader.isAtEnd {
            guard let tag = reader.varint() else { break }
            guard tag == UInt64(Wire.point) else {
                guard reader.skip(tag: tag) else { break }
                continue
            }
            guard let range = reader.lengthDelimited() else { break }
            point.removeAll(keepingCapacity: true)
            guard let count = appendStripped(base, range, to: &point) else { continue }
            removed += count
            output.append(Wire.point)
            Wire.appendVarint(UInt64(point.count), to: &output)
            output.append(contentsOf: point)
        }
        return (output, removed)
    }

    /// Copies one point; returns how many fields were left out, nil when it does not parse.
    private func appendStripped(_ base: UnsafeRawPointer, _ range: Range<Int>, to point: inout [UInt8]) -> Int? {
        var removed = 0
        var reader = WireReader(base, from: range.lowerBound, to: range.upperBound)
        var field = RawField()
        while !reader.isAtEnd {
            let start = reader.position
            guard let tag = reader.varint() else { return nil }
            if tag == UInt64(Wire.field) {
                guard let bytes = reader.lengthDelimited(),
                    field.readAny(base, from: bytes.lowerBound, to: bytes.upperBound)
                else { return nil }
                if holds(base, field.keyStart, field.keyLength) {
                    removed += 1
                    continue
                }
            } else if !reader.skip(tag: tag) {
                return nil
            }
            point.append(contentsOf: UnsafeRawBufferPointer(start: base + start, count: reader.position - start))
        }
        return removed
    }
}

/// A test of two words that nearly every key fails: by its length, and by its first and last letter.
struct FieldDenyHints: Sendable {
    private let lengths: UInt64
    private let letters: UInt64
    /// A field that linking reads is on the list, so every point is looked through.
    let holdsLinkField: Bool

    init(_ names: [[UInt8]]) {
        let linkFields = FieldKey.allCases.map { key in key.name.withUTF8Buffer { Array($0) } }
        holdsLinkField = names.contains { linkFields.contains($0) }
        lengths = names.reduce(0) { $0 | KeyLengths.bit($1.count) }
        letters = names.reduce(0) { $0 | Self.bit($1.first ?? 0, $1.last ?? 0) }
    }

    /// Bit 5 of a letter is its case, so both cases give one bit.
    @inline(__always) private static func bit(_ first: UInt8, _ last: UInt8) -> UInt64 {
        1 &<< (UInt64(first | 0x20) &* 3 &+ UInt64(last | 0x20))
    }

    /// `length` is at least 1.
    @inline(__always) func mayHold(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> Bool {
        guard lengths & KeyLengths.bit(length) != 0 else { return false }
        let first = base.load(fromByteOffset: start, as: UInt8.self)
        return letters & Self.bit(first, base.load(fromByteOffset: start &+ length &- 1, as: UInt8.self)) != 0
    }
}
