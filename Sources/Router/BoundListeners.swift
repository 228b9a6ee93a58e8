import Foundation
import Shared
import Synchronization

/// Collects the addresses that were really bound, for whoever waits for one of them, and for users and tests.
actor BoundListeners {
    private let expected: [String]
    private var addresses: [String: ListenAddress] = [:]
    private let all = OneValue<[String: ListenAddress]>()
    private var waiting: [String: OneValue<ListenAddress>] = [:]

    init(expected: [String]) { self.expected = expected }

    func bound(_ name: String, _ address: ListenAddress) {
        addresses[name] = address
        waiter(name).set(address)
        if addresses.count == expected.count { all.set(addresses) }
    }

    private func waiter(_ name: String) -> OneValue<ListenAddress> {
        if let waiter = waiting[name] { return waiter }
        let waiter = OneValue<ListenAddress>()
        waiting[name] = waiter
        return waiter
    }

    /// The address of one listener, once it is bound; nil when the task is cancelled.
    func address(_ name: String) async -> ListenAddress? { await waiter(name).value() }

    /// All addresses, once all are bound.
    func everything() async -> [String: ListenAddress]? { await all.value() }

    /// The addresses as one JSON line, keys in order: `{"agents":"127.0.0.1:9529",…}`.
    static func line(_ addresses: [String: ListenAddress]) -> String {
        let entries = addresses.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }
        return "{" + entries.joined(separator: ",") + "}"
    }
}
