/// The varying integers and digits of a point.
enum Slot: Int, CaseIterable {
    case bytesRead, bytesWritten, requestSequence, responseSequence, threadTraceID, thread, kernelTime, start, duration
    /// Five digits inside a text: the id in a route, the port a client chose.
    case routeID, clientPort
}

/// A point with holes: constant bytes, and between them the places where a number goes.
///
///     0A len2 | 0A 08 dketrace | 12 len 0A keylen key 10 varint | 12 len 0A keylen key 5A textlen text | … | 18 varint
///
/// Numbers are written as the shortest varint, as the agents' encoder does; only the length bytes before them are
/// patched. A field with a number is shorter than 128 bytes, a point longer than 127 and shorter than 16384 bytes,
/// so these lengths are always one and two bytes.
struct PointTemplate {
    private struct Hole {
        var constantEnd: Int
        var slot: Slot
        /// Bytes between the field's length byte and the number; 0: five digits, nothing to patch.
        var fieldHead: Int
    }

    private var constant: [UInt8] = []
    private var holes: [Hole] = []

    init(measurement: String) {
        constant += [0x0A, UInt8(measurement.utf8.count)] + Array(measurement.utf8)
    }

    /// Adds a text field; `value` may hold one hole for five digits, written `#`.
    mutating func text(_ key: String, _ value: String, digits: Slot? = nil) {
        let key = Array(key.utf8)
        let parts = value.utf8.split(separator: UInt8(ascii: "#"), omittingEmptySubsequences: false).map(Array.init)
        let length = parts.reduce(0) { $0 + $1.count } + (parts.count - 1) * 5
        let textLength = Self.varint(length)
        constant += [0x12] + Self.varint(2 + key.count + 1 + textLength.count + length)
        constant += [0x0A, UInt8(key.count)] + key + [0x5A] + textLength + parts[0]
        guard parts.count > 1, let digits else { return }
        holes.append(Hole(constantEnd: constant.count, slot: digits, fieldHead: 0))
        constant += parts[1]
    }

    /// Adds an integer field.
    mutating func integer(_ key: String, _ slot: Slot) {
        let key = Array(key.utf8)
        constant += [0x12, 0, 0x0A, UInt8(key.count)] + key + [0x10]
        holes.append(Hole(constantEnd: constant.count, slot: slot, fieldHead: key.count + 3))
    }

    /// Adds an integer field that is the same in every point; `value` must not be negative.
    mutating func constantInteger(_ key: String, _ value: Int) {
        let key = Array(key.utf8)
        let number = Self.varint(value)
        constant += [0x12, UInt8(3 + key.count + number.count), 0x0A, UInt8(key.count)] + key + [0x10] + number
    }

    /// Adds the time of the point, which ends it.
    mutating func time() { constant += [0x18] }

    /// Largest number of bytes `write` needs.
    var capacity: Int { 3 + constant.count + holes.count * 10 + 10 }

    /// Writes one entry of `PBPoints.arr` and returns the place after it. `slots` is indexed by `Slot.rawValue`.
    @inline(__always)
    func write(
        to start: UnsafeMutablePointer<UInt8>, slots: UnsafePointer<Int64>, time: Int64
    ) -> UnsafeMutablePointer<UInt8> {
        var output = start + 3
        var copied = 0
        constant.withUnsafeBufferPointer { constant in
            guard let base = constant.baseAddress else { return }
            for hole in holes {
                output.update(from: base + copied, count: hole.constantEnd &- copied)
                output += hole.constantEnd &- copied
                copied = hole.constantEnd
                let number = slots[hole.slot.rawValue]
                if hole.fieldHead == 0 {
                    output = Self.writeDigits(number, to: output)
                } else {
                    let end = Self.writeVarint(UInt64(bitPattern: number), to: output)
                    (output - hole.fieldHead - 1).pointee = UInt8(hole.fieldHead &+ (end - output))
                    output = end
                }
            }
            output.update(from: base + copied, count: constant.count &- copied)
            output += constant.count &- copied
        }
        output = Self.writeVarint(UInt64(bitPattern: time), to: output)
        let length = output - start - 3
        precondition(length > 127 && length < 16_384, "a point's length must take two bytes")
        start[0] = 0x0A
        start[1] = UInt8(truncatingIfNeeded: length) | 0x80
        start[2] = UInt8(truncatingIfNeeded: length &>> 7)
        return output
    }

    @inline(__always)
    private static func writeVarint(
        _ value: UInt64, to start: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        var output = start
        var value = value
        while value >= 0x80 {
            output.pointee = UInt8(truncatingIfNeeded: value) | 0x80
            output += 1
            value &>>= 7
        }
        output.pointee = UInt8(truncatingIfNeeded: value)
        return output + 1
    }

    /// Five digits; `number` is within 0 ..< 100,000.
    @inline(__always)
    private static func writeDigits(
        _ number: Int64, to start: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        var rest = UInt32(truncatingIfNeeded: number)
        for place in stride(from: 4, through: 0, by: -1) {
            start[place] = UInt8(truncatingIfNeeded: 48 &+ rest % 10)
            rest /= 10
        }
        return start + 5
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(value & 0x7F) | 0x80)
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }
}
