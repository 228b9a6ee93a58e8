/// Cuts a worker's output into whole lines, so that the lines of several workers never mix.
struct LineRelay {
    /// Most bytes kept for a line that does not end; beyond it they are passed on as they are.
    static let maximumBytes = 64 << 20

    private var rest: [UInt8] = []

    /// Takes the next piece of output; returns the bytes up to the last line end, empty if there is none yet.
    mutating func take(_ piece: UnsafeRawBufferPointer) -> [UInt8] {
        guard let end = piece.lastIndex(of: UInt8(ascii: "\n")) else {
            rest += piece
            return rest.count > Self.maximumBytes ? finish() : []
        }
        var lines = rest
        lines += piece[...end]
        rest = Array(piece[(end + 1)...])
        return lines
    }

    /// What came after the last line end.
    mutating func finish() -> [UInt8] {
        defer { rest = [] }
        return rest
    }
}
