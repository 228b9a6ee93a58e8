import NIOCore
import Shared

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Turns what binding a socket can fail with into a sentence with a remedy.
public enum ListenerFailure {
    /// - Parameters:
    ///   - purpose: what the listener is for ("console").
    ///   - setting: the setting that names its address ("console").
    public static func of(
        _ error: any Error, purpose: String, setting: String, address: ListenAddress
    ) -> Failure {
        if let failure = error as? Failure { return failure }
        let flag = "--" + setting.map { $0 == "_" ? "-" : String($0) }.joined()
        let number = (error as? IOError)?.errnoCode
        let problem: String
        switch number {
        case EADDRINUSE:
            problem =
                "is taken by another process; stop that process, or choose another address with \(flag) (port 0: any)"
        case EACCES:
            problem = "may not be bound by this user; choose a port above 1023 with \(flag)"
        case EADDRNOTAVAIL:
            problem = "is not an address of this machine; choose another with \(flag)"
        default:
            problem = "cannot be bound; choose another address with \(flag)"
        }
        return Failure(
            .unavailable, "\(purpose) address \(address) \(problem)", cause: number == EADDRINUSE ? nil : error)
    }
}

extension ListenAddress {
    /// The address of a bound socket; nil for a socket that is no IP socket.
    public init?(_ address: SocketAddress?) {
        guard let address, let host = address.ipAddress, let port = address.port, let port = UInt16(exactly: port)
        else {
            return nil
        }
        self.init(host: host, port: port)
    }
}
