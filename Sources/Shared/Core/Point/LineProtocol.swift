/// Line protocol to `PBPoints`.
///
///     measurement[,tag=value…] field=value[,field=value…] [nanoseconds]
///     value:  12i · 12u · 1.5e3 · t T true True TRUE f F false False FALSE · "text"
///     escaped by a backslash:  , = and space in names and tag values;  " and \ in texts
///
/// Any other backslash stands for itself. A text may hold line feeds. Empty lines and lines that begin with `#`
/// are left out. A line that is no point loses only itself; reading goes on after its next line feed.
struct LineProtocol {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var encoder = PointEncoder()
    private var malformed = 0

    private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// - Parameter now: time of points that bring none, nanoseconds since 1970.
    /// - Complexity: O(bytes).
    static func transcode(_ bytes: UnsafeRawBufferPointer, now: Int64, limit: Int) -> Transcoded {
        var reader = LineProtocol(bytes)
        let isOverLimit = reader.run(now: now, limit: limit)
        return Transcoded(bytes: reader.encoder.bytes, malformed: reader.malformed, isOverLimit: isOverLimit)
    }

    private mutating func run(now: Int64, limit: Int) -> Bool {
        while skipToLine() {
            if encoder.points + malformed >= limit { return true }
            let start = position
            if readLine(now: now) { continue }
            malformed += 1
            // A text that never closed may have run over good lines: go on after the first line feed.
            position = start
            skipLine()
        }
        return false
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Steps over blanks, empty lines and comments; false at the end.
    private mutating func skipToLine() -> Bool {
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: " "), UInt8(ascii: "\t"): position += 1
            case UInt8(ascii: "#"): skipLine()
            default: return true
            }
        }
        return false
    }

    private mutating func skipLine() {
        while let byte = current, byte != UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func readLine(now: Int64) -> Bool {
        guard let name = readName(stops: [UInt8(ascii: ","), UInt8(ascii: " ")]), !name.isEmpty else { return false }
        encoder.begin(name: name)
        while current == UInt8(ascii: ",") {
            position += 1
            guard readTag() else { return false }
        }
        guard skipBlanks() else { return false }
        repeat {
            guard readField() else { return false }
        } while take(UInt8(ascii: ","))
        guard let time = readTime(now: now) else { return false }
        encoder.end(time: time)
        return true
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() -> Bool {
        let start = position
        while current == UInt8(ascii: " ") { position += 1 }
        return position > start
    }

    /// A name or tag value up to one of `stops`, unescaped; nil at a line feed.
    private mutating func readName(stops: [UInt8]) -> [UInt8]? {
        var name: [UInt8] = []
        while let byte = current, !stops.contains(byte) {
            guard byte != UInt8(ascii: "\n") else { return nil }
            position += 1
            if byte == UInt8(ascii: "\\"), let next = current, Self.isEscapable(next) {
                name.append(next)
                position += 1
            } else {
                name.append(byte)
            }
        }
        return name
    }

    private static func isEscapable(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: " ")
    }

    private mutating func readTag() -> Bool {
        guard let key = readKey(), let value = readName(stops: [UInt8(ascii: ","), UInt8(ascii: " ")]),
            !value.isEmpty
        else { return false }
        encoder.append(key: key, value: .text(value), isTag: true)
        return true
    }

    /// A key and the `=` after it.
    private mutating func readKey() -> [UInt8]? {
        let stops = [UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: " ")]
        guard let key = readName(stops: stops), !key.isEmpty, take(UInt8(ascii: "=")) else { return nil }
        return key
    }

    private mutating func readField() -> Bool {
        guard let key = readKey() else { return false }
        if take(UInt8(ascii: "\"")) {
            guard let text = readText() else { return false }
            encoder.append(key: key, value: .text(text))
            return true
        }
        let start = position
        while let byte = current, byte != UInt8(ascii: ","), byte > UInt8(ascii: " ") { position += 1 }
        guard let value = NumberText.lineProtocolValue(bytes, start..<position) else { return false }
        encoder.append(key: key, value: value)
        return true
    }

    /// The rest of a text after its opening quote; nil when it never closes.
    private mutating func readText() -> [UInt8]? {
        var text: [UInt8] = []
        while let byte = current {
            position += 1
            if byte == UInt8(ascii: "\"") { return text }
            if byte == UInt8(ascii: "\\"), let next = current,
                next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\")
            {
                text.append(next)
                position += 1
            } else {
                text.append(byte)
            }
        }
        return nil
    }

    /// The time and the end of the line; nil when something else follows.
    private mutating func readTime(now: Int64) -> Int64? {
        var time = now
        if skipBlanks(), let byte = current, byte > UInt8(ascii: " ") {
            let start = position
            while let byte = current, byte > UInt8(ascii: " ") { position += 1 }
            guard let number = NumberText.signed(bytes, start..<position) else { return nil }
            time = number
            _ = skipBlanks()
        }
        _ = take(UInt8(ascii: "\r"))
        guard position == bytes.count || take(UInt8(ascii: "\n")) else { return nil }
        return time
    }
}
