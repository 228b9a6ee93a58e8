import Synchronization

/// Something that happens at most once, whoever asks first.
final class Latch: Sendable {
    private let closed = Atomic(false)

    /// True for the first caller only.
    func close() -> Bool { !closed.exchange(true, ordering: .acquiringAndReleasing) }
}
