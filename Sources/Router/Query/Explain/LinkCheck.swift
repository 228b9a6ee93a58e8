import Linking

/// Holds a rule against two spans: which values agree, and what fails. Pure; the rules are those of docs/linking.md.
struct LinkCheck: Sendable {
    var rule: String
    var matched: [Explanation.Match] = []
    /// Empty: the facts of the two give the edge.
    var failed: [String] = []

    // MARK: R1a, R1b, R2

    /// An outgoing span as the parent of an incoming one.
    static func net(child: ExplainedSpan, parent: ExplainedSpan) -> LinkCheck {
        var check = LinkCheck(rule: "R1a")
        let hasRequest = check.compare("req_seq", child.requestSequence, parent.requestSequence)
        let isStrong = child.responseSequence != nil && child.responseSequence == parent.responseSequence
        let isMirrored = check.compareFlows(child, parent)
        let hasInitiator = child.initiator != nil && child.initiator == parent.initiator
        if isStrong, let sequence = child.responseSequence {
            check.matched.insert(
                .init(what: "resp_seq", child: String(sequence), parent: String(sequence)), at: hasRequest ? 1 : 0)
            if !isMirrored { check.rule = "R1b" }
        } else if hasRequest {
            check.rule = "R2"
            if !isMirrored, !hasInitiator {
                check.failed.append(difference("resp_seq", child.responseSequence, parent.responseSequence))
                check.failed.append(
                    "neither the connection nor the calling end is the same: \(name(child.connection)) and "
                        + name(parent.connection))
            }
        }
        if parent.isIncoming { check.failed.append("it is an incoming span, too; a request has one of each side") }
        return check
    }

    /// What differs between the weak ends, for an edge that R2 made all the same.
    static func difference(_ what: String, _ child: UInt64?, _ parent: UInt64?) -> String {
        switch (child, parent) {
        case (nil, nil): "\(what) was seen by neither side"
        case (nil, let parent?): "\(what) was not seen by the child (the parent saw \(parent))"
        case (let child?, nil): "\(what) was not seen by the parent (the child saw \(child))"
        case (let child?, let parent?): "\(what) differs: \(child) and \(parent)"
        }
    }

    private mutating func compare(_ what: String, _ child: UInt64?, _ parent: UInt64?) -> Bool {
        guard let child, child == parent else {
            failed.append(Self.difference(what, child, parent))
            return false
        }
        matched.append(.init(what: what, child: String(child), parent: String(child)))
        return true
    }

    /// True when the two report one connection from its two ends. Otherwise the end that asks may be the same (a NAT).
    private mutating func compareFlows(_ child: ExplainedSpan, _ parent: ExplainedSpan) -> Bool {
        guard let one = child.connection, let other = parent.connection else { return false }
        if Set([child.source, child.destination]) == Set([parent.source, parent.destination]) {
            matched.append(.init(what: "connection", child: one, parent: other))
            return true
        }
        if let initiator = child.initiator, initiator == parent.initiator {
            matched.append(.init(what: "calling end", child: initiator, parent: initiator))
        }
        return false
    }

    private static func name(_ connection: String?) -> String { connection ?? "an unknown connection" }

    // MARK: R3

    /// An entry as the parent of an exit with its thread key.
    static func thread(child: ExplainedSpan, parent: ExplainedSpan) -> LinkCheck {
        var check = LinkCheck(rule: "R3")
        switch (child.threadKey, parent.threadKey) {
        case (let key?, let other?) where key == other:
            check.matched.append(.init(what: "thread_trace_id", child: String(key), parent: String(key)))
        case (let key?, let other?):
            check.failed.append("thread_trace_id differs: \(key) and \(other)")
        case (nil, _):
            check.failed.append("the child has no thread_trace_id")
        case (_, nil):
            check.failed.append("the candidate has no thread_trace_id")
        }
        if !parent.isEntry { check.failed.append("it is no entry; only entries are parents of calls") }
        if let time = child.kernelTime, let closed = parent.closedAt, parent.hasResponse, time > closed {
            check.failed.append("the call began \(gap(time, closed)) after the entry had ended (thread_closed)")
        } else {
            check.addTimes(child, parent)
        }
        return check
    }

    // MARK: R4

    /// An entry as the parent of an exit of its process and thread that began while it was open.
    static func process(child: ExplainedSpan, parent: ExplainedSpan) -> LinkCheck {
        var check = LinkCheck(rule: "R4")
        if let host = child.host, let other = parent.host {
            if host == other {
                check.matched.append(.init(what: "host", child: host, parent: other))
            } else {
                check.failed.append("another node: \(host) and \(other)")
            }
        }
        check.compare("pid", child.processID, parent.processID)
        let what = child.isUserThread ? "tid_usr" : "tid"
        if child.isUserThread == parent.isUserThread {
            check.compare(what, child.threadID, parent.threadID)
        } else {
            check.failed.append("only one of the two has a tid_usr")
        }
        if !parent.isEntry { check.failed.append("it is no entry; only entries are parents of calls") }
        check.compareTimes(child, parent)
        return check
    }

    private mutating func compare(_ what: String, _ child: String?, _ parent: String?) {
        if let child, child == parent {
            matched.append(.init(what: what, child: child, parent: child))
        } else {
            failed.append("\(what) differs: \(child ?? "none") and \(parent ?? "none")")
        }
    }

    private mutating func compareTimes(_ child: ExplainedSpan, _ parent: ExplainedSpan) {
        guard let time = child.kernelTime, let start = parent.kernelTime, let end = parent.closedAt else {
            failed.append("one of the two has no ktime")
            return
        }
        if time < start { return failed.append("the call began \(Self.gap(start, time)) before the entry") }
        if time > end { return failed.append("the call began \(Self.gap(time, end)) after the entry had ended") }
        addTimes(child, parent)
    }

    private mutating func addTimes(_ child: ExplainedSpan, _ parent: ExplainedSpan) {
        guard let time = child.kernelTime, let start = parent.kernelTime, let end = parent.closedAt else { return }
        let until = parent.hasResponse ? String(end) : "open"
        matched.append(.init(what: "ktime", child: String(time), parent: "\(start) … \(until)"))
    }

    /// Two to four digits: nobody compares nanoseconds of milliseconds.
    private static func gap(_ later: Int64, _ earlier: Int64) -> String {
        let (gap, overflow) = later.subtractingReportingOverflow(earlier)
        var unit: Int64 = 1
        while gap / unit >= 10_000 { unit *= 10 }
        return QueryDuration.text(overflow ? .max : gap / unit * unit)
    }
}
