import Shared
import Synchronization

/// Time for a replay: what a clock shows since some fixed moment, and a way to wait.
struct ReplayClock: Sendable {
    var now: @Sendable () -> Duration
    var sleep: @Sendable (Duration) async throws -> Void

    /// The system's monotonic clock.
    static var system: ReplayClock {
        let start = ContinuousClock.now
        return ReplayClock(
            now: { ContinuousClock.now - start }, sleep: { try await Task.sleep(for: $0, clock: .continuous) })
    }
}

/// What became of the spans of a replay over HTTP.
struct PostTally: Sendable, Equatable {
    /// Spans and bodies that the router took.
    var takenSpans = 0
    var takenBodies = 0
    /// Spans and bodies that the router refused for good.
    var refusedSpans = 0
    var refusedBodies = 0
    /// Times a body was sent again.
    var retries = 0
    /// From the first to the last answer.
    var elapsed = Duration.zero

    /// Lines for the end of a replay.
    var text: String {
        let rate = Figures.rate(takenSpans, in: elapsed)
        var lines = [
            "sent \(Figures.count(takenSpans)) spans in \(Figures.count(takenBodies)) bodies, "
                + "\(Figures.time(elapsed)), \(rate)"
        ]
        if refusedBodies > 0 {
            lines.append(
                "the router refused \(Figures.count(refusedSpans)) spans in \(Figures.count(refusedBodies)) bodies")
        }
        if retries > 0 { lines.append("sent again: \(Figures.count(retries)) times") }
        return lines.joined(separator: "\n")
    }
}

/// Posts the bodies of a replay to a running router, at recorded pace or as fast as it takes them.
///
/// Invalid input of three kinds: a body the router refuses (400, 413) is counted and passed over; an answer that time
/// may heal (503, other 5xx, 429, no connection) is waited out up to `patience`; anything else ends the replay.
struct ReplayPoster: Sendable {
    /// How to post.
    struct Settings: Sendable {
        /// Most bodies under way.
        var concurrency = 4
        /// How long one body is sent again before the replay gives up.
        var patience = Duration.seconds(30)
        /// Refused bodies that get a line of their own; the others are only counted.
        var refusalLines = 10
        init() {}
    }

    let target: ReplayTarget
    let sender: any ReplaySender
    let clock: ReplayClock
    let settings: Settings
    /// Writes a line about something that went wrong.
    let note: @Sendable (String) -> Void
    private let patienceNotes = PatienceNotes()

    init(
        target: ReplayTarget, sender: any ReplaySender, clock: ReplayClock = .system, settings: Settings = Settings(),
        note: @escaping @Sendable (String) -> Void
    ) {
        self.target = target
        self.sender = sender
        self.clock = clock
        self.settings = settings
        self.note = note
    }

    private enum Event: Sendable {
        case due
        case tick
        case answered(ReplayBody, Outcome)
    }

    /// What became of one body.
    enum Outcome: Sendable {
        case taken(retries: Int)
        case refused(status: Int, text: String, retries: Int)
        case gaveUp(Failure)
    }

    /// Posts every body.
    /// - Parameters:
    ///   - next: gives the next body; nil at the end.
    ///   - pace: recorded pace; nil: as fast as the router takes them. Bodies need an `arrival` then.
    ///   - show: told about the tally every second, and after each answer.
    /// - Throws: what `next` throws; `Failure(.unavailable)` when the router is away, or is no router.
    func run(
        next: () throws -> ReplayBody?, pace: RecordedPace? = nil, show: (PostTally) -> Void = { _ in }
    ) async throws -> PostTally {
        let begin = clock.now()
        return try await withThrowingTaskGroup(of: Event.self) { group in
            defer { group.cancelAll() }
            var run = Run(schedule: PostSchedule(concurrency: settings.concurrency), pace: pace)
            group.addTask { try await tick() }
            while true {
                try run.fill(from: next)
                while let body = run.schedule.start(at: clock.now() - begin) {
                    group.addTask { .answered(body, try await post(body)) }
                }
                if run.isOver { break }
                if let due = run.timerToSet() {
                    let wait = due - (clock.now() - begin)
                    group.addTask { try await sleep(wait) }
                }
                guard let event = try await group.next() else { break }
                if case .tick = event { group.addTask { try await tick() } }
                try note(run.take(event, elapsed: clock.now() - begin))
                show(run.tally)
            }
            return run.tally
        }
    }

    private func tick() async throws -> Event {
        try await clock.sleep(.seconds(1))
        return .tick
    }

    private func sleep(_ wait: Duration) async throws -> Event {
        if wait > .zero { try await clock.sleep(wait) }
        return .due
    }

    private func note(_ refusal: Run.Refusal?) {
        guard let refusal else { return }
        if refusal.number <= settings.refusalLines {
            note(refusal.text)
        } else if refusal.number == settings.refusalLines + 1 {
            note("further refused bodies are only counted")
        }
    }
}

// MARK: - One body

