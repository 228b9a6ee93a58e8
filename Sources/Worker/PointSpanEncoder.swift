import Linking
import Shared

/// Encodes batches by splicing ids into the points' own bytes.
struct PointSpanEncoder: SpanEncoder {
    let rules: ExportRules
    let metrics: WorkerMetrics

    func encode(_ batch: ExportBatch, as format: ExportFormat, bytesMax: Int) -> EncodedBatch {
        metrics.timed(.encode) {
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
            case .none:
                return EncodedBatch()
            }
        }
    }
}
