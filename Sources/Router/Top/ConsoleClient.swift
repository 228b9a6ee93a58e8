import AsyncHTTPClient
import Foundation
import NIOCore
import Shared

/// Asks a router's console, for the commands that show what a running router knows.
struct ConsoleClient: Sendable {
    /// `http://host:port`, without a slash at the end.
    let url: String
    /// Most bytes of an answer.
    static let answerBytes = 64 << 20

    /// - Parameter text: `host:port` or an http URL.
    init(_ text: String) throws(Failure) {
        let url = text.contains("://") ? text : "http://\(text)"
        guard let parts = URLComponents(string: url), parts.host?.isEmpty == false,
            parts.scheme == "http" || parts.scheme == "https" else {
            throw Failure(.usage, "--console \(text) is no address; write it as 127.0.0.1:9530")
        }
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// The answer of a page as JSON. Fails with `.unavailable` when nobody answers, `.badInput` when the answer is no.
    func get<Answer: Decodable>(_ path: String, as type: Answer.Type = Answer.self) async throws(Failure) -> Answer {
        let (status, body) = try await fetch(path)
        guard status == 200 else {
            throw Failure(.badInput, "\(url)\(path) answered \(status): \(Self.message(body))")
        }
        do {
            return try JSONDecoder().decode(type, from: body)
        } catch {
            throw Failure(.badInput, "\(url)\(path) is no page of this version; compare that of the router")
        }
    }

    private func fetch(_ path: String) async throws(Failure) -> (status: Int, body: Data) {
        do {
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: url + path), timeout: .seconds(10))
            let body = try await response.body.collect(upTo: Self.answerBytes)
            return (Int(response.status.code), Data(buffer: body))
        } catch {
            throw Failure(
                .unavailable,
                "no answer from \(url) (\(error)); is the router running, and is this its console (--console)?")
        }
    }

    /// What the answer's `error` says, else its beginning.
    private static func message(_ body: Data) -> String {
        struct Refusal: Decodable { var error: String }
        if let refusal = try? JSONDecoder().decode(Refusal.self, from: body) { return refusal.error }
        return String(decoding: body.prefix(200), as: UTF8.self)
    }
}
