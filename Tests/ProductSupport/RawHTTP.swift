import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// One HTTP exchange over a socket of its own, with exactly the bytes that are given.
public enum RawHTTP {
    public struct Response: Sendable {
        public var status = 0
        public var headers: [String: String] = [:]
        public var body: [UInt8] = []
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// - Parameter address: `127.0.0.1:port`.
    public static func get(_ address: String, _ path: String) throws -> Response {
        try exchange(address, "GET", path, headers: [:], body: [])
    }

    public static func post(
        _ address: String, _ path: String, _ body: [UInt8], headers: [String: String] = [:]
    ) throws -> Response {
        try exchange(address, "POST", path, headers: headers, body: body)
    }

    private static func exchange(
        _ address: String, _ method: String, _ path: String, headers: [String: String], body: [UInt8]
    ) throws -> Response {
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Problem("\(address) has no port")
        }
        let number = try connected(port)
        defer { close(number) }
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n"
        if method != "GET" { head += "Content-Length: \(body.count)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try send(Array((head + "\r\n").utf8) + body, to: number)
        return try parse(try received(from: number))
    }

    private static func connected(_ port: UInt16) throws -> Int32 {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var time = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(number)
            throw Problem("cannot connect to port \(port): \(errno)")
        }
        return number
    }

    private static func send(_ bytes: [UInt8], to number: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(number, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Problem("cannot send: \(errno)") }
            sent += count
        }
    }

    private static func received(from number: Int32) throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(number, &buffer, buffer.count, 0)
            if count == 0 { return all }
            guard count > 0 else { throw Problem("no answer: \(errno)") }
            all += buffer[..<count]
        }
    }

    private static func parse(_ bytes: [UInt8]) throws -> Response {
        let text = Data(bytes)
        guard let end = text.range(of: Data("\r\n\r\n".utf8)) else { throw Problem("the answer has no head") }
        var response = Response()
        let lines = String(decoding: text[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        response.status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            response.headers[line[..<colon].lowercased()] = value
        }
        response.body = Array(text[end.upperBound...])
        if response.headers["transfer-encoding"] == "chunked" { response.body = try unchunked(response.body) }
        return response
    }

    private static func unchunked(_ bytes: [UInt8]) throws -> [UInt8] {
        var rest = Data(bytes)
        var body: [UInt8] = []
        while let line = rest.range(of: Data("\r\n".utf8)) {
            guard let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16),
                rest.distance(from: line.upperBound, to: rest.endIndex) >= size
            else { throw Problem("bad chunk") }
            if size == 0 { break }
            let end = rest.index(line.upperBound, offsetBy: size)
            body += rest[line.upperBound..<end]
            rest = Data(rest[end...].dropFirst(2))
        }
        return body
    }
}
