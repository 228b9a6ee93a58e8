import Linking

/// Hands finished spans to any number of targets at once.
///
/// A batch is encoded once per form. A full queue suspends `submit`, after the other targets took what they have room
/// for: so the slowest target sets the pace once its queue is full, the log grows meanwhile, and nothing is dropped.
/// One task submits; blocks come in rising order.
actor ExportFanOut {
    /// Largest chunk, bytes: also the largest body of a request.
    static let chunkBytes = 1_000_000

    nonisolated let targets: [any ExportTarget]
    private let encoder: any SpanEncoder
    private var lastWhole: VerdictBlockID?
    private var running: Task<Void, Never>?

    init(targets: [any ExportTarget], encoder: any SpanEncoder) {
        self.targets = targets
        self.encoder = encoder
    }

    /// Prepares all targets and starts to deliver. Throws what a target cannot start with.
    func start() async throws {
        for target in targets { try await target.start() }
        running = Task { [targets] in
            await withDiscardingTaskGroup { group in
                for target in targets { group.addTask { await target.run() } }
            }
        }
    }

    /// The highest block of which every span has ended in every target; nil before the first.
    nonisolated var acknowledged: VerdictBlockID? {
        var lowest: VerdictBlockID?
        for target in targets {
            guard let reached = target.queue.acknowledged else { return nil }
            lowest = min(lowest ?? reached, reached)
        }
        return lowest
    }

    /// Queues a batch for every target; suspends while a queue is full.
    ///
    /// A batch of a block that was submitted whole before is ignored: its spans are in the queues or have ended.
    func submit(_ batch: ExportBatch) async {
        if let lastWhole, batch.block <= lastWhole { return }
        if batch.endsBlock { lastWhole = batch.block }
        var encoded: [ExportFormat: Encoded] = [:]
        var waiting: [(any ExportTarget, ArraySlice<QueueItem>)] = []
        for target in targets {
            let items = items(for: target, of: batch, encoded: &encoded)
            let rest = items[...].dropFirst(target.queue.offer(items[...]))
            if !rest.isEmpty { waiting.append((target, rest)) }
        }
        for (target, rest) in waiting { await target.queue.enqueue(rest) }
    }

    /// Suspends until every block submitted whole has ended in every target, or a target was closed.
    func flush() async {
        for target in targets { await target.queue.enqueue([.flush]) }
        for target in targets { await target.queue.drained() }
    }

    /// Flushes for at most `grace`, then stops the targets. What has not ended then is submitted again after a restart.
    func close(grace: Duration) async {
        let flushing = Task { await self.flush() }
        let timer = Task { [targets] in
            try? await Task.sleep(for: grace)
            if !Task.isCancelled { for target in targets { target.queue.close() } }
        }
        await flushing.value
        timer.cancel()
        let isOnTime = !targets.contains { $0.queue.isClosed }
        for target in targets { target.queue.close() }
        if isOnTime {
            await running?.value
        } else {
            // A target that missed the grace may hang in a call that cannot be cancelled; the process ends anyway.
            running?.cancel()
        }
    }

    /// No block up to and including this one is submitted again, in this process or after a restart.
    func forget(through block: VerdictBlockID) async {
        for target in targets { await target.forget(through: block) }
    }

    /// What one form of a batch puts into a queue.
    private struct Encoded {
        var items: [QueueItem]
        var unreadable: [PartitionCount]
    }

    private func items(
        for target: any ExportTarget, of batch: ExportBatch, encoded: inout [ExportFormat: Encoded]
    ) -> [QueueItem] {
        let own: Encoded
        if target.mayBeDone(block: batch.block) {
            let (rest, done) = batch.leavingOut {
                target.isDone(block: batch.block, epoch: batch.epoch, partition: $0)
            }
            if !done.isEmpty { target.queue.report(done, epoch: batch.epoch, outcome: .exported) }
            own = encode(rest, as: target.format)
        } else {
            own = encoded[target.format] ?? encode(batch, as: target.format)
            encoded[target.format] = own
        }
        if !own.unreadable.isEmpty {
            target.queue.report(own.unreadable, epoch: batch.epoch, outcome: .dropped(.unreadablePoint))
        }
        return own.items
    }

    private func encode(_ batch: ExportBatch, as format: ExportFormat) -> Encoded {
        var result = EncodedBatch()
        if format == .none {
            let all = EncodedChunk(
                block: batch.block, epoch: batch.epoch, epochTime: batch.epochTime, bytes: .init(),
                spans: batch.spans.count, partitions: batch.partitions)
            result.chunks = batch.spans.isEmpty ? [] : [all]
        } else if !batch.spans.isEmpty {
            result = encoder.encode(batch, as: format, bytesMax: Self.chunkBytes)
        }
        var items = result.chunks.map { QueueItem.chunk($0) }
        if batch.endsBlock { items.append(.end(batch.block)) }
        return Encoded(items: items, unreadable: result.unreadable)
    }
}
