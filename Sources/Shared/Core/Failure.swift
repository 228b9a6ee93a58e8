/// The one shape of an error of ours: what it is, what to do about it, and what lay beneath.
///
/// Operating errors (bad input, disk, network, configuration) are `Failure`s; a bug of ours is a `precondition`.
public struct Failure: Error, Sendable, CustomStringConvertible {
    /// An open set of codes: new ones may be added without breaking anybody.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public var name: String
        public init(_ name: String) { self.name = name }
        public var description: String { name }

        public static let usage = Code("usage")
        public static let badInput = Code("bad_input")
        public static let fileMissing = Code("file_missing")
        public static let unavailable = Code("unavailable")
        public static let cannotCreate = Code("cannot_create")
        public static let locked = Code("locked")
        public static let configuration = Code("configuration")
        public static let corrupt = Code("corrupt")
        public static let limit = Code("limit")
        public static let disk = Code("disk")
        public static let network = Code("network")
        public static let ended = Code("ended")

        /// The exit status of a process that ends with this code (sysexits(3)).
        public var exitStatus: Int32 {
            switch self {
            case .usage: 64
            case .badInput: 65
            case .fileMissing: 66
            case .unavailable, .network: 69
            case .cannotCreate: 73
            case .disk, .corrupt: 74
            case .locked: 75
            case .configuration: 78
            default: 70
            }
        }
    }

    public var code: Code
    /// One sentence that names the thing and the remedy.
    public var message: String
    public var cause: (any Error)?
    public var location: String

    public init(
        _ code: Code, _ message: String, cause: (any Error)? = nil, file: StaticString = #fileID, line: UInt = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        location = "\(file):\(line)"
    }

    public var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
