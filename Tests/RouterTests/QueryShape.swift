import Foundation

@testable import Router

/// A rule about the shape of an answer: `traces[].spanSets[].matched number`.
///
/// In JSON a path of names, in protobuf a path of field numbers; `[]` means every element, of which there must be one.
struct Shape {
    struct Breach: Error { var text: String }

    private let path: String
    private let kind: String

    init(_ rule: String) {
        let parts = rule.split(separator: " ", maxSplits: 1)
        path = String(parts[0])
        kind = parts.count > 1 ? String(parts[1]) : ""
    }

    func check(_ json: Any) throws {
        var values = [json]
        for step in path.split(separator: ".") {
            let name = step.replacingOccurrences(of: "[]", with: "")
            values = try values.map { value in
                guard let found = (value as? [String: Any])?[name] else { throw Breach(text: "\(name) is missing") }
                return found
            }
            guard step.hasSuffix("[]") else { continue }
            values = try values.flatMap { value in
                guard let list = value as? [Any] else { throw Breach(text: "\(name) is no list") }
                return list
            }
            if values.isEmpty { throw Breach(text: "\(name) is empty") }
        }
        for value in values where !holds(value) { throw Breach(text: "\(value) is no \(kind)") }
    }

    private func holds(_ value: Any) -> Bool {
        let text = value as? String
        switch kind {
        case "text": return text != nil
        case "digits": return text.map { !$0.isEmpty && $0.allSatisfy(\.isNumber) } ?? false
        case "number": return value is NSNumber && text == nil
        case "object": return value is [String: Any]
        case "hex32": return text.map { $0.count == 32 && $0.allSatisfy(\.isHexDigit) } ?? false
        case "hex16": return text.map { $0.count == 16 && $0.allSatisfy(\.isHexDigit) } ?? false
        case "base64of16": return text.flatMap { Data(base64Encoded: $0) }?.count == 16
        case "base64of8": return text.flatMap { Data(base64Encoded: $0) }?.count == 8
        case "semver": return text.map { $0.split(separator: ".").count == 3 } ?? false
        default: return false
        }
    }

    // MARK: Protobuf

    func check(protobuf bytes: [UInt8]) throws {
        var messages = [bytes]
        let steps = path.split(separator: ".").map { $0.replacingOccurrences(of: "[]", with: "") }
        for step in steps.dropLast() {
            messages = try messages.flatMap { try Self.find($0, path: [UInt64(step) ?? 0]) }
        }
        for message in messages {
            let field = UInt64(steps.last ?? "") ?? 0
            guard let value = ProtobufFields(message).first(where: { $0.field == field })?.value else {
                throw Breach(text: "field \(path) is missing")
            }
            if !holds(value) { throw Breach(text: "field \(path) is no \(kind)") }
        }
        if messages.isEmpty { throw Breach(text: "nothing at \(path)") }
    }

    private func holds(_ value: ProtobufFields.Value) -> Bool {
        switch (kind, value) {
        case ("number", .number), ("fixed", .fixed): return true
        case ("bytes16", .bytes(let bytes)): return bytes.count == 16
        case ("bytes8", .bytes(let bytes)): return bytes.count == 8
        case ("text", .bytes(let bytes)): return !bytes.isEmpty
        case (let text, .bytes(let bytes)):
            return String(decoding: bytes, as: UTF8.self) == text
        default: return false
        }
    }

    /// The contents of all fields at a path of field numbers.
    static func find(_ bytes: [UInt8], path: [UInt64]) throws -> [[UInt8]] {
        var messages = [bytes]
        for field in path {
            messages = messages.flatMap { message in
                ProtobufFields(message).compactMap { found -> [UInt8]? in
                    guard found.field == field, case .bytes(let content) = found.value else { return nil }
                    return Array(content)
                }
            }
        }
        guard !messages.isEmpty else { throw Breach(text: "nothing at \(path)") }
        return messages
    }
}
