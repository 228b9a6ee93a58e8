/// What `/status` says of one worker process.
struct WorkerStatus: Codable, Sendable, Equatable {
    var ordinal: Int
    /// idle, starting, running, waiting (for its restart), stopping, stopped.
    var state: String
    /// Process id while it runs.
    var pid: Int32?
    /// Seconds since the process started.
    var upSeconds: Double?
    var restarts: Int
    /// Why the last process ended ("exited 1", "killed by signal 9").
    var lastExit: String?

    init(ordinal: Int, _ cycle: WorkerLifeCycle, now: Int) {
        self.ordinal = ordinal
        restarts = cycle.restarts
        lastExit = cycle.lastExit
        switch cycle.state {
        case .idle: state = "idle"
        case .starting: state = "starting"
        case .running(let pid, let since):
            state = "running"
            self.pid = pid
            upSeconds = Double(now - since) / 1e9
        case .waiting: state = "waiting"
        case .stopping(let pid):
            state = "stopping"
            self.pid = pid
        case .stopped: state = "stopped"
        }
    }
}
