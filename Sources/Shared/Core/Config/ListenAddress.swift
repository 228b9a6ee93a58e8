/// Where a listener binds: a host and a port. Port 0: any free one.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// An address or a name, without brackets; empty: all interfaces.
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `127.0.0.1:9529`, `[::1]:9529`, `localhost:0` or `:9529`; nil for anything else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ ("0"..."9").contains($0) }), let port = UInt16(digits) else {
            return nil
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard !host.contains(where: { $0.isWhitespace || "/[]@".contains($0) }) else { return nil }
        self.init(host: String(host), port: port)
    }

    /// Only processes of the same machine can reach it.
    public var isLoopback: Bool { host == "localhost" || host == "::1" || isLoopbackNumber }

    private var isLoopbackNumber: Bool {
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil }
    }

    /// The same place as processes of this machine reach it: "all interfaces" becomes loopback.
    public var reachable: ListenAddress {
        switch host {
        case "", "0.0.0.0": ListenAddress(host: "127.0.0.1", port: port)
        case "::": ListenAddress(host: "::1", port: port)
        default: self
        }
    }

    /// The same host with the port moved by `count`; port 0 stays 0. Nil beyond port 65535.
    public func movedPort(by count: UInt16) -> ListenAddress? {
        if port == 0 { return self }
        let (sum, overflow) = port.addingReportingOverflow(count)
        return overflow ? nil : ListenAddress(host: host, port: sum)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
