/// Reads one text field of every point of a `PBPoints` body, independently of the product.
public enum PointText {
    /// The values of `field`, one a point; nil when the body is no such message.
    public static func values(of field: String, in body: [UInt8]) -> [String?]? {
        var values: [String?] = []
        var place = 0
        while place < body.count {
            guard let (number, bytes) = next(body[...], &place) else { return nil }
            if number == 1 { values.append(value(of: field, point: bytes)) }
        }
        return values
    }

    private static func value(of name: String, point: ArraySlice<UInt8>) -> String? {
        var place = point.startIndex
        while place < point.endIndex, let (number, bytes) = next(point, &place) {
            guard number == 2 else { continue }
            var key = ""
            var text: String?
            var inner = bytes.startIndex
            while inner < bytes.endIndex, let (number, value) = next(bytes, &inner) {
                if number == 1 { key = String(decoding: value, as: UTF8.self) }
                if number == 11 { text = String(decoding: value, as: UTF8.self) }
            }
            if key == name { return text }
        }
        return nil
    }

    /// The next field: its number, and its bytes (empty for numbers).
    private static func next(_ bytes: ArraySlice<UInt8>, _ place: inout Int) -> (Int, ArraySlice<UInt8>)? {
        guard let tag = varint(bytes, &place) else { return nil }
        switch tag & 7 {
        case 0: return varint(bytes, &place).map { _ in (tag >> 3, []) }
        case 1: place += 8
        case 5: place += 4
        case 2:
            guard let length = varint(bytes, &place), length <= bytes.endIndex - place else { return nil }
            defer { place += length }
            return (tag >> 3, bytes[place..<place + length])
        default: return nil
        }
        return place <= bytes.endIndex ? (tag >> 3, []) : nil
    }

    private static func varint(_ bytes: ArraySlice<UInt8>, _ place: inout Int) -> Int? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard place < bytes.endIndex else { return nil }
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(truncatingIfNeeded: value) }
        }
        return nil
    }
}
