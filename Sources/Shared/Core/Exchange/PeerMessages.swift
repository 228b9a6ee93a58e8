import Linking

// What routers and workers say to each other on the peer listener (embedded deployment): JSON over HTTP, but for the
// partial graphs, which are bytes.
//
//     POST /v1/peers/hello      WorkerHello  → WorkerWelcome     once at a worker's start
//     GET  /v1/peers/ends       PeerEnds     (long poll: answered when one of the ends has moved)
//     POST /v1/peers/partials   zstd(partial graph)              one or more an epoch; repeats are harmless
//     POST /v1/peers/report     WorkerReport                     what ended where; also the heartbeat
//
// Workers on the router's machine read span log and verdict log from the data directory itself.

/// The paths of the peer listener.
public enum PeerPath {
    public static let hello = "/v1/peers/hello"
    public static let ends = "/v1/peers/ends"
    public static let partials = "/v1/peers/partials"
    public static let report = "/v1/peers/report"
}

/// A worker presents itself.
public struct WorkerHello: Codable, Sendable, Equatable {
    public var ordinal: UInt16
    public var workers: Int
    public var pid: Int32
    /// Where its health and metrics are served, `host:port`.
    public var admin: String

    public init(ordinal: UInt16, workers: Int, pid: Int32, admin: String) {
        self.ordinal = ordinal
        self.workers = workers
        self.pid = pid
        self.admin = admin
    }
}

/// What a worker must know to begin.
public struct WorkerWelcome: Codable, Sendable, Equatable {
    /// The router's data directory; its logs are read from there.
    public var dataDirectory: String
    /// A name of the logs that no other data directory has.
    public var logIdentity: String
    public var router: UInt16
    /// The partitions it owns: `firstPartition ..< endPartition`.
    public var firstPartition: UInt16
    public var endPartition: UInt16
    public var epochNanoseconds: Int
    /// Whether duplicates are remembered for `lateWindowEpochs`, or for ever (a replay without `--timed`).
    public var lateWindowEpochs: UInt64?
    /// Position in the verdict log up to which everything the worker owns has ended in every target.
    public var acknowledgedVerdicts: UInt64
    /// The newest epoch whose duplicates the router has already counted; nil: none.
    public var reportedEpoch: UInt64?
    /// Epochs whose spans an earlier run of the router has given up: whatever verdict they get now does not count.
    public var settled: [LostEpochs]
    /// A replay: files are written as parts to be joined, and need not survive a power cut.
    public var isReplay: Bool
    /// A row has its verdict at the latest when the watermark is so many epochs behind its own; what has none then
    /// never gets one. Nil: only at the end (a replay without `--timed`).
    public var verdictEpochs: UInt64?

    public init(
        dataDirectory: String, logIdentity: String, router: UInt16, firstPartition: UInt16, endPartition: UInt16,
        epochNanoseconds: Int, lateWindowEpochs: UInt64?, acknowledgedVerdicts: UInt64, reportedEpoch: UInt64?,
        settled: [LostEpochs], isReplay: Bool, verdictEpochs: UInt64?
    ) {
        self.dataDirectory = dataDirectory
        self.logIdentity = logIdentity
        self.router = router
        self.firstPartition = firstPartition
        self.endPartition = endPartition
        self.epochNanoseconds = epochNanoseconds
        self.lateWindowEpochs = lateWindowEpochs
        self.acknowledgedVerdicts = acknowledgedVerdicts
        self.reportedEpoch = reportedEpoch
        self.settled = settled
        self.isReplay = isReplay
        self.verdictEpochs = verdictEpochs
    }
}

/// How far the logs reach.
public struct PeerEnds: Codable, Sendable, Equatable {
    public var facts: UInt64
    public var verdicts: UInt64
    /// Nothing follows: the end of a replay. Targets finish what they hold.
    public var areFinal: Bool
    /// No facts follow, verdicts may: the input of a replay has ended.
    public var factsAreFinal: Bool
    /// The merge's watermark when the verdict log ended at `verdicts`.
    public var watermark: UInt64
    /// What the merge had to leave out, oldest first; grows while the router runs.
    public var lost: [LostEpochs]

    public init(
        facts: UInt64, verdicts: UInt64, areFinal: Bool = false, factsAreFinal: Bool = false, watermark: UInt64 = 0,
        lost: [LostEpochs] = []
    ) {
        self.facts = facts
        self.verdicts = verdicts
        self.areFinal = areFinal
        self.factsAreFinal = factsAreFinal
        self.watermark = watermark
        self.lost = lost
    }
}

/// Epochs in which some spans of some partitions can never end as they should, and why.
///
/// Which spans these are is often unknown: what names them is what was lost. So the epochs are settled as a whole, once
/// all others of their spans have ended: what is held then is dropped under the reason.
public struct LostEpochs: Codable, Sendable, Equatable {
    /// The first and the last epoch.
    public var from: UInt64
    public var to: UInt64
    /// The first partition, and the one behind the last.
    public var firstPartition: UInt16
    public var endPartition: UInt16
    /// One of `DropReason`.
    public var reason: String

