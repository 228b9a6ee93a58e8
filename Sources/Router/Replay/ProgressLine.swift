import Synchronization

/// A progress line that is written where it belongs, from any task: pure `Progress`, a clock, and an output.
final class ProgressLine: Sendable {
    private let state: Mutex<Progress>
    private let output: ProgressOutput
    private let clock: ReplayClock

    init(noun: String, output: ProgressOutput, clock: ReplayClock) {
        state = Mutex(Progress(noun: noun, isTerminal: output.isTerminal, start: clock.now()))
        self.output = output
        self.clock = clock
    }

    /// Shows where the work stands, when it is time for that.
    func update(done: Int, fraction: Double?) {
        let now = clock.now()
        state.withLock { progress in
            if let text = progress.update(done: done, fraction: fraction, now: now) { output.write(text) }
        }
    }

    /// Writes a line of its own above the progress line.
    func note(_ text: String) {
        state.withLock { progress in output.write(progress.interrupt() + text + "\n") }
    }

    /// Takes the progress line away.
    func end() {
        state.withLock { progress in output.write(progress.interrupt()) }
    }
}
