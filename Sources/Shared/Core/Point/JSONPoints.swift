/// JSON to `PBPoints`: an array, or values one after another (JSON lines), of
/// `{"measurement": "…", "tags": {…}, "fields": {…}, "time": …}`; `timestamp` is read as `time`, which is a number
/// of nanoseconds or RFC 3339.
///
/// Field values: text, boolean, number (an integer stays exact: int64, else uint64); null is left out;
/// an array or object becomes the text of its JSON. A tag's value becomes text.
/// An element that is no point loses only itself. Broken syntax ends an array for good, but only one of the lines.
struct JSONPoints {
    let bytes: UnsafeRawBufferPointer
    /// Time of points that bring none.
    let now: Int64
    var encoder = PointEncoder()
    var malformed = 0

    init(_ bytes: UnsafeRawBufferPointer, now: Int64) {
        self.bytes = bytes
        self.now = now
    }

    /// Nil when the body is an array whose syntax is broken.
    static func transcode(_ bytes: UnsafeRawBufferPointer, now: Int64, limit: Int) -> Transcoded? {
        var points = JSONPoints(bytes, now: now)
        var scanner = JSONScanner(bytes)
        scanner.skipSpace()
        let isOverLimit: Bool?
        if scanner.take(UInt8(ascii: "[")) {
            isOverLimit = points.readArray(&scanner, limit: limit) { $0.append(element: $1) }
        } else {
            isOverLimit = points.readLines(&scanner, limit: limit)
        }
        return isOverLimit.map {
            Transcoded(bytes: points.encoder.bytes, malformed: points.malformed, isOverLimit: $0)
        }
    }

    /// The elements of an array after its bracket and the end of the body; nil when the syntax is broken.
    mutating func readArray(
        _ scanner: inout JSONScanner, limit: Int, take: (inout Self, Range<Int>) -> Bool
    ) -> Bool? {
        scanner.skipSpace()
        if !scanner.take(UInt8(ascii: "]")) {
            repeat {
                guard let element = scanner.value() else { return nil }
                if encoder.points + malformed >= limit { return true }
                if !take(&self, element) { malformed += 1 }
                scanner.skipSpace()
            } while scanner.take(UInt8(ascii: ","))
            guard scanner.take(UInt8(ascii: "]")) else { return nil }
        }
        scanner.skipSpace()
        return scanner.current == nil ? false : nil
    }

    private mutating func readLines(_ scanner: inout JSONScanner, limit: Int) -> Bool {
        scanner.skipSpace()
        while scanner.current != nil {
            if encoder.points + malformed >= limit { return true }
            let start = scanner.position
            if let element = scanner.value() {
                if !append(element: element) { malformed += 1 }
            } else {
                malformed += 1
                scanner.position = start
                while let byte = scanner.current, byte != UInt8(ascii: "\n") { scanner.position += 1 }
            }
            scanner.skipSpace()
        }
        return false
    }

    /// Encodes one point; false when the element is none.
    private mutating func append(element: Range<Int>) -> Bool {
        guard let members = JSONScanner.members(bytes, element) else { return false }
        var name: [UInt8] = []
        var tags: Range<Int>?
        var fields: Range<Int>?
        var time: Int64? = now
        for member in members {
            switch String(decoding: member.key, as: UTF8.self) {
            case "measurement": name = JSONScanner.text(bytes, member.value) ?? []
            case "tags": tags = member.value
            case "fields": fields = member.value
            case "time", "timestamp": time = Self.time(bytes, member.value, absent: now)
            default: break
            }
        }
        guard !name.isEmpty, let time, tags != nil || fields != nil else { return false }
        encoder.begin(name: name)
        guard append(members: tags, isTag: true), append(members: fields, isTag: false) else { return false }
        encoder.end(time: time)
        return true
    }

    private mutating func append(members range: Range<Int>?, isTag: Bool) -> Bool {
        guard let range, !Self.isNull(bytes, range) else { return true }
        guard let members = JSONScanner.members(bytes, range) else { return false }
        for member in members {
            guard !member.key.isEmpty else { return false }
            guard let value = isTag ? tag(member.value) : value(member.value) else { continue }
            encoder.append(key: member.key, value: value, isTag: isTag)
        }
        return true
    }

    private func tag(_ range: Range<Int>) -> PointValue? {
        if Self.isNull(bytes, range) { return nil }
        return .text(JSONScanner.text(bytes, range) ?? Array(bytes[range]))
    }

    /// A field value; nil for null.
    private func value(_ range: Range<Int>) -> PointValue? {
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "\""): JSONScanner.text(bytes, range).map { .text($0) }
        case UInt8(ascii: "t"): .bool(true)
        case UInt8(ascii: "f"): .bool(false)
        case UInt8(ascii: "n"): nil
        case UInt8(ascii: "{"), UInt8(ascii: "["): .text(Array(bytes[range]))
        // A number of more than 512 digits keeps its text.
        default: NumberText.jsonValue(bytes, range) ?? .text(Array(bytes[range]))
        }
    }

    static func isNull(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        bytes[range.lowerBound] == UInt8(ascii: "n")
    }

    /// Nanoseconds as a number or as decimal text, or a moment as RFC 3339; nil when it is neither.
    static func time(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, absent: Int64) -> Int64? {
        if isNull(bytes, range) { return absent }
        if let text = JSONScanner.text(bytes, range) {
            return text.withUnsafeBytes { NumberText.signed($0, 0..<$0.count) } ?? NumberText.rfc3339(text)
        }
        if let exact = NumberText.signed(bytes, range) { return exact }
        guard let number = NumberText.double(bytes, range), abs(number) < 0x1p63 else { return nil }
        return Int64(number)
    }
}
