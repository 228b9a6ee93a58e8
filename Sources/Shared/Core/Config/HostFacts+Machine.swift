import Glibc

/// What the shell of a program hands to `resolve`: this machine, and files of its disk.
extension HostFacts {
    /// The machine this process runs on. Its address is the first IPv4 address that is not loopback.
    public static func ofThisMachine() -> HostFacts {
        HostFacts(name: machineName(), address: machineAddress(), isRoot: geteuid() == 0)
    }

    private static func machineName() -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        return text(bytes)
    }

    private static func machineAddress() -> String? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var next = first
        while let interface = next?.pointee {
            next = interface.ifa_next
            guard let address = interface.ifa_addr, address.pointee.sa_family == UInt16(AF_INET),
                interface.ifa_flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            var bytes = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
            let isText = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                inet_ntop(AF_INET, &address.pointee.sin_addr, &bytes, socklen_t(bytes.count)) != nil
            }
            if isText { return text(bytes) }
        }
        return nil
    }

    private static func text(_ bytes: [CChar]) -> String {
        String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Settings files on the disk.
public enum SettingsDisk {
    /// The text of a settings file, at most a little over the largest size that is accepted.
    ///
    /// Fails with `.fileMissing` when it cannot be opened or read.
    public static func read(_ path: String) throws(Failure) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw Failure(.fileMissing, "settings file \(path) cannot be opened: \(reason()); check --config")
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: SettingsFile.largestBytes + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(file, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw Failure(.fileMissing, "settings file \(path) cannot be read: \(reason()); check --config")
            }
            if got == 0 { break }
            count += got
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