    public init(from: UInt64, to: UInt64, firstPartition: UInt16, endPartition: UInt16, reason: String) {
        self.from = from
        self.to = to
        self.firstPartition = firstPartition
        self.endPartition = endPartition
        self.reason = reason
    }

    /// Whether a slice is one of these.
    public func contains(epoch: UInt64, partition: UInt16) -> Bool {
        from <= epoch && epoch <= to && firstPartition <= partition && partition < endPartition
    }
}

/// What ended since a worker's last report. Sent again until it is answered; `number` tells repeats.
public struct WorkerReport: Codable, Sendable, Equatable {
    /// Spans of one epoch that came in or left in one way, by partition.
    public struct Line: Codable, Sendable, Equatable {
        public var epoch: UInt64
        /// Nil: for every target (duplicates, sampled spans).
        public var target: String?
        /// Nil: exported.
        public var reason: String?
        /// Partition, spans, partition, spans …
        public var counts: [UInt64]

        public init(epoch: UInt64, target: String?, reason: String?, counts: [UInt64] = []) {
            self.epoch = epoch
            self.target = target
            self.reason = reason
            self.counts = counts
        }
    }

    public var ordinal: UInt16
    public var pid: Int32
    /// 1, 2, 3 … within the life of a worker process.
    public var number: UInt64
    /// Every epoch up to this one has been read and its duplicates are in a report.
    public var readEpoch: UInt64?
    /// Everything the worker owns below this position of the facts log has ended, and the payload position there.
    public var lowWater: UInt64
    public var lowWaterPayload: UInt64
    /// Every block of the verdict log below this position has ended in every target.
    public var acknowledgedVerdicts: UInt64
    public var lines: [Line]
    /// Nothing more will be told of these epochs: what is held of them after this report's lines is lost.
    public var settled: [LostEpochs]

    public init(
        ordinal: UInt16, pid: Int32, number: UInt64, readEpoch: UInt64?, lowWater: UInt64, lowWaterPayload: UInt64,
        acknowledgedVerdicts: UInt64, lines: [Line], settled: [LostEpochs] = []
    ) {
        self.ordinal = ordinal
        self.pid = pid
        self.number = number
        self.readEpoch = readEpoch
        self.lowWater = lowWater
        self.lowWaterPayload = lowWaterPayload
        self.acknowledgedVerdicts = acknowledgedVerdicts
        self.lines = lines
        self.settled = settled
    }
}

/// Reasons of the ledger that come from router and workers themselves (targets have theirs).
public enum DropReason {
    /// The trace was not sampled.
    public static let sampled = "sampled"
    /// The span repeated an earlier one.
    public static let duplicate = "duplicate"
    /// The payload could not be read any more.
    public static let unreadablePayload = "unreadable_payload"
    /// The facts could not be read any more: a damaged part of the facts log.
    public static let unreadableFacts = "unreadable_facts"
    /// The verdict could not be read any more: a damaged part of the verdict log.
    public static let unreadableVerdict = "unreadable_verdict"
    /// The merge refused the partial graph that told of the span: torn, or another one covers the same.
    public static let refusedGraph = "refused_graph"
    /// The span had ended before the target was configured.
    public static let beforeTarget = "before_target"
    /// The merge gave no verdict within the time in which every span gets one, for no known reason.
    public static let noVerdict = "no_verdict"

    /// The stage that drops spans for a reason (`spans_dropped_total{stage}`).
    public static func stage(of reason: String) -> String {
        switch reason {
        case unreadableFacts, unreadableVerdict: "log"
        case duplicate: "pair"
        case sampled, refusedGraph, noVerdict: "merge"
        default: "export"
        }
    }
}

/// Which worker owns which partitions: worker of p = p · workers / partitions, so each owns a run of them.
public struct PartitionMap: Hashable, Sendable {
    public var partitions: UInt16
    public var workers: UInt16

    public init(partitions: UInt16, workers: UInt16) {
        self.partitions = partitions
        self.workers = workers
    }

    /// The partitions of a worker; may be empty when there are more workers than partitions.
    public func partitions(of worker: WorkerOrdinal) -> Range<UInt16> {
        func first(_ worker: Int) -> UInt16 {
            // The smallest p with p · workers / partitions ≥ worker.
            UInt16(clamping: (worker * Int(partitions) + Int(workers) - 1) / Int(workers))
        }
        return first(Int(worker.number))..<first(Int(worker.number) + 1)
    }

    public func owner(of partition: PartitionID) -> WorkerOrdinal {
        WorkerOrdinal(UInt16(Int(partition.number) * Int(workers) / Int(partitions)))
    }
}
