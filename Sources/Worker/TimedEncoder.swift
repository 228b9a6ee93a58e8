/// An encoder whose CPU time is told apart as stage `encode`.
struct TimedEncoder: SpanEncoder {
    let base: any SpanEncoder
    let metrics: WorkerMetrics

    func encode(_ batch: ExportBatch, as format: ExportFormat, bytesMax: Int) -> EncodedBatch {
        metrics.timed(.encode) { base.encode(batch, as: format, bytesMax: bytesMax) }
    }
}
