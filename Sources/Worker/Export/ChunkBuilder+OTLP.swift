import Linking
import NIOCore
import Shared

extension ChunkBuilder {
    /// Cuts a batch into OTLP requests: as the other `encode`, but a chunk's spans are grouped by resource.
    static func encode(_ batch: ExportBatch, bytesMax: Int, with encoder: inout OTLPEncoder) -> EncodedBatch {
        var result = EncodedBatch()
        var counts: [PartitionCount] = []
        var index = 0
        for run in batch.partitions {
            var readable = 0
            for place in index..<index + run.spans {
                if place + lookAhead < batch.spans.count {
                    batch.points.prefetch(batch.spans[place + lookAhead].point)
                }
                let span = batch.spans[place]
                guard encoder.encode(batch.points[span.point], verdict: span.verdict) else { continue }
                if encoder.bytesWithPending > bytesMax, encoder.spans > 0 {
                    add(readable, of: run.partition, to: &counts)
                    readable = 0
                    cut(batch, &encoder, &counts, into: &result)
                }
                encoder.accept()
                readable += 1
            }
            index += run.spans
            add(readable, of: run.partition, to: &counts)
        }
        cut(batch, &encoder, &counts, into: &result)
        result.unreadable = missing(batch, in: result.chunks)
        return result
    }

    private static func cut(
        _ batch: ExportBatch, _ encoder: inout OTLPEncoder, _ counts: inout [PartitionCount],
        into result: inout EncodedBatch
    ) {
        let spans = encoder.spans
        guard spans > 0 else { return }
        var bytes = ByteBuffer()
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: encoder.bytes) { encoder.write(to: $0) }
        result.chunks.append(
            EncodedChunk(
                block: batch.block, epoch: batch.epoch, epochTime: batch.epochTime, bytes: bytes, spans: spans,
                partitions: counts))
        counts.removeAll(keepingCapacity: true)
    }
}
