import Linking
import NIOCore
import Shared

/// Turns a batch into chunks of one form; called once per batch and form.
protocol SpanEncoder: Sendable {
    /// - Parameters:
    ///   - bytesMax: a chunk is not larger, unless a single span is.
    /// - Returns: the chunks, and the spans whose points cannot be encoded.
    func encode(_ batch: ExportBatch, as format: ExportFormat, bytesMax: Int) -> EncodedBatch
}

/// A batch in one form.
struct EncodedBatch: Sendable {
    var chunks: [EncodedChunk] = []
    var unreadable: [PartitionCount] = []
}

/// Cuts a batch into chunks while something else appends the spans: the loop of every encoder.
struct ChunkBuilder {
    /// Splicing adds ids and evidence; a guess for the first allocation, bytes a span.
    private static let growthBytes = 320
    /// So many spans before its turn a point is brought into the cache.
    static let lookAhead = 2

    /// Runs `append` for every span; it returns false, having appended nothing, for a point it cannot read.
    ///
    /// Complexity: what `append` does, and one copy of the span that begins the next chunk; no allocation per span.
    @inline(__always)
    static func encode(
        _ batch: ExportBatch, bytesMax: Int,
        append: (UnsafeRawBufferPointer, SpanVerdict, inout ByteBuffer) -> Bool
    ) -> EncodedBatch {
        var result = EncodedBatch()
        var rest = batch.points.byteCount + batch.spans.count * growthBytes
        func chunkRoom() -> ByteBuffer { ByteBufferAllocator().buffer(capacity: min(bytesMax, rest) + 4096) }
        var bytes = chunkRoom()
        var counts: [PartitionCount] = []
        var total = 0

        func cut(at end: Int) {
            guard total > 0 else { return }
            result.chunks.append(
                EncodedChunk(
                    block: batch.block, epoch: batch.epoch, epochTime: batch.epochTime,
                    bytes: bytes.getSlice(at: 0, length: end) ?? ByteBuffer(), spans: total, partitions: counts))
            counts.removeAll(keepingCapacity: true)
            total = 0
        }

        var index = 0
        for run in batch.partitions {
            var readable = 0
            for place in index..<index + run.spans {
                if place + lookAhead < batch.spans.count {
                    batch.points.prefetch(batch.spans[place + lookAhead].point)
                }
                let span = batch.spans[place]
                let before = bytes.writerIndex
                guard append(batch.points[span.point], span.verdict, &bytes) else { continue }
                if bytes.writerIndex > bytesMax && before > 0 {
                    add(readable, of: run.partition, to: &counts)
                    readable = 0
                    cut(at: before)
                    rest -= min(rest, before)
                    var next = chunkRoom()
                    if let last = bytes.getSlice(at: before, length: bytes.writerIndex - before) {
                        next.writeImmutableBuffer(last)
                    }
                    bytes = next
                }
                readable += 1
                total += 1
            }
            index += run.spans
            add(readable, of: run.partition, to: &counts)
        }
        cut(at: bytes.writerIndex)
        result.unreadable = missing(batch, in: result.chunks)
        return result
    }

    static func add(_ spans: Int, of partition: PartitionID, to counts: inout [PartitionCount]) {
        if spans > 0 { counts.append(PartitionCount(partition: partition, spans: spans)) }
    }

    /// What the batch holds and the chunks do not.
    static func missing(_ batch: ExportBatch, in chunks: [EncodedChunk]) -> [PartitionCount] {
        guard chunks.reduce(0, { $0 + $1.spans }) < batch.spans.count else { return [] }
        var rest: [PartitionID: Int] = [:]
        for run in batch.partitions { rest[run.partition, default: 0] += run.spans }
        for chunk in chunks {
            for run in chunk.partitions { rest[run.partition, default: 0] -= run.spans }
        }
        return rest.filter { $0.value > 0 }.map { PartitionCount(partition: $0.key, spans: $0.value) }
            .sorted { $0.partition < $1.partition }
    }
}

/// Splices the verdict's ids into the original bytes: what targets get.
struct SplicingEncoder: SpanEncoder {
    let rules: ExportRules

    func encode(_ batch: ExportBatch, as format: ExportFormat, bytesMax: Int) -> EncodedBatch {
        var splicer = PointSplicer(rules: rules)
        switch format {
        case .protobuf:
            return ChunkBuilder.encode(batch, bytesMax: bytesMax) { point, verdict, bytes in
                bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: splicer.protobufRoom(for: point)) { room in
                    splicer.writeProtobuf(point, verdict: verdict, to: room)
                } > 0
            }
        case .jsonLines:
            var line: [UInt8] = []
            return ChunkBuilder.encode(batch, bytesMax: bytesMax) { point, verdict, bytes in
                line.removeAll(keepingCapacity: true)
                guard splicer.appendJSONLine(point, verdict: verdict, to: &line) else { return false }
                bytes.writeBytes(line)
                return true
            }
        case .otlp(let fields):
            var encoder = OTLPEncoder(rules: rules, fields: fields)
            return ChunkBuilder.encode(batch, bytesMax: bytesMax, with: &encoder)
        case .none:
            return EncodedBatch()
        }
    }
}
