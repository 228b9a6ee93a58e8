import Linking
import Logging
import NIOCore
import Shared

/// A target as the user names it: `file:PATH`, `stdout`, `dataway:URL`, `none`.
enum ExportTargetChoice: Equatable, Sendable {
    case file(folder: String)
    case standardOutput
    case dataway(DatawayAddress)
    case none

    /// Throws `Failure(.configuration)` with the forms that are known.
    init(_ text: String) throws {
        let kind = text.prefix { $0 != ":" }
        let hasRest = kind.endIndex < text.endIndex
        let rest = hasRest ? String(text[text.index(after: kind.endIndex)...]) : ""
        switch (kind, hasRest) {
        case ("file", true):
            guard !rest.isEmpty, !rest.utf8.contains(0) else {
                throw Failure(.configuration, "the target file: needs the path of a folder, as in file:/var/lib/traces")
            }
            self = .file(folder: rest)
        case ("stdout", false): self = .standardOutput
        case ("dataway", true): self = .dataway(try DatawayAddress(rest))
        case ("none", false): self = .none
        case ("otlp", _):
            throw Failure(
                .configuration, "the target otlp: comes in a later version; use dataway:URL or file:PATH for now")
        default:
            // The text may hold a token: only the kind is repeated.
            throw Failure(
                .configuration,
                "unknown target kind \"\(kind.prefix(32))\"; use file:PATH, stdout, dataway:URL or none")
        }
    }

    /// The start of the target's label in metrics, logs and the ledger.
    var kind: String {
        switch self {
        case .file: "file"
        case .standardOutput: "stdout"
        case .dataway: "dataway"
        case .none: "none"
        }
    }
}

/// Makes the targets of a worker from the user's settings.
struct ExportTargetFactory: Sendable {
    var worker: WorkerOrdinal
    /// A name of the verdict log that no other data directory has (file target).
    var log: String
    var limits = Limits()
    /// Compress bodies for Dataway.
    var isGzip = false
    var filePolicy = FilePartPolicy.live
    /// Whether the file target survives a power cut, at the price of syncs.
    var isDurable = true
    /// Descriptor of the stdout target.
    var outputDescriptor: Int32 = 1
    var ledger: ExportLedger
    var observer: any ExportObserver
    /// (target, block): every span of all blocks up to this one has ended in the target.
    var acknowledge: @Sendable (String, VerdictBlockID) -> Void
    var logger: Logger
    var waiting = ExportWaiting.system

    /// Throws `Failure(.configuration)` for a target text that cannot be used.
    ///
    /// The label of a target is its kind; the second of a kind is `kind-2`, and so on.
    func targets(from texts: [String]) throws -> [any ExportTarget] {
        var counts: [String: Int] = [:]
        var targets: [any ExportTarget] = []
        for choice in try texts.map(ExportTargetChoice.init) {
            counts[choice.kind, default: 0] += 1
            let count = counts[choice.kind] ?? 1
            targets.append(target(choice, label: count == 1 ? choice.kind : "\(choice.kind)-\(count)"))
        }
        let folders = try texts.map(ExportTargetChoice.init).filter { $0.kind == "file" }
        guard Set(folders.map { "\($0)" }).count == folders.count else {
            throw Failure(.configuration, "two file targets name the same folder; leave one of them out")
        }
        guard counts["stdout", default: 0] <= 1 else {
            throw Failure(.configuration, "the target stdout is given twice; leave one of them out")
        }
        return targets
    }

    private func target(_ choice: ExportTargetChoice, label: String) -> any ExportTarget {
        let queue = TargetQueue(
            target: label, bytesMax: limits.targetQueueBytes, ledger: ledger, observer: observer,
            acknowledge: acknowledge)
        switch choice {
        case .file(let folder):
            return FileTarget(
                folder: folder, worker: worker, log: log, policy: filePolicy, queue: queue,
                disk: SystemDisk(isDurable: isDurable), waiting: waiting, observer: observer, logger: logger)
        case .standardOutput:
            return StandardOutputTarget(
                descriptor: outputDescriptor, queue: queue, waiting: waiting, observer: observer, logger: logger)
        case .dataway(let address):
            return DatawayTarget(
                transport: HTTPDatawayTransport(address: address, connections: DatawayTarget.requestsMax),
                compress: isGzip ? compressed : nil, queue: queue, waiting: waiting, observer: observer,
                logger: logger)
        case .none:
            return NoTarget(queue: queue)
        }
    }
}

/// A body as one gzip member. A context is made anew for each body of up to 1 MB, which costs far less than the body.
@Sendable func compressed(_ body: ByteBuffer) throws -> ByteBuffer {
    ByteBuffer(bytes: try body.withUnsafeReadableBytes { try Gzip().compress($0) })
}
