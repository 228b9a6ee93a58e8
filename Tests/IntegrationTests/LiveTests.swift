import Foundation
import ProductSupport
import Testing

/// A router with two workers under posted load.
extension Integration {
    @Suite(.serialized) struct LiveTests {
        @Test("recorded spans posted at speed 40 are all exported, and the books balance")
        func speed40() async throws {
            let router = try await LiveRouter()
            let sent = try await ProductRun.router(
                [
                    "replay", "--to", "http://" + router.agents, "--speed", "40",
                    Product.fixtures + "/real/threads-chain",
                ])
            #expect(sent.status == 0, "\(sent.errors)")
            try expectBalance(router)
            try await router.settles(accepted: 5486)
            let spans = try await router.spans()
            #expect(spans.count == 5486)
            #expect(spans.byID.count == 5486)
            try expectBalance(router)
            #expect(try router.metric("spans_exported_total", without: "target=\"store\"") == 5486)
            #expect(try router.metric("invariant_violations_total") == 0)
            try await router.run.stop()
        }

        /// accepted = exported + dropped after acceptance + held of the one target, on one status page.
        private func expectBalance(_ router: LiveRouter) throws {
            let status = try router.status()
            let left = (status.spansExported["file"] ?? 0) + status.spansDropped.values.reduce(0, +)
            #expect(status.spansAccepted == left + status.spansHeld, "\(status)")
            #expect(try router.metric("spans_accepted_total") == Double(status.spansAccepted))
        }

        @Test("each trace is exported within window + one epoch + 1 s of its last span")
        func latency() async throws {
            let router = try await LiveRouter()
            let bodies = try await SpanBodies(fixture: "conformance/mix")
            let clock = ContinuousClock()
            let origin = clock.now
            var posted: [String: Duration] = [:]
            for number in bodies.lineProtocol.indices {
                #expect(try RawHTTP.post(router.agents, "/v1/bpftracing", bodies.body(number)).status == 200)
                let now = origin.duration(to: clock.now)
                for line in bodies.lineProtocol[number] { posted[SpanBodies.key(line: line)] = now }
                try await Task.sleep(for: .milliseconds(300))
            }
            var known: [String: Duration] = [:]
            while known.count < bodies.spans, origin.duration(to: clock.now) < .seconds(30) {
                let lines = try router.lines()
                let now = origin.duration(to: clock.now)
                // A part that is joined moves its lines to another place; they are read when all are there.
                for line in lines where known[line] == nil { known[line] = now }
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(known.count == bodies.spans)
            var seen: [String: Duration] = [:]
            var traces: [String: [ExportedSpan]] = [:]
            for (line, time) in known {
                let span = try ExportedSpan(line: Data(line.utf8))
                seen[span.spanID] = time
                traces[span.ebpfTraceID, default: []].append(span)
            }
            try expectTimely(traces, posted: posted, seen: seen)
            try await router.run.stop()
        }

        private func expectTimely(
            _ traces: [String: [ExportedSpan]], posted: [String: Duration], seen: [String: Duration]
        ) throws {
            let serving = Set(
                traces.values.joined().filter { $0.fields["direction"] == "incoming" }
                    .map { "\($0.fields["src_ip"] ?? "")/\($0.fields["pid"] ?? "")" })
            let reporting = Set(traces.values.joined().map { $0.fields["src_ip"] ?? "" })
            // Window, an epoch, a second; and the time between two looks of this test.
            let short = Duration.milliseconds(2000 + 500 + 1000 + 100)
            var timely = 0
            for (trace, spans) in traces {
                let last = try #require(spans.compactMap { posted[SpanBodies.key($0)] }.max())
                let shown = try #require(spans.compactMap { seen[$0.spanID] }.max())
                let root = try #require(spans.first { $0.ebpfParentID == "0" })
                let process = "\(root.fields["src_ip"] ?? "")/\(root.fields["pid"] ?? "")"
                let waits =
                    root.fields["direction"] == "incoming"
                    ? reporting.contains(root.fields["dst_ip"] ?? "") : serving.contains(process)
                let limit = waits ? short + .seconds(4) : short
                #expect(shown - last <= limit, "trace \(trace), root \(root.identity)")
                timely += waits ? 0 : 1
            }
            #expect(timely > 20, "traces that wait for nothing: \(timely) of \(traces.count)")
        }

        @Test("health, status, ping and error pages")
        func pages() async throws {
            let router = try await LiveRouter()
            #expect(try RawHTTP.get(router.console, "/livez").status == 200)
            #expect(try RawHTTP.get(router.console, "/readyz").status == 200)
            let status = try router.status()
            #expect(status.workers.count == 2 && status.workers.allSatisfy { $0.state == "running" })
            #expect(status.problems.isEmpty)
            let ping = try RawHTTP.get(router.agents, "/v1/ping")
            let content = try JSONSerialization.jsonObject(with: Data(ping.body)) as? [String: [String: String]]
            #expect(ping.status == 200)
            #expect(content.map { Set(($0["content"] ?? [:]).keys) } == ["version", "uptime", "host"])
            let report = Array("{\"input\":\"ebpf-trace\",\"err_content\":\"probe failed\"}".utf8)
            let answer = try RawHTTP.post(router.agents, "/v1/lasterror", report)
            #expect(answer.status == 200 && answer.body.isEmpty)
            for address in [router.agents, router.console] {
                let page = try RawHTTP.get(address, "/metrics")
                #expect(page.status == 200 && page.text.contains("ebpftrace_spans_accepted_total"))
                #expect(page.text.contains("worker=\"1\""), "the router's page carries its workers' series")
            }
            try await router.run.stop()
        }
    }
}
