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

    /// Runs `append` for every span; it returns false, having appended nothing, for a point it cannot read.
    ///
    /// Complexity: one copy of the encoded bytes beside what `append` does; no allocation per span.
    @inline(__always)
    static func encode(
        _ batch: ExportBatch, bytesMax: Int,
        append: (UnsafeRawBufferPointer, SpanVerdict, inout [UInt8]) -> Bool
    ) -> EncodedBatch {
        var result = EncodedBatch()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(bytesMax, batch.points.count + batch.spans.count * growthBytes) + 4096)
        var counts: [PartitionCount] = []
        var total = 0

        func cut(at end: Int) {
            guard total > 0 else { return }
            result.chunks.append(
                EncodedChunk(
                    block: batch.block, epoch: batch.epoch, epochTime: batch.epochTime,
                    bytes: ByteBuffer(bytes: bytes[..<end]), spans: total, partitions: counts))
            bytes.removeSubrange(..<end)
            counts.removeAll(keepingCapacity: true)
            total = 0
        }

        batch.points.withUnsafeBytes { points in
            var index = 0
            for run in batch.partitions {
                var readable = 0
                for span in batch.spans[index..<index + run.spans] {
                    let before = bytes.count
                    let end = Int(span.offset) + Int(span.length)
                    precondition(end <= points.count, "a span's range must lie within the batch's points")
                    let point = UnsafeRawBufferPointer(rebasing: points[Int(span.offset)..<end])
                    guard append(point, span.verdict, &bytes) else { continue }
                    if bytes.count > bytesMax && before > 0 {
                        add(readable, of: run.partition, to: &counts)
                        readable = 0
                        cut(at: before)
                    }
                    readable += 1
                    total += 1
                }
                index += run.spans
                add(readable, of: run.partition, to: &counts)
            }
        }
        cut(at: bytes.count)
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
                splicer.appendProtobuf(point, verdict: verdict, to: &bytes)
            }
        case .jsonLines:
            return ChunkBuilder.encode(batch, bytesMax: bytesMax) { point, verdict, bytes in
                splicer.appendJSONLine(point, verdict: verdict, to: &bytes)
            }
        case .otlp(let fields):
            var encoder = OTLPEncoder(rules: rules, fields: fields)
            return ChunkBuilder.encode(batch, bytesMax: bytesMax, with: &encoder)
        case .none:
            return EncodedBatch()
        }
    }
}
