/// The protojson form of `PBPoints` to its bytes:
/// `{"arr":[{"name":"…","fields":[{"key":"…","i":"123","isTag":true,"type":"GAUGE","unit":"…"}],"time":"…"}]}`.
///
/// 64-bit integers are text or numbers, `d` is base64 (either alphabet, padding optional), `f` also "NaN",
/// "Infinity" and "-Infinity". The type of an `a` is not known here, so it becomes the text of its JSON.
enum PBJSONPoints {
    /// Nil when the body is no such object.
    static func transcode(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Transcoded? {
        var scanner = JSONScanner(bytes)
        guard let whole = scanner.value(), let members = JSONScanner.members(bytes, whole) else { return nil }
        scanner.skipSpace()
        guard scanner.current == nil else { return nil }
        var points = JSONPoints(bytes, now: 0)
        for member in members where member.key == Array("arr".utf8) && !JSONPoints.isNull(bytes, member.value) {
            var array = JSONScanner(bytes, member.value)
            guard array.take(UInt8(ascii: "[")) else { return nil }
            let isOverLimit = points.readArray(&array, limit: limit) { $0.append(pbjson: $1) }
            guard isOverLimit == false else {
                return isOverLimit.map { _ in
                    Transcoded(bytes: [], malformed: points.malformed, isOverLimit: true)
                }
            }
        }
        return Transcoded(bytes: points.encoder.bytes, malformed: points.malformed)
    }
}

extension JSONPoints {
    /// Encodes one element of `arr`; false when it is no point.
    fileprivate mutating func append(pbjson element: Range<Int>) -> Bool {
        guard let members = JSONScanner.members(bytes, element) else { return false }
        var name: [UInt8] = []
        var fields: Range<Int>?
        var time: Int64? = 0
        for member in members {
            switch String(decoding: member.key, as: UTF8.self) {
            case "name": name = JSONScanner.text(bytes, member.value) ?? []
            case "fields": fields = member.value
            case "time": time = integer(member.value).map { Int64(truncatingIfNeeded: $0) }
            default: break
            }
        }
        guard let time else { return false }
        encoder.begin(name: name)
        if let fields, !Self.isNull(bytes, fields) {
            guard append(pbjsonFields: fields) else { return false }
        }
        encoder.end(time: time)
        return true
    }

    private mutating func append(pbjsonFields range: Range<Int>) -> Bool {
        var scanner = JSONScanner(bytes, range)
        guard scanner.take(UInt8(ascii: "[")) else { return false }
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "]")) { return true }
        repeat {
            guard let field = scanner.value(), append(pbjsonField: field) else { return false }
            scanner.skipSpace()
        } while scanner.take(UInt8(ascii: ","))
        return true
    }

    /// A field without a value is left out, as it says nothing.
    private mutating func append(pbjsonField range: Range<Int>) -> Bool {
        guard let members = JSONScanner.members(bytes, range) else { return false }
        var key: [UInt8] = []
        var value: PointValue?
        var isTag = false
        var metricType: UInt64 = 0
        var unit: [UInt8] = []
        for member in members where !Self.isNull(bytes, member.value) {
            switch String(decoding: member.key, as: UTF8.self) {
            case "key": key = JSONScanner.text(bytes, member.value) ?? []
            case "isTag", "is_tag": isTag = bytes[member.value.lowerBound] == UInt8(ascii: "t")
            case "type": metricType = self.metricType(member.value)
            case "unit": unit = JSONScanner.text(bytes, member.value) ?? []
            case let name:
                guard let kind = Self.kind(name) else { continue }
                value = self.value(kind, member.value)
                if value == nil { return false }
            }
        }
        if let value {
            encoder.append(key: key, value: value, isTag: isTag, metricType: metricType, unit: unit)
        }
        return true
    }

    private static func kind(_ name: String) -> FieldKind? {
        switch name {
        case "i": .signed
        case "u": .unsigned
        case "f": .double
        case "b": .bool
        case "d": .bytes
        case "a": .any
        case "s": .text
        default: nil
        }
    }

    private func value(_ kind: FieldKind, _ range: Range<Int>) -> PointValue? {
        switch kind {
        case .signed: integer(range).flatMap { Int64(exactly: $0) }.map { .signed($0) }
        case .unsigned: integer(range).flatMap { UInt64(exactly: $0) }.map { .unsigned($0) }
        case .double: double(range).map { .double($0) }
        case .bool: boolean(range).map { .bool($0) }
        case .bytes: JSONScanner.text(bytes, range).flatMap(Base64.decode).map { .bytes($0) }
        case .any: .text(Array(bytes[range]))
        case .text: JSONScanner.text(bytes, range).map { .text($0) }
        }
    }

    /// An integer between -2^63 and 2^64 - 1, as number or text.
    private func integer(_ range: Range<Int>) -> Int128? {
        let isText = bytes[range.lowerBound] == UInt8(ascii: "\"")
        let digits = isText ? range.lowerBound + 1..<range.upperBound - 1 : range
        if let number = NumberText.signed(bytes, digits) { return Int128(number) }
        return NumberText.unsigned(bytes, digits).map { Int128($0) }
    }

    private func double(_ range: Range<Int>) -> Double? {
        guard let text = JSONScanner.text(bytes, range) else { return NumberText.double(bytes, range) }
        switch String(decoding: text, as: UTF8.self) {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default: return text.withUnsafeBytes { NumberText.double($0, 0..<$0.count) }
        }
    }

    private func boolean(_ range: Range<Int>) -> Bool? {
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    /// The number of a metric type; names are those of DataKit's enum, unknown ones count as unspecified.
    private func metricType(_ range: Range<Int>) -> UInt64 {
        guard let text = JSONScanner.text(bytes, range) else { return NumberText.unsigned(bytes, range) ?? 0 }
        switch String(decoding: text, as: UTF8.self) {
        case "COUNT": return 1
        case "RATE": return 2
        case "GAUGE": return 3
        default: return 0
        }
    }
}
