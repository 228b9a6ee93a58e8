import Linking
import Logging
import NIOCore
import Shared

/// Makes the targets of a worker from the user's settings.
struct ExportTargetFactory: Sendable {
    var worker: WorkerOrdinal
    /// A name of the verdict log that no other data directory has (file target).
    var log: String
    var limits = Limits()
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

    /// One target for each setting, `NoTarget` for none at all; labels as `TargetSpec.labels`.
    ///
    /// Throws `Failure(.configuration)` for a target that cannot be used, or that is given twice.
    func targets(from specs: [TargetSpec]) throws -> [any ExportTarget] {
        let folders = specs.compactMap { (spec: TargetSpec) -> String? in
            guard case .file(let path) = spec else { return nil }
            return path
        }
        guard Set(folders).count == folders.count else {
            throw Failure(.configuration, "two file targets name the same folder; leave one of them out")
        }
        guard specs.count(where: { $0 == .standardOutput }) <= 1 else {
            throw Failure(.configuration, "the target stdout is given twice; leave one of them out")
        }
        let labels = TargetSpec.labels(of: specs)
        if specs.isEmpty { return [NoTarget(queue: queue(labels[0]))] }
        var targets: [any ExportTarget] = []
        for (spec, label) in zip(specs, labels) { targets.append(try target(spec, label: label)) }
        return targets
    }

    private func queue(_ label: String) -> TargetQueue {
        TargetQueue(
            target: label, bytesMax: limits.targetQueueBytes, ledger: ledger, observer: observer,
            acknowledge: acknowledge)
    }

    private func target(_ spec: TargetSpec, label: String) throws -> any ExportTarget {
        let queue = queue(label)
        switch spec {
        case .file(let folder):
            return FileTarget(
                folder: folder, worker: worker, log: log, policy: filePolicy, queue: queue,
                disk: SystemDisk(isDurable: isDurable), waiting: waiting, observer: observer, logger: logger)
        case .standardOutput:
            return StandardOutputTarget(
                descriptor: outputDescriptor, queue: queue, waiting: waiting, observer: observer, logger: logger)
        case .dataway(let dataway):
            let address = try DatawayAddress(dataway.address(path: ""))
            let transport = HTTPTransport.dataway(address, connections: PostingTarget.requestsMax)
            return PostingTarget(
                format: .protobuf, rules: DatawayRules(), transport: transport, packing: dataway.gzip ? .gzip : nil,
                queue: queue, waiting: waiting, observer: observer, logger: logger)
        case .otlp(let otlp):
            let transport = HTTPTransport.otlp(
                try OTLPAddress(otlp.url.revealed), headers: otlp.headers, connections: PostingTarget.requestsMax)
            return PostingTarget(
                format: .otlp(otlp.fields), rules: OTLPRules(), transport: transport,
                packing: PostingTarget.Packing(otlp.compression), queue: queue, waiting: waiting, observer: observer,
                logger: logger)
        }
    }
}

extension PostingTarget.Packing {
    /// One gzip member. A context is made anew for each body of up to 1 MB, which costs far less than the body.
    static let gzip = PostingTarget.Packing(encoding: "gzip") { body in
        ByteBuffer(bytes: try body.withUnsafeReadableBytes { try Gzip().compress($0) })
    }
    /// One zstd frame.
    static let zstd = PostingTarget.Packing(encoding: "zstd") { body in
        ByteBuffer(bytes: try body.withUnsafeReadableBytes { try Zstd().compress($0) })
    }

    /// Nil for bodies as they are.
    init?(_ compression: TargetCompression) {
        switch compression {
        case .none: return nil
        case .gzip: self = .gzip
        case .zstd: self = .zstd
        }
    }
}
