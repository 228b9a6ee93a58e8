/// One kept-alive connection to a listener on 127.0.0.1; connects again when it breaks.
struct KeptConnection {
    private let port: UInt16
    private var socket: LoopbackSocket?
    private var reader: MessageReader?
    private var answer: [UInt8] = []

    init(port: UInt16) { self.port = port }

    /// The status of the answer to a request; nil when there is none.
    mutating func post(_ head: String, _ body: UnsafeRawBufferPointer) -> Int? {
        if socket == nil, let fresh = LoopbackSocket.connect(port: port) {
            socket = fresh
            reader = MessageReader(socket: fresh)
        }
        guard let socket, socket.send(head), socket.send(body), let head = reader?.head(),
            reader?.body(of: head, into: &answer) == true
        else {
            drop()
            return nil
        }
        if head.closes { drop() }
        return Int(head.firstLine.split(separator: " ").dropFirst().first ?? "")
    }

    private mutating func drop() {
        socket = nil
        reader = nil
    }
}
