import Foundation
import Hummingbird
import NIOCore
import ServiceLifecycle
import Shared
import Synchronization

/// The figures of the last twenty minutes, one point every two seconds, so that a page that was opened just now shows
/// more than a dot.
final class StatusHistory: Sendable, Service {
    /// One moment; counters since the router started.
    struct Point: Codable, Sendable {
        /// Seconds since 1970.
        var time: Double
        var accepted: UInt64
        var exported: [String: UInt64]
        var dropped: [String: UInt64]
        var held: UInt64
        var openSpans: Int
        /// Seconds between the newest commit of the log and the newest merged epoch.
        var lagSeconds: Double
        /// User and system, of the router and its workers that run.
        var cpuSeconds: Double
        /// Resident, of the same.
        var memoryBytes: Int
    }

    /// The answer of `/api/history`.
    struct Page: Codable, Sendable {
        var stepSeconds: Double
        var points: [Point]
    }

    static let step = Duration.seconds(2)
    static let pointsMax = 600

    private let points = Mutex<[Point]>([])
    private let sample: @Sendable () -> Point

    init(sample: @escaping @Sendable () -> Point) { self.sample = sample }

    var page: Page { Page(stepSeconds: 2, points: points.withLock { $0 }) }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.note(self.sample())
                try? await Task.sleep(for: Self.step)
            }
        }
    }

    /// Keeps a point; the oldest one goes.
    func note(_ point: Point) {
        points.withLock { points in
            if points.count >= Self.pointsMax { points.removeFirst(points.count - Self.pointsMax + 1) }
            points.append(point)
        }
    }

    func register(on router: some RouterMethods<some RequestContext>) {
        router.get("api/history") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: try JSONEncoder().encode(self.page))))
        }
    }
}
