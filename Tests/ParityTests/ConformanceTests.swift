import Foundation
import ProductSupport
import Testing

/// The recorded behaviour of DataKit's collector (Tests/Fixtures/conformance).
extension Parity {
    @Suite(.serialized) struct ConformanceTests {
        static let core = [
            "app-datadog", "app-mid-trace", "app-off", "app-sampled", "app-w3c-as-sent", "app-w3c-encode-hex",
            "client-only", "entry-last", "fan-out", "ipv6", "keep-alive", "mix", "protocols", "sampling", "server-only",
            "simple-chain", "two-windows",
        ]

        @Test("links, ids, parents and sampling are those of the collector", arguments: core)
        func isEqual(_ name: String) async throws {
            let scenario = try await ConformanceScenario(name)
            #expect(scenario.meta.level == "core")
            let replay = try await scenario.replay(["--compat", "datakit"])
            try scenario.compare(replay.spans)
        }

        @Test("every scenario of the fixtures is tested")
        func nothingIsForgotten() throws {
            let folders = try FileManager.default.contentsOfDirectory(atPath: Product.fixtures + "/conformance")
            let tested = Self.core + QuirkTests.scenarios
            #expect(Set(folders.filter { !$0.hasSuffix(".md") }) == Set(tested))
        }

        @Test("line protocol gives the same spans as protobuf", arguments: ["mix", "app-w3c-encode-hex"])
        func lineProtocolIsEqual(_ name: String) async throws {
            let scenario = try await ConformanceScenario(name)
            let protobuf = try await scenario.replay(["--compat", "datakit"])
            let lines = try await scenario.replay(["--compat", "datakit"], files: [scenario.folder + "/input.lp.gz"])
            #expect(protobuf.spans.map(\.canonical).sorted() == lines.spans.map(\.canonical).sorted())
            try scenario.compare(lines.spans)
        }
    }
}
