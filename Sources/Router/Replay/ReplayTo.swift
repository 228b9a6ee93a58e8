import AsyncHTTPClient
import Foundation
import Shared

/// `replay --to URL`: reads files and posts them to a running router.
struct ReplayTo: Sendable {
    /// Address of the router, as given.
    var address: String
    /// Times faster than recorded; nil: as fast as the router takes the bodies.
    var speed: Double?
    /// Files and directories.
    var files: [String]
    var settings = ReplayPoster.Settings()
    var output = ProgressOutput.standardError
    var clock = ReplayClock.system

    init(address: String, speed: Double? = nil, files: [String]) {
        self.address = address
        self.speed = speed
        self.files = files
    }

    /// Posts every body, with a progress line, and prints a summary.
    /// - Returns: what became of the spans.
    /// - Throws: `Failure`; its code gives the exit status (64, 65, 66, 69).
    func run() async throws -> PostTally {
        let target = try ReplayTarget(address)
        let pace = try recordedPace()
        let client = HTTPReplaySender.makeClient()
        do {
            let input = try ReplayInput(paths: files, timed: pace != nil)
            let tally = try await post(input, pace: pace, sender: HTTPReplaySender(client: client, target: target))
            try? await client.shutdown()
            return tally
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private func recordedPace() throws -> RecordedPace? {
        guard let speed else { return nil }
        if let pace = RecordedPace(speed: speed) { return pace }
        let range = RecordedPace.speeds
        throw Failure(.usage, "--speed must lie between \(range.lowerBound) and \(range.upperBound); 1 is as recorded")
    }

    private func post(
        _ input: ReplayInput, pace: RecordedPace?, sender: any ReplaySender
    ) async throws -> PostTally {
        let line = ProgressLine(noun: "spans sent", output: output, clock: clock)
        let poster = ReplayPoster(
            target: try ReplayTarget(address), sender: sender, clock: clock, settings: settings,
            note: { line.note($0) })
        do {
            let tally = try await poster.run(next: input.next, pace: pace) { tally in
                line.update(done: tally.takenSpans + tally.refusedSpans, fraction: Self.fraction(tally, of: input))
            }
            line.note(tally.text)
            return tally
        } catch {
            line.end()
            throw error
        }
    }

    /// The part of the spans that is answered; their number is told by the timelines, else by how much is read.
    private static func fraction(_ tally: PostTally, of input: ReplayInput) -> Double {
        let answered = Double(tally.takenSpans + tally.refusedSpans)
        if let total = input.totalPoints { return total == 0 ? 1 : answered / Double(total) }
        return input.points == 0 ? 0 : input.fraction * answered / Double(input.points)
    }
}
