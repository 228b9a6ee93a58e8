import CZlib
import CZstd
import Foundation
import Shared
import Testing

@testable import Router

/// A directory of its own for one test, removed with the value.
final class ReplayFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "replay-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }
}

/// The same made-up points in every form a replay reads.
enum ReplaySamples {
    static func lineProtocol(_ range: Range<Int>) -> String {
        range.map {
            #"dketrace,pod=a\ b req_seq=\#($0)i,note="a, \"b\" = #\#($0)"#
                + "\nc\",direction=\"incoming\" \(1000 + $0)\n"
        }.joined()
    }

    static func jsonObjects(_ range: Range<Int>) -> [String] {
        range.map {
            #"{"measurement":"dketrace","tags":{"pod":"a b"},"fields":{"req_seq":\#($0),"#
                + #""note":"a, \"b\" = #\#($0)\nc","direction":"incoming"},"time":\#(1000 + $0)}"#
        }
    }

    static func protobuf(_ range: Range<Int>) -> [UInt8] { range.flatMap { field(1, point($0)) } }

    /// The bytes of one point, as the transcoders write them.
    static func point(_ number: Int) -> [UInt8] {
        func entry(_ key: String, _ value: [UInt8]) -> [UInt8] { field(2, field(1, Array(key.utf8)) + value) }
        func text(_ value: String) -> [UInt8] { field(11, Array(value.utf8)) }
        return field(1, Array("dketrace".utf8)) + entry("pod", text("a b") + [0x40, 1])
            + entry("req_seq", [0x10] + varint(UInt64(number)))
            + entry("note", text("a, \"b\" = #\(number)\nc"))
            + entry("direction", text("incoming")) + [0x18] + varint(UInt64(1000 + number))
    }

    static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// One gzip member.
    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count + 1024)
        let count = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { room in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = room.baseAddress
                stream.avail_out = UInt32(room.count)
                #expect(deflate(&stream, Z_FINISH) == Z_STREAM_END)
                return Int(stream.total_out)
            }
        }
        return Array(output.prefix(count))
    }

    /// One zstd frame.
    static func zstd(_ bytes: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 1)
        #expect(ZSTD_isError(count) == 0)
        return Array(output.prefix(count))
    }
}

extension ReplayInput {
    /// Every body that is left.
    func all() throws -> [ReplayBody] {
        var bodies: [ReplayBody] = []
        while let body = try next() { bodies.append(body) }
        return bodies
    }
}

/// The failure that a piece of work ends with.
func failure(of work: () throws -> Void) -> Failure? {
    do {
        try work()
        return nil
    } catch {
        return error as? Failure
    }
}
