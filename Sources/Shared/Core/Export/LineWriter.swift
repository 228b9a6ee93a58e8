import Glibc

/// Writes whole lines to a descriptor that has one writer, such as a worker's standard output.
public enum LineWriter {
    /// Largest piece handed to one `write`, bytes; a longer line goes in several.
    public static let pieceBytes = 65_536

    /// The pieces of `bytes`, each of at most `pieceBytes` and ending at a line end where the lines allow it.
    public static func pieces(of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void)
        rethrows
    {
        var from = 0
        while from < bytes.count {
            var end = min(from + pieceBytes, bytes.count)
            if end < bytes.count, let last = bytes[from..<end].lastIndex(of: 0x0A) { end = last + 1 }
            try body(UnsafeRawBufferPointer(rebasing: bytes[from..<end]))
            from = end
        }
    }

    /// Writes all bytes; waits while a pipe is full. Throws `Failure(.ended)` when the reader is gone.
    public static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
        var done = 0
        try write(bytes, to: descriptor, done: &done)
    }

    /// As `writeAll`, from `done` on, which counts the bytes written even when an error is thrown.
    public static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, done: inout Int) throws {
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                done += count
            } else if count < 0 && errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, 1000)
            } else if count < 0 && errno == EPIPE {
                throw Failure(.ended, "nobody reads the standard output any more")
            } else if !(count < 0 && errno == EINTR) {
                throw Failure(.disk, "cannot write to descriptor \(descriptor): \(String(cString: strerror(errno)))")
            }
        }
    }
}
