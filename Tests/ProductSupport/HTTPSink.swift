import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A small HTTP server that takes any request and keeps it: the far end of a target.
public final class HTTPSink: Sendable {
    public struct Request: Sendable {
        public var path: String
        public var headers: [String: String]
        public var body: [UInt8]
    }

    private let socketNumber: Int32
    private let state = Mutex<[Request]>([])
    /// What the first requests are answered with; then 200.
    private let answers: Mutex<[Int]>
    public let address: String

    /// - Parameter answers: statuses of the first answers.
    public init(answers: [Int] = []) throws {
        socketNumber = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.answers = Mutex(answers)
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        own.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = socketNumber
        let result = withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(number, raw, length) == 0 && listen(number, 64) == 0 && getsockname(number, raw, &length) == 0
            }
        }
        address = "127.0.0.1:\(UInt16(bigEndian: own.sin_port))"
        guard result else { throw Problem("cannot listen: \(errno)") }
        let thread = Thread { [weak self] in
            while true {
                let connection = accept(number, nil, nil)
                guard connection >= 0 else { return }
                let own = Thread { [weak self] in
                    self?.serve(connection)
                    close(connection)
                }
                own.start()
            }
        }
        thread.start()
    }

    deinit { shutdown(socketNumber, Int32(SHUT_RDWR)) }

    /// Answers 200 from now on.
    public func recover() { answers.withLock { $0 = [] } }

    public var requests: [Request] { state.withLock { $0 } }

    private func serve(_ connection: Int32) {
        var bytes: [UInt8] = []
        while let request = read(connection, &bytes) {
            let status = answers.withLock { $0.isEmpty ? 200 : $0.removeFirst() }
            if status == 200 { state.withLock { $0.append(request) } }
            let answer = Array("HTTP/1.1 \(status) Answer\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = answer.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        }
    }

    private func read(_ connection: Int32, _ bytes: inout [UInt8]) -> Request? {
        let separator = Data("\r\n\r\n".utf8)
        while Data(bytes).range(of: separator) == nil { guard more(connection, &bytes) else { return nil } }
        guard let end = Data(bytes).range(of: separator) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while bytes.count < end.upperBound + length { guard more(connection, &bytes) else { return nil } }
        let body = Array(bytes[end.upperBound..<end.upperBound + length])
        bytes.removeFirst(end.upperBound + length)
        return Request(path: String(lines[0].split(separator: " ")[1]), headers: headers, body: body)
    }

    private func more(_ connection: Int32, _ bytes: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 262_144)
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        bytes += buffer[..<count]
        return true
    }
}