extension ReplayPoster {
    /// Sends a body until it is taken, refused for good, or patience ends.
    func post(_ body: ReplayBody) async throws -> Outcome {
        let begin = clock.now()
        var retries = 0
        while true {
            let answer = await sender.send(body)
            // A cancelled send is silence, too; it must not be sent again.
            try Task.checkCancellation()
            guard case .again(let reason, let wait) = judge(answer, retries: retries) else {
                return final(answer, retries: retries)
            }
            let spent = clock.now() - begin
            guard spent + wait <= settings.patience else { return .gaveUp(patienceEnded(reason)) }
            if patienceNotes.isFirst() {
                note("\(target.shown): \(reason); trying again for up to \(Figures.time(settings.patience)) a body")
            }
            try await clock.sleep(wait)
            retries += 1
        }
    }

    /// Remembers that waiting was spoken of, so that it is said once and not for every body.
    private final class PatienceNotes: Sendable {
        private let wasSaid = Atomic(false)
        func isFirst() -> Bool { !wasSaid.exchange(true, ordering: .relaxed) }
    }

    private enum Judgement {
        case final
        case again(reason: String, wait: Duration)
    }

    /// Whether time may heal an answer, and how much of it: 0.1 s doubling to 2 s, or what the router asks for.
    private func judge(_ answer: ReplayAnswer, retries: Int) -> Judgement {
        let backOff = Duration.milliseconds(min(2000, 100 << min(retries, 5)))
        switch answer {
        case .status(let status, let retryAfter, _) where status >= 500 || status == 429:
            let asked = retryAfter.map { Duration.seconds(min($0, 3600)) }
            return .again(reason: "it answers \(status)", wait: asked ?? backOff)
        case .silence(let reason): return .again(reason: reason, wait: backOff)
        case .status: return .final
        }
    }

    private func final(_ answer: ReplayAnswer, retries: Int) -> Outcome {
        guard case .status(let status, _, let text) = answer else { preconditionFailure("silence is not final") }
        switch status {
        case 200..<300: return .taken(retries: retries)
        case 400, 413: return .refused(status: status, text: text, retries: retries)
        case 401, 403:
            return .gaveUp(
                Failure(.unavailable, "\(target.shown) answers \(status); add its token: --to 'http://…?token=…'"))
        default:
            return .gaveUp(
                Failure(
                    .unavailable,
                    "\(target.shown) answers \(status) to /v1/bpftracing; name a router's agents' address (port 9529)"))
        }
    }

    private func patienceEnded(_ reason: String) -> Failure {
        Failure(
            .unavailable,
            "\(target.shown) took no spans for \(Figures.time(settings.patience)) (\(reason)); "
                + "start the router there, or name another with --to")
    }
}

// MARK: - State of a run

extension ReplayPoster {
    /// The state of one run: the schedule, what is due, and the tally. No task and no clock in here.
    private struct Run {
        struct Refusal {
            var number: Int
            var text: String
        }

        var schedule: PostSchedule
        var pace: RecordedPace?
        var tally = PostTally()
        private var inputEnded = false
        private var timerRuns = false

        init(schedule: PostSchedule, pace: RecordedPace?) {
            self.schedule = schedule
            self.pace = pace
        }

        var isOver: Bool { inputEnded && schedule.isIdle }

        mutating func fill(from next: () throws -> ReplayBody?) throws {
            while !inputEnded, schedule.hasRoom {
                guard let body = try next() else {
                    inputEnded = true
                    return
                }
                schedule.add(body, due: body.arrival.flatMap { pace?.due($0) } ?? .zero)
            }
        }

        /// The moment to wake up for; nil when a timer runs already or none is needed.
        mutating func timerToSet() -> Duration? {
            guard !timerRuns, let due = schedule.nextDue() else { return nil }
            timerRuns = true
            return due
        }

        mutating func take(_ event: Event, elapsed: Duration) throws -> Refusal? {
            switch event {
            case .tick: return nil
            case .due:
                timerRuns = false
                return nil
            case .answered(let body, let outcome):
                schedule.finish(agent: body.agent)
                tally.elapsed = elapsed
                return try take(outcome, of: body)
            }
        }

        private mutating func take(_ outcome: Outcome, of body: ReplayBody) throws -> Refusal? {
            switch outcome {
            case .taken(let retries):
                tally.takenSpans += body.points
                tally.takenBodies += 1
                tally.retries += retries
                return nil
            case .refused(let status, let text, let retries):
                tally.refusedSpans += body.points
                tally.refusedBodies += 1
                tally.retries += retries
                let last = body.firstPoint + body.points - 1
                return Refusal(
                    number: tally.refusedBodies,
                    text: "the router refused points \(body.firstPoint) to \(last) of \(body.file): "
                        + "\(status) \(Figures.oneLine(text, atMost: 200))")
            case .gaveUp(let failure):
                throw Failure(
                    failure.code, "\(failure.message); \(Figures.count(tally.takenSpans)) spans were sent before")
            }
        }
    }
}
