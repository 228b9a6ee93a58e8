import Glibc
import Linking
import Shared

/// A sequence of bytes that is pulled piece by piece, so that a file of any size needs a fixed amount of memory.
protocol ByteStream: AnyObject {
    /// Fills the start of `room` and returns the number of bytes written; 0 only at the end.
    /// - Throws: `Failure(.badInput)` for damaged content, `Failure(.disk)` when the file cannot be read.
    func read(into room: UnsafeMutableRawBufferPointer) throws -> Int
}

/// The bytes of a file as they lie on disk.
final class FileStream: ByteStream {
    let path: String
    /// Size of the file when it was opened, bytes.
    let size: Int
    /// Bytes read so far.
    private(set) var position = 0
    private let descriptor: Int32

    /// Opens a file for reading.
    /// - Throws: `Failure(.fileMissing)` when it is not there, may not be read, or is a directory.
    init(path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw Failure(.fileMissing, "cannot open \(path): \(reason); name a file that exists and may be read")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            close(descriptor)
            throw Failure(.fileMissing, "\(path) is a directory; name a file with the ending \(ReplayForm.endings)")
        }
        size = Int(status.st_size)
        self.path = path
    }

    deinit { close(descriptor) }

    func read(into room: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = Glibc.read(descriptor, room.baseAddress, room.count)
            if count >= 0 {
                position += count
                return count
            }
            if errno == EINTR { continue }
            let reason = String(cString: strerror(errno))
            throw Failure(.disk, "cannot read \(path) at byte \(position): \(reason); check the disk")
        }
    }

    /// The file's content after decompression, as its form says.
    func unpacked(_ packing: ReplayForm.Packing) throws -> any ByteStream {
        switch packing {
        case .plain: self
        case .gzip: try GzipStream(self)
        case .zstd: try ZstdStream(self)
        }
    }

    /// The failure of a compressed file that stops too early.
    func endsEarly() -> Failure {
        Failure(.badInput, "\(path) ends inside compressed data, after \(position) bytes; copy it again whole")
    }

    /// The failure of a compressed file whose content makes no sense.
    func isDamaged(_ what: String) -> Failure {
        Failure(.badInput, "\(path) is not readable \(what) data before byte \(position); copy it again, or rename it")
    }
}

/// A fixed buffer between a file and a decompressor.
struct PackedWindow: ~Copyable {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    /// The bytes that the decompressor has not taken yet.
    var unread = 0..<0

    deinit { room.deallocate() }

    /// Reads on from the file when all is taken; false at the end of the file.
    mutating func fill(from file: FileStream) throws -> Bool {
        if unread.isEmpty { unread = 0..<(try file.read(into: room)) }
        return !unread.isEmpty
    }
}
