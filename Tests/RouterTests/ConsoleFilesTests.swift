import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Linking
import Shared
import Testing

@testable import Router

@Suite struct ConsoleFilesTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/Router/UI")

    private func application() -> some ApplicationProtocol {
        let router = ConsoleFiles.router()
        QueryEndpoints(store: QuerySamples.store, limits: Limits(), metrics: MetricsRegistry()).register(on: router)
        ConsoleFiles().register(on: router)
        return Application(router: router)
    }

    private func sources() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: Self.folder, includingPropertiesForKeys: nil)
    }

    /// Fails when a file was added and `scripts/embed-ui.sh` not run, or when a change did not lead to a new build.
    @Test func everyFileIsEmbeddedAsItIs() throws {
        let sources = try sources()
        #expect(sources.count > 10)
        #expect(Set(sources.map(\.lastPathComponent)) == Set(ConsoleFile.all.keys))
        for source in sources {
            let file = try #require(ConsoleFile.all[source.lastPathComponent])
            #expect(Data(file.contents.readableBytesView) == (try Data(contentsOf: source)), "\(file.name)")
            #expect(file.mediaType != nil, "\(file.name)")
        }
    }

    /// Works offline, and under the policy: no other host, nothing inline.
    @Test func noFileNamesAnotherHostOrHasInlineCode() throws {
        for source in try sources() {
            let text = try String(contentsOf: source, encoding: .utf8)
                .replacing("http://www.w3.org/2000/svg", with: "")
                .replacing("http://${bracketed}", with: "")
            #expect(!text.contains(/(https?:|wss?:|["'(\s])\/\/[a-z0-9$]/), "\(source.lastPathComponent)")
            #expect(!text.contains(/eval\(|new Function|innerHTML|document\.write/), "\(source.lastPathComponent)")
            guard source.pathExtension == "html" else { continue }
            #expect(!text.contains(/<style|style=|<script>|<script(?![^>]*src=)|\son[a-z]+=/))
        }
    }

    @Test func everyFileThatIsNamedExists() throws {
        for source in try sources() {
            let text = try String(contentsOf: source, encoding: .utf8)
            for match in text.matches(of: /(?:from "\.\/|\/ui\/)([a-z0-9.-]+\.[a-z]+)"/) {
                #expect(ConsoleFile.all[String(match.1)] != nil, "\(source.lastPathComponent) names \(match.1)")
            }
        }
    }

    @Test func pageIsServedWithItsPolicy() async throws {
        try await application().test(.router) { client in
            try await client.execute(uri: "/", method: .get) { response in
                #expect(response.status == .ok)
                #expect(response.headers[.contentType] == "text/html; charset=utf-8")
                #expect(response.headers[.cacheControl] == "no-cache")
                #expect(response.headers[.contentSecurityPolicy] == ConsoleFiles.contentPolicy)
                #expect(response.headers[HTTPField.Name("x-content-type-options")!] == "nosniff")
                #expect(response.headers[HTTPField.Name("referrer-policy")!] == "no-referrer")
                #expect(String(buffer: response.body).contains("<title>ebpftrace</title>"))
            }
            try await client.execute(uri: "/ui/main.js", method: .get) {
                #expect($0.headers[.contentType] == "text/javascript; charset=utf-8")
            }
        }
    }

    @Test(arguments: [
        "/", "/ui/main.js", "/ui/no.js", "/api/echo", "/api/search", "/api/trace/zz", "/api/openapi.yaml",
    ])
    func headIsGetWithoutABody(_ path: String) async throws {
        // Live: what NIO and the router make of it together.
        try await application().test(.live) { client in
            let get = try await client.execute(uri: path, method: .get)
            let head = try await client.execute(uri: path, method: .head)
            #expect(head.status == get.status)
            #expect(head.body.readableBytes == 0)
            for name in [HTTPField.Name.contentType, .contentLength, .eTag, .cacheControl, .contentSecurityPolicy] {
                #expect(head.headers[name] == get.headers[name], "\(name)")
            }
            #expect(get.headers[.contentLength] == String(get.body.readableBytes))
            let again = try await client.execute(uri: path, method: .get)
            #expect(again.body == get.body, "the connection is of no use after HEAD")
        }
    }

    @Test func unchangedFileIsNotSentAgain() async throws {
        try await application().test(.router) { client in
            let tag = try await client.execute(uri: "/ui/style.css", method: .get) { response in
                try #require(response.headers[.eTag])
            }
            for sent in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                try await client.execute(uri: "/ui/style.css", method: .get, headers: [.ifNoneMatch: sent]) {
                    #expect($0.status == .notModified)
                    #expect($0.body.readableBytes == 0)
                }
            }
            try await client.execute(uri: "/ui/style.css", method: .get, headers: [.ifNoneMatch: "\"other\""]) {
                #expect($0.status == .ok)
            }
        }
    }

    @Test func otherNamesAreNotFound() async throws {
        try await application().test(.router) { client in
            for path in ["/ui/no.js", "/ui/..%2FPackage.swift", "/ui/", "/ui/main.js/x"] {
                try await client.execute(uri: path, method: .get) { #expect($0.status == .notFound, "\(path)") }
            }
        }
    }
}
