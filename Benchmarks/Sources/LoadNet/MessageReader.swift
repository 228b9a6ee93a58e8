/// The head of an HTTP/1.1 message, its lines in lower case.
struct MessageHead {
    var firstLine: String
    var fields: [(name: String, value: String)]

    func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    var closes: Bool { value("connection") == "close" }
}

/// Reads HTTP/1.1 messages from a socket: a head, then a body by length or in chunks. Not for hostile peers,
/// but bounded: a head of 64 KB, a body of `bodyLimit` bytes.
struct MessageReader {
    static let headLimit = 64 << 10
    static let bodyLimit = 256 << 20
    private let socket: LoopbackSocket
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0

    init(socket: LoopbackSocket) {
        self.socket = socket
        buffer = Array(repeating: 0, count: 512 << 10)
    }

    /// The next head; nil at the end of the stream or when it is none.
    mutating func head() -> MessageHead? {
        var lines: [String] = []
        var length = 0
        while let line = line() {
            if line.isEmpty {
                guard let first = lines.first else { return nil }
                let fields = lines.dropFirst().compactMap(Self.field)
                return MessageHead(firstLine: first, fields: fields)
            }
            length += line.utf8.count
            guard length <= Self.headLimit else { return nil }
            lines.append(line)
        }
        return nil
    }

    /// Reads the body that belongs to `head` into `body`; false when it breaks off or is too long.
    mutating func body(of head: MessageHead, into body: inout [UInt8]) -> Bool {
        body.removeAll(keepingCapacity: true)
        if head.value("transfer-encoding")?.contains("chunked") == true { return chunks(into: &body) }
        guard let count = Int(head.value("content-length") ?? "0") else { return false }
        return take(count, into: &body)
    }

    private mutating func chunks(into body: inout [UInt8]) -> Bool {
        while let sizeLine = line() {
            guard let size = Int(sizeLine.prefix { $0.isHexDigit }, radix: 16) else { return false }
            guard size > 0 else {
                while let trailer = line() { if trailer.isEmpty { return true } }
                return false
            }
            guard take(size, into: &body), line() == "" else { return false }
        }
        return false
    }

    private mutating func take(_ count: Int, into body: inout [UInt8]) -> Bool {
        guard count >= 0, count <= Self.bodyLimit - body.count else { return false }
        var missing = count
        while missing > 0 {
            if start == end, !fill() { return false }
            let part = min(missing, end - start)
            body.append(contentsOf: buffer[start..<(start + part)])
            start += part
            missing -= part
        }
        return true
    }

    /// One line without its end, in lower case; nil at the end of the stream.
    private mutating func line() -> String? {
        var bytes: [UInt8] = []
        while true {
            while start < end {
                let byte = buffer[start]
                start += 1
                if byte == 10 {
                    if bytes.last == 13 { bytes.removeLast() }
                    return String(decoding: bytes, as: UTF8.self)
                }
                bytes.append(byte >= 65 && byte <= 90 ? byte + 32 : byte)
                guard bytes.count <= Self.headLimit else { return nil }
            }
            guard fill() else { return nil }
        }
    }

    private mutating func fill() -> Bool {
        start = 0
        end = buffer.withUnsafeMutableBytes { socket.receive(into: $0) }
        return end > 0
    }

    private static func field(_ line: String) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let value = line[line.index(after: colon)...]
        return (String(line[..<colon]), value.drop { $0 == " " }.description)
    }
}
