/// What one request was answered with.
public struct OneAnswer: Sendable {
    public var status: Int
    public var body: String
}

/// One request on a connection of its own; nil without an answer within 10 s.
///
/// - Parameter fields: further lines of the head, without their ends.
public func ask(
    _ method: String, port: UInt16, path: String, fields: [String] = [], body: [UInt8] = []
) -> OneAnswer? {
    let lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1", "Connection: close"] + fields
        + (body.isEmpty ? [] : ["Content-Length: \(body.count)"]) + ["", ""]
    guard let socket = LoopbackSocket.connect(port: port, timeoutSeconds: 10),
        socket.send(lines.joined(separator: "\r\n")), body.withUnsafeBytes({ socket.send($0) })
    else { return nil }
    var reader = MessageReader(socket: socket)
    var answer: [UInt8] = []
    guard let head = reader.head(), let status = Int(head.firstLine.split(separator: " ").dropFirst().first ?? ""),
        reader.body(of: head, into: &answer)
    else { return nil }
    return OneAnswer(status: status, body: String(decoding: answer, as: UTF8.self))
}

/// One GET: the body of an answer with status 200, or nil.
public func fetch(port: UInt16, path: String) -> String? {
    ask("GET", port: port, path: path).flatMap { $0.status == 200 ? $0.body : nil }
}
