import Linking
import NIOCore
import NIOEmbedded
import NIOPosix
import Shared

/// Puts the bodies of a replay into the log, drives its clock, and waits until the last span has ended.
struct ReplayFeed {
    /// Bodies of a slice of log time when no arrival is recorded: so graphs stay small although nothing closes.
    private static let bodiesPerEpoch = 128
    /// Bodies on their way into the log at a time.
    private static let inFlight = 16

    let core: RouterCore
    let clock: SimulatedClock
    let isTimed: Bool
    let supervisor: OneValue<WorkerSupervisor>

    func run(_ input: ReplayInput) async throws {
        var decoder = ReplayDecoder(rules: core.ingestRules)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var epoch = Epoch(0)
        var bodies = 0
        var waiting: [EventLoopFuture<IngestAnswer>] = []
        while let body = try input.next() {
            try Task.checkCancellation()
            let due = try epochOf(body, bodies)
            if due > epoch {
                try await settle(&waiting, leaving: 0)
                // The first mark, too: it is what gives the first commits their epoch.
                try await core.logWriter.appendMark(Epoch(due.number - 1))
                epoch = due
            }
            bodies += 1
            guard let commit = try decoder.decode(body, now: clock.time, metrics: core.metrics) else { continue }
            waiting.append(core.logWriter.submit(commit, on: loop))
            try await settle(&waiting, leaving: Self.inFlight)
            try await keepPace()
        }
        try await settle(&waiting, leaving: 0)
        try await finish(after: epoch)
    }

    /// The epoch a body belongs to, and the clock moved there.
    private func epochOf(_ body: ReplayBody, _ bodies: Int) throws -> Epoch {
        guard isTimed, let arrival = body.arrival else { return Epoch(1 + UInt64(bodies / Self.bodiesPerEpoch)) }
        clock.move(to: Int(max(0, arrival)))
        return Epoch(UInt64(clock.time / core.clock.epochNanoseconds))
    }

    /// Waits until at most `count` bodies are on their way.
    private func settle(_ waiting: inout [EventLoopFuture<IngestAnswer>], leaving count: Int) async throws {
        while waiting.count > count {
            let answer = try await waiting.removeFirst().get()
            guard answer == .accepted else {
                throw Failure(.disk, "the private log took no more spans (\(answer)); free some space in TMPDIR")
            }
        }
    }

    /// Lets the workers catch up now and then, so that the log on disk stays small when time closes traces.
    private func keepPace() async throws {
        while core.merge.progress.waitingEpochs > core.limits.unackedPartials / 2 {
            try await check()
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Moves the clock until every trace has closed, closes the rest, and waits for the targets.
    private func finish(after epoch: Epoch) async throws {
        var last = Epoch(max(1, epoch.number))
        try await core.logWriter.appendMark(last)
        if isTimed {
            // As live: each epoch's mark comes, with nothing in between.
            for _ in 0...core.settings.linking.maxTraceAgeEpochs {
                last = last.advanced(by: 1)
                clock.move(to: Int(last.number) * core.clock.epochNanoseconds)
                try await core.logWriter.appendMark(last)
                try await keepPace()
            }
        }
        core.board.setFactsFinal()
        core.merge.flush(after: last)
        try await wait { core.merge.progress.isFlushed }
        core.board.setFinal()
        let end = core.merge.progress.verdicts
        try await wait { core.board.acknowledged.allSatisfy { $0 >= end } }
    }

    private func wait(until isDone: () -> Bool) async throws {
        while !isDone() {
            try await check()
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// A worker that cannot live ends the replay instead of being started for ever.
    private func check() async throws {
        try Task.checkCancellation()
        if let problem = core.merge.progress.failure { throw Failure(.disk, problem) }
        for worker in supervisor.current?.statuses ?? [] where worker.restarts > 5 {
            throw Failure(
                .ended,
                "worker \(worker.ordinal) ends again and again (\(worker.lastExit ?? "no reason")); see its messages")
        }
    }
}

/// Reads the bodies of a replay as the agents' listener would.
struct ReplayDecoder {
    private let decoder: BodyDecoder
    private let rules: IngestRules

    init(rules: IngestRules) {
        self.rules = rules
        decoder = BodyDecoder(rules: rules)
    }

    /// The body as the log takes it; nil when it holds no span. Throws `.badInput` for a body that cannot be read.
    mutating func decode(_ body: ReplayBody, now: Int, metrics: MetricsRegistry) throws(Failure) -> CommitBody? {
        var batch = FactsBatch()
        let scope = body.agent.map { AgentScope.hash($0[...]) } ?? 0
        let received = PayloadBytes(body.bytes)
        do throws(BodyError) {
            let decoded = try received.withUnsafeBytes { (bytes) throws(BodyError) in
                try decoder.decode(
                    contentType: "application/protobuf; proto=com.guance.Point", contentEncoding: nil, body: bytes,
                    scope: scope, now: Int64(now), into: &batch)
            }
            for (reason, count) in batch.dropped.entries {
                metrics.counter(Metric.spansDropped, "ingest", reason.rawValue).add(count)
            }
            guard !batch.rows.isEmpty else { return nil }
            return switch decoded {
            case .asReceived: CommitBody(payload: received, rows: batch.rows)
            case .rewritten(let bytes): CommitBody(payload: PayloadBytes(bytes), rows: batch.rows)
            }
        } catch  where error.kind == .noPoints {
            return nil
        } catch {
            throw Failure(.badInput, "\(body.file) near point \(body.firstPoint) cannot be read: \(error.message)")
        }
    }
}
