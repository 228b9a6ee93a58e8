import Foundation
import Shared

/// The name of a data directory's logs: random, made once.
enum LogIdentity {
    static func readOrMake(in directory: DataDirectory) throws(Failure) -> String {
        let path = directory.path + "/identity"
        if let bytes = try? directory.disk.contents(path, limit: 256), !bytes.isEmpty {
            return String(decoding: bytes, as: UTF8.self)
        }
        let identity = UUID().uuidString.lowercased()
        try directory.disk.replace(path, with: Array(identity.utf8))
        return identity
    }
}
