import CZlib
import LoadModel

/// What came in at the sink.
public struct SinkCounts: Sendable {
    public var requests = 0
    public var spans = 0
    public var bytes = 0
    /// Bodies that could not be read.
    public var unreadable = 0

    public init() {}
}

/// Plays Dataway on 127.0.0.1: answers 200 to every post, and keeps 32 bytes of each span for the check.
public final class DatawaySink: @unchecked Sendable {
    private let listener: LoopbackListener
    private let monitor = Monitor()
    private var counts = SinkCounts()
    private var chunks: [[ExportedSpan]] = []
    private var thread: BackgroundThread?

    public var port: UInt16 { listener.port }

    /// Starts to listen; nil when the system gives no socket.
    public init?() {
        guard let listener = LoopbackListener() else { return nil }
        self.listener = listener
        thread = BackgroundThread { [self] in
            while let connection = listener.accept() {
                BackgroundThread { self.serve(connection) }.detach()
            }
        }
    }

    /// Takes no further connections; those that are open end with their peers.
    public func stop() {
        listener.stop()
        thread?.join()
        thread = nil
    }

    public func soFar() -> SinkCounts { monitor.locked { counts } }

    /// All spans received so far.
    func received() -> [[ExportedSpan]] { monitor.locked { chunks } }

    private func serve(_ connection: LoopbackSocket) {
        var reader = MessageReader(socket: connection)
        var body: [UInt8] = []
        while let head = reader.head(), reader.body(of: head, into: &body) {
            take(body, isGzip: head.value("content-encoding") == "gzip")
            guard connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), !head.closes else { return }
        }
    }

    private func take(_ body: [UInt8], isGzip: Bool) {
        var spans: [ExportedSpan] = []
        let plain = isGzip ? inflated(body) : body
        let isReadable = plain?.withUnsafeBytes { bytes in
            var reader = PointReader(bytes)
            return reader.forEach { spans.append($0) }
        }
        monitor.locked {
            counts.requests += 1
            counts.bytes += body.count
            counts.spans += spans.count
            if isReadable != true { counts.unreadable += 1 }
            chunks.append(spans)
        }
    }
}

/// The content of a gzip body; nil when it is none, or longer than a body may be.
private func inflated(_ body: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&stream) }
    var input = body
    var output: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 20)
    return input.withUnsafeMutableBufferPointer { input -> [UInt8]? in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        var result = Z_OK
        while result == Z_OK, output.count <= MessageReader.bodyLimit {
            let written = part.withUnsafeMutableBufferPointer { part in
                stream.next_out = part.baseAddress
                stream.avail_out = UInt32(part.count)
                result = inflate(&stream, Z_NO_FLUSH)
                return part.count - Int(stream.avail_out)
            }
            output.append(contentsOf: part[..<written])
        }
        return result == Z_STREAM_END ? output : nil
    }
}
