import Foundation
import ProductSupport
import Shared
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A router that is killed and started again while the workers of the killed one still live.
extension Integration {
    @Suite(.serialized) struct RestartTests {
        /// Who holds the lock of a worker, or held it last.
        private func holder(_ ordinal: Int, _ folder: TestFolder) -> Int32 {
            let path = folder.file("data/worker-\(ordinal).lock")
            let bytes = FileManager.default.contents(atPath: path) ?? Data()
            return Int32(String(decoding: bytes, as: UTF8.self).filter(\.isNumber)) ?? 0
        }

        /// Files of a folder's `traces` that a process has open; the kernel may write the folder's path another way.
        private func openTraces(of pid: Int32, _ folder: TestFolder) -> [String] {
            let traces = (folder.path as NSString).lastPathComponent + "/traces"
            let links = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
            return links.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)")
            }.filter { $0.contains(traces) }
        }

        private func address(_ name: String, _ router: LiveRouter) throws -> String {
            let bytes = FileManager.default.contents(atPath: router.folder.file("data/listeners.json")) ?? Data()
            return try #require(try JSONDecoder().decode([String: String].self, from: bytes)[name])
        }

        @Test("a router killed and started again at once: new workers wait for the old ones, every span comes once")
        func startedAgainAtOnce() async throws {
            // A target that is down keeps the old workers busy for their 5 s.
            let sink = try HTTPSink(answers: Array(repeating: 503, count: 100_000))
            let folder = try TestFolder()
            let targets = ["file:" + folder.file("traces"), "dataway:http://\(sink.address)?token=t"]
            let bodies = try await SpanBodies(fixture: "real/dd-pool")
            let count = bodies.lineProtocol.count
            var router = try await LiveRouter(folder: folder, targets: targets)
            let peers = try address("peers", router)
            var accepted = try await router.post(bodies, 0..<count / 3)
            var overlaps = 0
            for round in 1..<3 {
                try await Task.sleep(for: .milliseconds(2500))
                let old = try router.workers()
                #expect(old.count == 2 && zip(0..., old).allSatisfy { holder($0, folder) == $1 })
                let killed = ContinuousClock.now
                try await router.run.killNow()
                #expect(ContinuousClock.now - killed < .milliseconds(100))
                let watching = Task { try await watch(old, folder) }
                // The same peer address: the old workers find the new router where their own one was.
                router = try await LiveRouter(folder: folder, targets: targets, settings: ["--peers", peers])
                accepted.formUnion(try await router.post(bodies, count * round / 3..<count * (round + 1) / 3))
                overlaps += try await watching.value
                let haveChanged = try await becomes(true, within: 40) {
                    let new = try router.workers()
                    return new.count == 2 && zip(0..., new).allSatisfy { holder($0, folder) == $1 }
                }
                #expect(haveChanged, "the new workers do not take over")
            }
            #expect(overlaps > 0, "the old workers were gone before the new ones came: nothing was tested")
            #expect(accepted.count == bodies.spans)
            sink.recover()
            try await settled(router, sink, accepted)
        }

        /// Looks at a pair of workers until both are gone; returns how often another was seen to wait for its lock.
        private func watch(_ old: [Int32], _ folder: TestFolder) async throws -> Int {
            var waits = 0
            let deadline = ContinuousClock.now + .seconds(20)
            while old.contains(where: isAlive), ContinuousClock.now < deadline {
                for (ordinal, pid) in old.enumerated() where isAlive(pid) {
                    for other in workerProcesses(ordinal, folder) where other != pid {
                        let files = openTraces(of: other, folder)
                        guard holder(ordinal, folder) == pid else { continue }
                        #expect(files.isEmpty, "\(other) writes beside \(pid): \(files)")
                        waits += 1
                    }
                    // A process that gave its lock up has closed its files, and is about to end.
                    if holder(ordinal, folder) != pid {
                        let files = openTraces(of: pid, folder)
                        #expect(files.isEmpty, "\(pid) writes beside the next one: \(files)")
                    }
                }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(!old.contains(where: isAlive), "workers live on without their router")
            return waits
        }

        /// Processes of a worker of this test, told by the file target in their environment or arguments.
        private func workerProcesses(_ ordinal: Int, _ folder: TestFolder) -> [Int32] {
            let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return all.compactMap { Int32($0) }.filter { pid in
                func text(_ name: String) -> String {
                    let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/\(name)") ?? Data()
                    return String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\0", with: " ")
                }
                let arguments = text("cmdline")
                return arguments.contains("ebpftrace-worker") && arguments.contains("--ordinal \(ordinal) ")
                    && (arguments + text("environ")).contains((folder.path as NSString).lastPathComponent)
            }
        }

        /// Files hold each span once; the Dataway, which took nothing before, has each at least once with its one id.
        private func settled(_ router: LiveRouter, _ sink: HTTPSink, _ accepted: Set<String>) async throws {
            try await router.settles(accepted: UInt64(accepted.count), within: 60)
            try await router.settlesForGood(spans: accepted.count)
            try await router.expectOnce(accepted)
            let ids = try sink.requests.flatMap { request in
                let packed = request.headers["content-encoding"] == "gzip"
                let body = packed ? try Gzip().decompress(request.body, limit: 64 << 20) : request.body
                return try #require(PointText.values(of: "span_id", in: body)).compactMap { $0 }
            }
            #expect(Set(ids) == Set(try await router.spans().map(\.spanID)))
            #expect(try router.metric("invariant_violations_total") == 0)
            try await router.run.stop()
        }
    }
}
