import CZlib

/// The content of a gzip body; nil when it is none, or longer than a body may be.
func inflated(_ body: [UInt8]) -> [UInt8]? {
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

/// One gzip member of level 1; nil when zlib fails.
func deflated(_ body: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else {
        return nil
    }
    defer { deflateEnd(&stream) }
    var input = body
    var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(body.count))))
    let isWhole = input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            return deflate(&stream, Z_FINISH) == Z_STREAM_END
        }
    }
    return isWhole ? Array(output.prefix(output.count - Int(stream.avail_out))) : nil
}
