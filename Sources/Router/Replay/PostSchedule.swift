/// Which body of a replay may be posted next: when it is due, a place is free, and its agent has none under way.
///
/// The bodies of one agent go out one after another in their order; different agents, and bodies without an agent,
/// go out side by side. Pure: no clock, no task.
struct PostSchedule: Sendable {
    /// Most bodies under way at a time.
    let concurrency: Int
    /// Most bodies that wait here, so that one agent's long batch does not hold up the others.
    let lookAhead: Int

    private struct Waiting: Sendable {
        var body: ReplayBody
        var due: Duration
    }

    /// In order of `due`.
    private var waiting: [Waiting] = []
    private var busyAgents: Set<String> = []
    /// Bodies under way.
    private(set) var underWay = 0

    init(concurrency: Int = 4, lookAhead: Int = 16) {
        precondition(concurrency > 0 && lookAhead > 0)
        self.concurrency = concurrency
        self.lookAhead = lookAhead
    }

    /// True while one more body may be added.
    var hasRoom: Bool { waiting.count < lookAhead }
    /// True when nothing waits and nothing is under way.
    var isIdle: Bool { waiting.isEmpty && underWay == 0 }

    /// Adds a body; `due` never goes back from one call to the next.
    mutating func add(_ body: ReplayBody, due: Duration) {
        precondition(hasRoom)
        waiting.append(Waiting(body: body, due: max(due, waiting.last?.due ?? .zero)))
    }

    /// Takes out the next body to post now; nil when none may go. Every body taken is later reported by `finish`.
    /// - Complexity: O(`lookAhead`).
    mutating func start(at now: Duration) -> ReplayBody? {
        guard underWay < concurrency, let index = waiting.firstIndex(where: { isFree($0.body.agent) }),
            waiting[index].due <= now
        else { return nil }
        let body = waiting.remove(at: index).body
        if let agent = body.agent { busyAgents.insert(agent) }
        underWay += 1
        return body
    }

    /// Reports that a body was answered.
    mutating func finish(agent: String?) {
        precondition(underWay > 0)
        underWay -= 1
        if let agent { busyAgents.remove(agent) }
    }

    /// When the next body may go that is not due yet; nil when only an answer can change anything.
    func nextDue() -> Duration? {
        guard underWay < concurrency else { return nil }
        return waiting.first { isFree($0.body.agent) }?.due
    }

    private func isFree(_ agent: String?) -> Bool { agent.map { !busyAgents.contains($0) } ?? true }
}
