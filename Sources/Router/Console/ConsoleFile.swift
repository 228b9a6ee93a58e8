import CConsole
import Linking
import NIOCore

/// A file of the console: embedded by the compiler from `Sources/Router/UI`, so that the program needs no folder.
struct ConsoleFile: Sendable {
    /// Its name, without a folder ("main.js").
    let name: String
    let contents: ByteBuffer
    /// Changes with the contents; in quotes, as the header wants it.
    let tag: String

    /// The files by name. Hashes them once, at the first use: about 150 KB.
    static let all: [String: ConsoleFile] = {
        var files: [String: ConsoleFile] = [:]
        for index in 0..<console_file_count() {
            guard let file = console_file_at(index)?.pointee, let name = file.name else { continue }
            let bytes = UnsafeRawBufferPointer(start: file.bytes, count: file.count)
            let hash = String(StableHash.of(bytes), radix: 16)
            let contents = ByteBuffer(bytes: bytes)
            files[String(cString: name)] = ConsoleFile(
                name: String(cString: name), contents: contents, tag: "\"\(hash)\"")
        }
        return files
    }()

    /// The media type that its name's ending stands for; nil for an ending that the console does not use.
    var mediaType: String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        switch name[name.index(after: dot)...] {
        case "html": return "text/html; charset=utf-8"
        case "css": return "text/css; charset=utf-8"
        case "js": return "text/javascript; charset=utf-8"
        case "svg": return "image/svg+xml"
        default: return nil
        }
    }
}
