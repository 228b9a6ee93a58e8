import CZlib
import Shared

/// Decompresses gzip while it is read: one or more members, one after another.
///
/// zlib and not libdeflate, because libdeflate needs the whole file in memory.
final class GzipStream: ByteStream {
    private let file: FileStream
    private var window = PackedWindow()
    /// On the heap: zlib keeps a pointer to it.
    private let state = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    /// True between members, where the file may end.
    private var betweenMembers = false

    /// - Throws: `Failure(.limit)` when zlib has no memory.
    init(_ file: FileStream) throws {
        self.file = file
        state.initialize(to: z_stream())
        // 15: largest window; + 16: gzip header and trailer.
        guard inflateInit2_(state, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Failure(.limit, "zlib could not start to read \(file.path); free some memory")
        }
    }

    deinit {
        inflateEnd(state)
        state.deallocate()
    }

    func read(into room: UnsafeMutableRawBufferPointer) throws -> Int {
        precondition(room.count > 0 && room.count <= Int(UInt32.max))
        state.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        state.pointee.avail_out = UInt32(room.count)
        while state.pointee.avail_out == UInt32(room.count) {
            guard try window.fill(from: file) else {
                if betweenMembers { return 0 }
                throw file.endsEarly()
            }
            try step()
        }
        return room.count - Int(state.pointee.avail_out)
    }

    /// One call of `inflate` over what lies in the window.
    private func step() throws {
        if betweenMembers {
            guard inflateReset(state) == Z_OK else { throw file.isDamaged("gzip") }
            betweenMembers = false
        }
        let bytes = window.room.bindMemory(to: UInt8.self)
        state.pointee.next_in = bytes.baseAddress?.advanced(by: window.unread.lowerBound)
        state.pointee.avail_in = UInt32(window.unread.count)
        let outcome = inflate(state, Z_NO_FLUSH)
        window.unread = (window.unread.upperBound - Int(state.pointee.avail_in))..<window.unread.upperBound
        switch outcome {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: betweenMembers = true
        default: throw file.isDamaged("gzip")
        }
    }
}
