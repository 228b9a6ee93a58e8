import Foundation

/// A client that sends exactly the bytes it is told to: for requests no proper client would make.
final class SocketClient {
    struct Response: Sendable {
        var status = 0
        var headers: [String: String] = [:]
        var body = ""
    }

    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    private let socketNumber: Int32
    private var received: [UInt8] = []

    init(port: UInt16) throws {
        socketNumber = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socketNumber, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socketNumber, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 { throw Problem(description: "connect failed: \(errno)") }
    }

    deinit { close(socketNumber) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(socketNumber, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Problem(description: "send failed: \(errno)") }
            sent += count
        }
    }

    /// Closes this side's direction only.
    func finishSending() { shutdown(socketNumber, Int32(SHUT_WR)) }

    /// Whether the other side closed the connection, after everything it still sent.
    func readsEnd() -> Bool {
        while let count = receive(), count > 0 {}
        var byte: UInt8 = 0
        return recv(socketNumber, &byte, 1, 0) == 0
    }

    func exchange(_ request: String) throws -> Response {
        try send(request)
        return try response()
    }

    /// Reads one response with its body (by Content-Length; none for 1xx).
    func response() throws -> Response {
        var end = headEnd
        while end == nil {
            guard let count = receive(), count > 0 else {
                throw Problem(description: "connection ended after \(received.count) bytes of a head")
            }
            end = headEnd
        }
        let head = String(decoding: received[..<(end ?? 0)], as: UTF8.self)
        received.removeFirst((end ?? 0) + 4)
        var response = Response()
        for (index, line) in head.components(separatedBy: "\r\n").enumerated() {
            if index == 0 { response.status = Int(line.split(separator: " ")[1]) ?? 0 }
            guard let colon = line.firstIndex(of: ":"), index > 0 else { continue }
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            response.headers[line[..<colon].lowercased()] = value
        }
        let length = Int(response.headers["content-length"] ?? "0") ?? 0
        while received.count < length {
            guard let count = receive(), count > 0 else { throw Problem(description: "connection ended within a body") }
        }
        response.body = String(decoding: received[..<length], as: UTF8.self)
        received.removeFirst(length)
        return response
    }

    private var headEnd: Int? {
        received.indices.first { received[$0...].starts(with: [13, 10, 13, 10]) }
    }

    private func receive() -> Int? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socketNumber, &buffer, buffer.count, 0)
        guard count >= 0 else { return nil }
        received += buffer[..<count]
        return count
    }
}
