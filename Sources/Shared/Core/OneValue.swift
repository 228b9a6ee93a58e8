import Synchronization

/// A value that becomes known once, for those who wait for it.
public final class OneValue<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var isClosed = false
        var waiters: [CheckedContinuation<Value?, Never>] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// Makes the value known; later calls change nothing.
    public func set(_ value: Value) {
        let waiters = state.withLock { state in
            guard state.value == nil, !state.isClosed else { return [CheckedContinuation<Value?, Never>]() }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Ends all waiting without a value.
    public func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    /// The value if it is known already.
    public var current: Value? { state.withLock { $0.value } }

    /// Waits for the value; nil when the waiting was ended, or the task cancelled.
    public func value() async -> Value? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
                let known: Value?? = state.withLock { state in
                    if let value = state.value { return .some(value) }
                    if state.isClosed || Task.isCancelled { return .some(nil) }
                    state.waiters.append(continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            close()
        }
    }
}
