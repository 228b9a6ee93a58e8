/// Writes JSON text piece by piece: no tree of objects in between, so that a trace of 10,000 spans costs little.
///
/// Commas come of themselves. Objects and arrays are closures, so what opens also closes.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Largest whole number that every reader of JSON keeps exactly (JavaScript's numbers have 53 bits).
    static let largestExact: UInt64 = (1 << 53) - 1

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func key(_ key: String) {
        separate()
        quote(key)
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "{"))
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func array(_ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "["))
        body(&self)
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func string(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    mutating func bool(_ flag: Bool) { raw(flag ? "true" : "false") }

    mutating func null() { raw("null") }

    mutating func number(_ number: some BinaryInteger) { raw(String(number)) }

    /// What JSON has no number for ("NaN", "Infinity") becomes a text, as protobuf's JSON has it.
    mutating func number(_ number: Double) {
        if number.isFinite { return raw("\(number)") }
        string(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
    }

    /// Text that is JSON already.
    mutating func raw(_ text: String) {
        separate()
        append(text)
        needsComma = true
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0a: append("\\n")
            case 0x0d: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20: append((byte < 16 ? "\\u000" : "\\u001") + String(byte & 15, radix: 16))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    // MARK: Members

    mutating func member(_ key: String, _ text: String) {
        self.key(key)
        string(text)
    }

    mutating func member(_ key: String, _ number: some BinaryInteger) {
        self.key(key)
        self.number(number)
    }

    mutating func member(_ key: String, object body: (inout JSONWriter) -> Void) {
        self.key(key)
        object(body)
    }

    mutating func member(_ key: String, array body: (inout JSONWriter) -> Void) {
        self.key(key)
        array(body)
    }

    /// An attribute's value as plain JSON. Whole numbers beyond 53 bits become texts, so that no reader rounds them.
    mutating func value(_ value: AttributeValue) {
        switch value {
        case .string(let text): string(text)
        case .int(let whole) where whole.magnitude > Self.largestExact: string(String(whole))
        case .int(let whole): number(whole)
        case .double(let real): number(real)
        case .bool(let flag): bool(flag)
        case .json(let text): raw(text)
        }
    }
}
