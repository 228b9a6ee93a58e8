import CZstd
import Shared

/// Decompresses zstd while it is read: one or more frames, one after another.
///
/// Memory is bounded by zstd's own largest window (128 MiB); a file that wants more is refused.
final class ZstdStream: ByteStream {
    private let file: FileStream
    private var window = PackedWindow()
    private let state: OpaquePointer
    /// True between frames, where the file may end.
    private var betweenFrames = false
    /// True while the decompressor may hold output that did not fit into the caller's room.
    private var mayHoldOutput = false

    /// - Throws: `Failure(.limit)` when zstd has no memory.
    init(_ file: FileStream) throws {
        guard let state = ZSTD_createDStream() else {
            throw Failure(.limit, "zstd could not start to read \(file.path); free some memory")
        }
        self.file = file
        self.state = state
    }

    deinit { ZSTD_freeDStream(state) }

    func read(into room: UnsafeMutableRawBufferPointer) throws -> Int {
        precondition(room.count > 0)
        var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        while output.pos == 0 {
            let filled = try window.fill(from: file)
            if !filled, !mayHoldOutput {
                if betweenFrames { return 0 }
                throw file.endsEarly()
            }
            try step(&output)
        }
        return output.pos
    }

    /// One call of `ZSTD_decompressStream` over what lies in the window.
    private func step(_ output: inout ZSTD_outBuffer) throws {
        let start = window.room.baseAddress?.advanced(by: window.unread.lowerBound)
        var input = ZSTD_inBuffer(src: UnsafeRawPointer(start), size: window.unread.count, pos: 0)
        let outcome = ZSTD_decompressStream(state, &output, &input)
        guard ZSTD_isError(outcome) == 0 else { throw file.isDamaged("zstd") }
        window.unread = (window.unread.lowerBound + input.pos)..<window.unread.upperBound
        betweenFrames = outcome == 0
        mayHoldOutput = output.pos == output.size
    }
}
