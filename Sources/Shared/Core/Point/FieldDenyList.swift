/// Names of fields that must not be stored (DESIGN 12), compared without regard to ASCII case.
struct FieldDenyList: Sendable {
    private let names: [[UInt8]]
    /// Bit n: a name of n bytes is on the list; bit 63 stands for all longer ones.
    private let lengths: UInt64

    init(_ names: [String]) {
        self.names = names.filter { !$0.isEmpty }.map { name in name.utf8.map(Self.lowered) }
        lengths = self.names.reduce(0) { $0 | Self.bit($1.count) }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    @inline(__always) private static func bit(_ length: Int) -> UInt64 {
        1 &<< UInt64(truncatingIfNeeded: min(length, 63))
    }

    /// False for nearly every key, by its length alone.
    @inline(__always) func mayHold(length: Int) -> Bool { lengths & Self.bit(length) != 0 }

    @inline(never) func holds(_ base: UnsafeRawPointer, _ start: Int, _ length: Int) -> Bool {
        names.contains { name in
            name.count == length
                && name.indices.allSatisfy { index in
                    name[index] == Self.lowered(base.load(fromByteOffset: start + index, as: UInt8.self))
                }
        }
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
                    field.read(base, from: bytes.lowerBound, to: bytes.upperBound)
                else { return nil }
                if mayHold(length: field.keyLength), holds(base, field.keyStart, field.keyLength) {
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
